"""Where rows and bytes are kept: database and schema, blobs and who holds them, uploads."""
