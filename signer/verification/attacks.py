"""The words for attacks on signed documents: what a finding is a sign of.

A word says what kind of forgery leaves such a trace, not that somebody meant it: a careless tool
that repairs a file leaves the trace of an incremental saving attack too. Sources: Mladenov et al.,
CCS 2019 (universal forgery, incremental saving, signature wrapping); Mainka et al., NDSS 2021
(shadow attacks); Rohlmann et al., S&P 2021 (attacks on certified documents); Müller et al., NDSS
2021, and Markwood et al., USENIX Security 2017 (differing readers, content masking); ePrint
2023/1801 (signed attributes as content). The words are stable.
"""

from __future__ import annotations

import enum


class Attack(enum.StrEnum):
    """One class of attack; docs/verification.md tells each in a sentence."""

    UNIVERSAL_FORGERY = "universal-forgery"
    INCREMENTAL_SAVING = "incremental-saving"
    SIGNATURE_WRAPPING = "signature-wrapping"
    SHADOW_HIDE = "shadow-hide"
    SHADOW_REPLACE = "shadow-replace"
    SHADOW_HIDE_AND_REPLACE = "shadow-hide-and-replace"
    EVIL_ANNOTATION = "evil-annotation"
    SNEAKY_SIGNATURE = "sneaky-signature"
    SWAPPED_DICTIONARY = "swapped-dictionary"
    REPLAYED_TIMESTAMP = "replayed-timestamp"
    TIMESTAMP_AS_SIGNATURE = "timestamp-as-signature"
    ALTERED_CONTENT = "altered-content"
    ATTRIBUTE_CONFUSION = "attribute-confusion"
    ENCAPSULATED_CONTENT = "encapsulated-content"
    CERTIFICATE_SUBSTITUTION = "certificate-substitution"
    SEVERAL_SIGNERS = "several-signers"
    AMBIGUOUS_ENCODING = "ambiguous-encoding"
    ALGORITHM_SUBSTITUTION = "algorithm-substitution"
    FORGED_VALUE = "forged-value"
    WEAK_ALGORITHM = "weak-algorithm"
    PARSER_DIFFERENTIAL = "parser-differential"
    CONTENT_MASKING = "content-masking"
    ENCRYPTED_INPUT = "encrypted-input"


# what a failed or undecided check is a trace of, where the place that finds it says no more
OF_CHECK = {
    "file.stray-signature": Attack.INCREMENTAL_SAVING,
    "file.second-reader": Attack.PARSER_DIFFERENTIAL,
    "file.encrypted": Attack.ENCRYPTED_INPUT,
    "byterange.four-integers": Attack.UNIVERSAL_FORGERY,
    "byterange.from-zero": Attack.SIGNATURE_WRAPPING,
    "byterange.inside-file": Attack.SIGNATURE_WRAPPING,
    "byterange.own-object": Attack.UNIVERSAL_FORGERY,
    "byterange.gap": Attack.SIGNATURE_WRAPPING,
    "byterange.end-of-revision": Attack.SIGNATURE_WRAPPING,
    "byterange.own-revision": Attack.SWAPPED_DICTIONARY,
    "byterange.overlap": Attack.SIGNATURE_WRAPPING,
    "contents.hex": Attack.UNIVERSAL_FORGERY,
    "contents.canonical-hex": Attack.PARSER_DIFFERENTIAL,
    "cms.canonical": Attack.AMBIGUOUS_ENCODING,
    "cms.signing-certificate": Attack.CERTIFICATE_SUBSTITUTION,
    "signature.digest": Attack.ALTERED_CONTENT,
    "signature.value": Attack.FORGED_VALUE,
    "signature.strength": Attack.WEAK_ALGORITHM,
    "path.strength": Attack.WEAK_ALGORITHM,
    "timestamp.imprint": Attack.REPLAYED_TIMESTAMP,
    "timestamp.value": Attack.FORGED_VALUE,
    "timestamp.structure": Attack.AMBIGUOUS_ENCODING,
    "shown.revisions": Attack.INCREMENTAL_SAVING,
    "shown.obscured": Attack.SNEAKY_SIGNATURE,
    "shown.engines": Attack.PARSER_DIFFERENTIAL,
}
