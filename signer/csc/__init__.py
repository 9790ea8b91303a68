"""The Cloud Signature Consortium's API v2, as the key agent speaks it and outsiders do.

wire.py         names, identifiers and error bodies that client and agent share
transport.py    JSON over HTTP: Unix socket, or TLS with a client certificate
sockets.py      Unix sockets with long paths
login.py        how an outside provider lets a client in: OAuth2, activation data
lane.py         the hashes of many threads in one call
credentials.py  what credentials/info says, read and proved
"""
