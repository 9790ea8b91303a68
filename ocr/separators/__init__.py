"""Marks on a scanned page that tell documents apart: QR codes, patch codes, blank backs."""
