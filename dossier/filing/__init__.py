"""A paper that people confirmed becomes a sealed record: draft, officer's mark, seal, index."""
