"""Programs for the people who build Sohoa: sample documents, fixtures of standards."""
