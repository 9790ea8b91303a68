"""Making signatures: from an unsigned PDF and a `SigningKey` to PAdES B-B … B-LTA.

Knows nothing of `signer.verification`: the workflow seals, then verifies what it sealed.
"""
