"""From pixels to lines of text: clean-up of the OCR image, line cutting, recognition."""
