"""What is wrong with a scanned page: measured, placed on the page, held to dated thresholds."""
