"""Visible signatures: dated profiles, layout, drawing, and where on the page they go."""
