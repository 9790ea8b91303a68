"""Whom and when: paths to an anchor, revocation, the time that is proved (steps 5-7)."""
