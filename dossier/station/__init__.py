"""What a scanning station did in a day."""
