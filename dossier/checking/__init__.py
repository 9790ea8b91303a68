"""People check what machines read: leases, what is typed, confirmed and decided, the lexicon."""
