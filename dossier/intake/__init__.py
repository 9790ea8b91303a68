"""From a stack of scanned pages to documents: cover sheets, splitting, duplicates."""
