"""The proof bundle: one ZIP that proves a result for as long as anybody keeps it.

    making       the document, evidence, trust, register proof, manifest; always the same octets
    single_file  verify.py: our own verifier as one file that needs Python and `cryptography`
    alone        what that file does
    contents     what stands where in a bundle, read and held to its manifest

Whoever has the bundle needs nothing of ours and no network. Whom to believe he decides himself:
the bundle says whom its maker believed, and `--trust` puts his own roots in their place.
"""
