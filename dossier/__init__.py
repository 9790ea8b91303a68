"""The domain: what a dossier is and how it moves from paper to a returned result."""
