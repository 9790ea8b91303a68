"""The HTTP door: application, routes, and what stands around them."""
