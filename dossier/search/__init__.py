"""Full-text search over recognised pages, with and without Vietnamese marks."""
