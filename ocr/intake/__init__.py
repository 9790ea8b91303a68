"""Taking scans in: bytes of any kind become pages, or a typed error that names the place."""
