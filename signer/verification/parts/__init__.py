"""The part that each signature plays in a clerical sequence, and where it stands on the page."""
