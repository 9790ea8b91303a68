"""One file a command of the `sohoa` command line; `api.cli` puts them together."""
