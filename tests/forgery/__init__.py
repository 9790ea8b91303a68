"""Attack files of every class in the literature, made here, on files that several tools signed."""
