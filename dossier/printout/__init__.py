"""Issued results on paper: the code is printed, read back, and the paper held to the original."""
