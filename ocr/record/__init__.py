"""The record itself: PDF/A writer, text layer, compact images, provenance manifest."""
