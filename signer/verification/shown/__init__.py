"""The bytes that are shown: a second engine draws them, and the engines are compared (step 9)."""
