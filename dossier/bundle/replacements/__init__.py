"""Stand-ins for modules whose libraries are not on the machine of whoever has only the bundle.

Each does what it can with the standard library alone, and says in the report what it did not.
"""
