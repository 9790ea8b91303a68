"""The register of issued results: an append-only Merkle log that anybody can check."""
