"""The key agent: the only process with the PKCS#11 module and the PIN. CSC API v2 to others.

server.py     HTTP over a Unix socket or TLS: who asks, how much, how slowly
routes.py     CSC messages in and out
desk.py       one signHash call: policy, breaker, audit, token, within a bounded time
policy.py     who may use which key, for what, how often, until when (key-policy.toml)
ledger.py     the agent's own audit chain: intent before each C_Sign, outcome after
keyring.py    the token and its keys, opened once, found again after a loss
breaker.py    fails fast while the token is gone
workers.py    threads that may hang in the token without hanging anybody else
entry.py      puts them together, drains on SIGTERM
"""
