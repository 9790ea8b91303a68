"""Class 7 and 8: parser differentials, encrypted input."""

from __future__ import annotations

import io

import pikepdf
import pytest

from signer.verification.attacks import Attack
from signer.verification.report import Integrity
from tests.fixtures_signed import seal
from tests.forgery.catalogue import assert_not_fooled, in_turn, spoken
from tests.forgery.paper import paper
from tests.forgery.save import Save
from tests.forgery.structures import differentials

SIGNED_BY = ["ours", "pyhanko", "openssl", "ours-archived"]
ENCRYPTED = frozenset({Attack.ENCRYPTED_INPUT})


@pytest.mark.parametrize(("forgery", "name"), in_turn(differentials, SIGNED_BY), ids=spoken)
def test_parser_differential(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize("passwords", [("", "x"), ("u", "o"), ("", "")])
@pytest.mark.parametrize("revision", [3, 4, 6])
def test_encrypted_input(informed_verifier, victims, passwords, revision):
    user, owner = passwords
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(victims["ours"])) as pdf:
        pdf.save(
            out,
            encryption=pikepdf.Encryption(
                user=user, owner=owner, R=revision, aes=revision > 3, metadata=revision > 3
            ),
        )
    assert_not_fooled(informed_verifier.verify(out.getvalue()), ENCRYPTED)


@pytest.mark.parametrize("name", ["ours", "pyhanko"])
def test_encryption_said_by_a_save(informed_verifier, victims, name):
    """A trailer that names an encryption dictionary behind the signature."""
    save = Save(victims[name])
    number = save.add(b"<< /Filter /Standard /V 1 /R 2 /O <00> /U <00> /P -4 >>")
    save.entries[b"/Encrypt"] = b"%d 0 R" % number
    assert_not_fooled(informed_verifier.verify(save.table()), ENCRYPTED)


def wrapper(entries: dict) -> bytes:
    """An unencrypted page around an attached encrypted document (ISO 32000-2, 7.6.7)."""
    secret, out = io.BytesIO(), io.BytesIO()
    with pikepdf.open(io.BytesIO(paper())) as inner:
        inner.save(secret, encryption=pikepdf.Encryption(user="u", owner="o"))
    with pikepdf.open(io.BytesIO(paper())) as pdf:
        file = pdf.make_stream(secret.getvalue(), Type=pikepdf.Name.EmbeddedFile)
        spec = pdf.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Filespec, F="inner.pdf", UF="inner.pdf",
                EF=pikepdf.Dictionary(F=file), **entries,
            )
        )  # fmt: skip
        pdf.Root.Names = pikepdf.Dictionary(
            EmbeddedFiles=pikepdf.Dictionary(Names=[pikepdf.String("inner.pdf"), spec])
        )
        pdf.Root.AF = pikepdf.Array([spec])
        pdf.Root.Collection = pikepdf.Dictionary(
            Type=pikepdf.Name.Collection, D="inner.pdf", View=pikepdf.Name.H
        )
        pdf.save(out, deterministic_id=True)
    return out.getvalue()


@pytest.mark.parametrize(
    "entries",
    [
        {"AFRelationship": pikepdf.Name.EncryptedPayload},
        {"EP": pikepdf.Dictionary(Type=pikepdf.Name.EncryptedPayload, Subtype=pikepdf.Name.X)},
    ],
    ids=["relationship", "payload"],
)
def test_wrapper_around_an_encrypted_document(informed_verifier, test_pki, entries):
    """What readers show is the document inside, which nobody here can see."""
    forged = seal(test_pki, wrapper(entries), test_pki.seal)
    assert_not_fooled(informed_verifier.verify(forged), ENCRYPTED)


def test_attachment_is_no_wrapper(informed_verifier, test_pki):
    """An attached file of another kind leaves the signed page what it is."""
    honest = seal(test_pki, wrapper({"AFRelationship": pikepdf.Name.Data}), test_pki.seal)
    assert informed_verifier.verify(honest).integrity is Integrity.INTACT
