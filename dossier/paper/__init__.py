"""Documents of our own: pages of text as PDF/A-2, Vietnamese throughout."""
