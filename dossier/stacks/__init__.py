"""A pile of scanned paper (tập giấy): its pages, their reading, how they are arranged."""
