"""Class 6: CMS structures that mean two things, or nothing; most of them with a valid signature.

`envelope(change)` makes a CMS over the covered bytes, lets `change` alter it, and signs what it
says then with the attacker's own trusted key: no altered bit gives the forgery away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from asn1crypto import algos
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from signer.verification.attacks import Attack
from tests.cms_surgery import Tree, grow, signer_of
from tests.fakes import SoftwareKey
from tests.foreign import place_cms
from tests.forgery.catalogue import Catalogue
from tests.forgery.paper import paper
from tests.forgery.signing import detached

envelopes = Catalogue()

Change = Callable[[Tree], None]

_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_SHA1 = bytes.fromhex("06052b0e03021a")
_SHA512 = bytes.fromhex("0609608648016503040203")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")


def sign(key: SoftwareKey, octets: bytes) -> bytes:
    """A plain SHA-256 signature by the key."""
    private = key.private_key
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(octets, ec.ECDSA(hashes.SHA256()))
    assert isinstance(private, rsa.RSAPrivateKey)
    return private.sign(octets, padding.PKCS1v15(), hashes.SHA256())


def envelope(
    key: SoftwareKey, change: Change, *, resign: bool = True, after: Change | None = None
) -> Callable[[bytes], bytes]:
    """What `place_cms` puts into /Contents."""

    def make(covered: bytes) -> bytes:
        info, _ = grow(detached(key, covered))
        content = info[1][0]
        change(content)
        if resign:
            attributes = signer_of(content)[3].dump()
            signer_of(content)[-1].value = sign(key, b"\x31" + attributes[1:])
        if after is not None:
            after(content)
        return info.dump()

    return make


def _add(name: str, change: Change, *words: Attack, **options: object) -> None:
    def make(data: bytes, key: SoftwareKey) -> bytes:
        return place_cms(paper(), envelope(key, change, **options), name="Ke")

    envelopes.add(name, make, *words)


def _attribute(content: Tree, kind: bytes) -> Tree:
    return next(a for a in signer_of(content)[3].value if a[0].dump() == kind)


def nothing(content: Tree) -> None:
    """Changes nothing: for controls."""


def _two_signers(content: Tree) -> None:
    content[-1].value = [signer_of(content), signer_of(content)]


def _no_signer(content: Tree) -> None:
    content[-1].value = []


def _own_content(content: Tree) -> None:
    content[2].value.append(Tree(0xA0, [Tree(0x04, b"noi dung khac")]))


def _own_content_and_digest(content: Tree) -> None:
    _own_content(content)
    _attribute(content, _MESSAGE_DIGEST)[1][0].value = hashlib.sha256(b"noi dung khac").digest()


def _content_type(kind: bytes, *, attribute: bool) -> Change:
    def change(content: Tree) -> None:
        content[2].value[0] = grow(kind)[0]
        if attribute:
            _attribute(content, _CONTENT_TYPE)[1].value = [grow(kind)[0]]

    return change


def _without(kind: bytes) -> Change:
    def change(content: Tree) -> None:
        kept = [a for a in signer_of(content)[3].value if a[0].dump() != kind]
        signer_of(content)[3].value = kept

    return change


def _no_attributes(content: Tree) -> None:
    del signer_of(content).value[3]


def _attributes_as_content(content: Tree) -> None:
    """ePrint 2023/1801: the signature over attributes, shown as one over content."""
    attributes = signer_of(content).value.pop(3).dump()
    content[2].value.append(Tree(0xA0, [Tree(0x04, b"\x31" + attributes[1:])]))


def _doubled(kind: bytes) -> Change:
    def change(content: Tree) -> None:
        signer_of(content)[3].value.append(_attribute(content, kind))

    return change


def _two_values(content: Tree) -> None:
    values = _attribute(content, _MESSAGE_DIGEST)[1]
    values.value = [Tree(0x04, bytes(32)), *values.value]


def _digest_algorithm(kind: bytes) -> Change:
    def change(content: Tree) -> None:
        signer_of(content)[2].value = [grow(kind)[0]]

    return change


def _both_digests(content: Tree) -> None:
    _digest_algorithm(_SHA1)(content)
    content[1].value = [Tree(0x30, [grow(_SHA1)[0]])]


def _value(octets: bytes) -> Change:
    def change(content: Tree) -> None:
        signer_of(content)[-1].value = octets

    return change


def _signature_algorithm(octets: bytes) -> Change:
    def change(content: Tree) -> None:
        signer_of(content).value[4] = grow(octets)[0]

    return change


def _padded_length(content: Tree) -> None:
    """A message digest whose length takes more octets than it needs."""
    values = _attribute(content, _MESSAGE_DIGEST)[1]
    octets = values[0].value
    assert isinstance(octets, bytes)
    values.value = b"\x04\x81" + bytes([len(octets)]) + octets


def _boolean_that_is_none(content: Tree) -> None:
    signer_of(content)[3].value.append(
        Tree(0x30, [Tree(0x06, b"\x2a\x03"), Tree(0x31, [Tree(0x01, b"\x01")])])
    )


def _raw_signature(content: Tree) -> None:
    _no_attributes(content)


_CONFUSED, _SEVERAL = (Attack.ATTRIBUTE_CONFUSION,), (Attack.SEVERAL_SIGNERS,)
_INSIDE, _UNCLEAR = (Attack.ENCAPSULATED_CONTENT,), (Attack.AMBIGUOUS_ENCODING,)
_SUBSTITUTED, _FORGED = (Attack.ALGORITHM_SUBSTITUTION,), (Attack.FORGED_VALUE,)

_add("two_signers", nothing, *_SEVERAL, after=_two_signers)
_add("no_signer", nothing, *_SEVERAL, after=_no_signer)
_add("own_content", _own_content, *_INSIDE)
_add("own_content_and_digest", _own_content_and_digest, *_INSIDE, Attack.ALTERED_CONTENT)
_add("attributes_as_content", nothing, *_CONFUSED, *_INSIDE, after=_attributes_as_content)
_add("no_attributes", nothing, *_CONFUSED, after=_no_attributes)
_add("without_content_type", _without(_CONTENT_TYPE), *_CONFUSED)
_add("without_message_digest", _without(_MESSAGE_DIGEST), *_CONFUSED)
_add("content_of_another_type", _content_type(_SIGNED_DATA, attribute=False), *_CONFUSED)
_add("both_of_another_type", _content_type(_SIGNED_DATA, attribute=True), *_CONFUSED)
_add(
    "posing_as_a_timestamp", _content_type(_TST_INFO, attribute=True), *_CONFUSED,
    Attack.TIMESTAMP_AS_SIGNATURE,
)  # fmt: skip
_add("digest_twice", _doubled(_MESSAGE_DIGEST), *_CONFUSED)
_add("content_type_twice", _doubled(_CONTENT_TYPE), *_CONFUSED)
_add("two_digests_in_one", _two_values, *_CONFUSED)
_add("digest_said_to_be_sha512", _digest_algorithm(_SHA512), *_SUBSTITUTED, Attack.ALTERED_CONTENT)
_add("digest_said_to_be_sha1", _both_digests, *_SUBSTITUTED, Attack.ALTERED_CONTENT)
_add("long_length", _padded_length, *_UNCLEAR)
_add("odd_boolean", _boolean_that_is_none, *_UNCLEAR)
for _name, _octets in {
    "zero": bytes.fromhex("3006020100020100"), "one": bytes.fromhex("3006020101020101"),
    "empty": b"", "negative": bytes.fromhex("30060201ff0201ff"), "plain_zero": bytes(64),
    "order": bytes.fromhex(
        "3046022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
        "022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
    ),
}.items():  # fmt: skip
    _add(f"value_{_name}", nothing, *_FORGED, after=_value(_octets))


def _pss(digest: str, mask: str) -> bytes:
    mask_gen = {"algorithm": "mgf1", "parameters": {"algorithm": mask}}
    parameters = algos.RSASSAPSSParams(
        {"hash_algorithm": {"algorithm": digest}, "mask_gen_algorithm": mask_gen}
    )
    found = {"algorithm": "rsassa_pss", "parameters": parameters}
    return bytes(algos.SignedDigestAlgorithm(found).dump())


for _name, _octets in {
    "pss_without_parameters": bytes.fromhex("300b06092a864886f70d01010a"),
    "pss_of_another_digest": _pss("sha512", "sha512"),
    "pss_of_a_pkcs1_signature": _pss("sha256", "sha256"),
    "rsa_with_sha512": bytes.fromhex("300d06092a864886f70d01010d0500"),
    "ecdsa_for_another_family": bytes.fromhex("300a06082a8648ce3d040302"),
    "ecdsa_with_sha512": bytes.fromhex("300a06082a8648ce3d040304"),
    "eddsa_for_another_family": bytes.fromhex("300506032b6570"),
    "parameters_that_do_not_belong": bytes.fromhex("300e06082a8648ce3d04030204020102"),
}.items():
    _add(_name, nothing, *_SUBSTITUTED, *_FORGED, *_UNCLEAR, after=_signature_algorithm(_octets))
