"""What each save changed, and which signatures allow it (step 8)."""
