"""The doors: command line, settings and wiring (and HTTP, in the service)."""
