"""One signature by itself: DER, certificates, CMS, timestamps, what proves them (steps 2-4)."""
