"""Signed notes and checkpoints: the C2SP form, our keys, and everything that is not quite one."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dossier.register.checkpoint import Checkpoint, SignedCheckpoint
from dossier.register.notes import NoteInvalid, NoteKey, require_signed, sign, text_of
from hsm.keys import SignatureScheme
from tests.fakes import SoftwareKey

NAME = "so.example.vn/ket-qua"
TEXT = f"{NAME}\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


@pytest.fixture(scope="module")
def key() -> SoftwareKey:
    return SoftwareKey(label="register")


@pytest.fixture(scope="module")
def other() -> SoftwareKey:
    return SoftwareKey(label="other")


def spki(key: SoftwareKey) -> bytes:
    return key.certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def test_a_note_has_the_form_that_others_read(key: SoftwareKey, tmp_path: Path) -> None:
    note = sign(TEXT, NAME, key)
    lines = note.split("\n")
    assert note.startswith(TEXT + "\n— " + NAME + " ")
    assert (lines[-1], lines[3]) == ("", "")
    value = base64.b64decode(lines[4].rsplit(" ", 1)[1])
    # type 0x02: the key ID is that of the SubjectPublicKeyInfo alone
    assert value[:4] == hashlib.sha256(spki(key)).digest()[:4]
    # and openssl finds an ordinary ECDSA signature over the text behind it
    (tmp_path / "text").write_text(TEXT, "utf-8")
    (tmp_path / "signature").write_bytes(value[4:])
    (tmp_path / "key.pem").write_bytes(
        key.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "text"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "Verified OK", done.stderr


@pytest.mark.parametrize(
    "scheme",
    [
        SignatureScheme.ECDSA_SHA256,
        SignatureScheme.ECDSA_SHA384,
        SignatureScheme.RSA_PKCS1_SHA256,
        SignatureScheme.RSA_PSS_SHA384,
    ],
)
def test_every_scheme_of_a_token_signs_notes(scheme: SignatureScheme) -> None:
    key = SoftwareKey(scheme)
    public = NoteKey.of(NAME, key)
    note = sign(TEXT, NAME, key)
    assert require_signed(note, [public]) == (TEXT, public)
    assert NoteKey.parse(str(public)) == public
    # the certificate alone is enough: the key ID tells the scheme
    found = require_signed(note, NoteKey.all_of(NAME, key.certificate))[1]
    assert found.scheme is scheme
    kind = str(public).split("+", 2)[2]
    assert base64.b64decode(kind)[0] == (2 if scheme is SignatureScheme.ECDSA_SHA256 else 0xFF)


def test_signatures_of_others_do_not_matter(key: SoftwareKey, other: SoftwareKey) -> None:
    mine, theirs = sign(TEXT, NAME, key), sign(TEXT, "witness.example", other)
    both = mine + theirs.rpartition("\n\n")[2]
    assert require_signed(both, [NoteKey.of(NAME, key)])[0] == TEXT
    assert require_signed(both, [NoteKey.of("witness.example", other)])[0] == TEXT
    with pytest.raises(NoteInvalid, match="not signed by"):
        require_signed(both, [NoteKey.of("third.example", other)])
    with pytest.raises(NoteInvalid, match="not signed by"):
        require_signed(mine, [NoteKey.of(NAME, other)])
    with pytest.raises(NoteInvalid, match="not signed by"):
        require_signed(mine, [])


def test_one_wrong_signature_of_a_known_key_spoils_the_note(
    key: SoftwareKey, other: SoftwareKey
) -> None:
    note = sign(TEXT, NAME, key)
    head, _, line = note.rpartition("— ")
    value = bytearray(base64.b64decode(line.split(" ")[1]))
    value[-1] ^= 1
    spoilt = f"— {NAME} {base64.b64encode(bytes(value)).decode()}\n"
    theirs = sign(TEXT, "witness.example", other).rpartition("\n\n")[2]
    keys = [NoteKey.of(NAME, key), NoteKey.of("witness.example", other)]
    with pytest.raises(NoteInvalid, match="does not hold"):
        require_signed(head + theirs + spoilt, keys)


@given(st.data())
def test_any_other_text_is_not_the_one_that_was_signed(key: SoftwareKey, data) -> None:
    note = sign(TEXT, NAME, key)
    at = data.draw(st.integers(0, len(TEXT) - 1))
    character = data.draw(st.characters(codec="utf-8").filter(lambda one: one != TEXT[at]))
    with pytest.raises(NoteInvalid):
        require_signed(note[:at] + character + note[at + 1 :], [NoteKey.of(NAME, key)])


@pytest.mark.parametrize(
    "note",
    ["", "\n\n", "text", "text\n", "text\n\n", "text\n\n— a\n", "text\n\n- a YWJjZGVm\n",
     "text\n\n— a YWJj\n", "text\n\n— a !!!!\n", "text\n\n— a YWJjZGVm", "te\rxt\n\n— a YWJjZGVm\n",
     "x" * 70_000],
)  # fmt: skip
def test_what_is_no_note(note: str, key: SoftwareKey) -> None:
    with pytest.raises(NoteInvalid):
        require_signed(note, [NoteKey.of(NAME, key)])


def test_what_is_no_verifier_key(key: SoftwareKey) -> None:
    good = str(NoteKey.of(NAME, key))
    name, key_id, encoded = good.split("+", 2)
    assert NoteKey.parse(f" {good}\n").name == NAME
    unused = base64.b64encode(b"\x01" + bytes(32)).decode()
    wrong = [
        "", "a", "a+b", "a+b+c", f"{name}+00000000+{encoded}", f"+{key_id}+{encoded}",
        f"a b+{key_id}+{encoded}", f"{name}+{key_id}+{unused}", f"{name}+{key_id}+{encoded[:-8]}",
        f"{name}+{key_id}+" + base64.b64encode(b"\xffsohoa/none\nx").decode(),
        f"{name}+{key_id}+" + base64.b64encode(b"\x02garbage").decode(),
    ]  # fmt: skip
    for line in wrong:
        with pytest.raises(NoteInvalid):
            NoteKey.parse(line)


def test_a_checkpoint_is_read_in_its_only_form() -> None:
    root = hashlib.sha256(b"root").digest()
    checkpoint = Checkpoint(NAME, 12, root)
    assert Checkpoint.read(checkpoint.text()) == checkpoint
    assert Checkpoint.read(checkpoint.text() + "extension\n") == checkpoint
    # the example of the specification, its text
    example = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    assert Checkpoint.read(example).text() == example
    encoded = base64.b64encode(root).decode()
    for wrong in (
        "", "a\n1\n", f"a\n01\n{encoded}\n", f"a\n-1\n{encoded}\n", f"a\n1 \n{encoded}\n",
        f"a\n{'9' * 19}\n{encoded}\n", "a\n1\nAAAA\n", f"\n1\n{encoded}\n", f"a\n1\n{encoded}",
        f"a\n１\n{encoded}\n", f"a\n1\n{encoded}\n\nx\n", "a\n1\n!\n",
    ):  # fmt: skip
        with pytest.raises(NoteInvalid):
            Checkpoint.read(wrong)


def test_a_checkpoint_travels_with_its_certificates(key: SoftwareKey) -> None:
    pem = key.certificate.public_bytes(Encoding.PEM).decode()
    note = sign(TEXT, NAME, key)
    signed = SignedCheckpoint(note, (pem,), None)
    assert SignedCheckpoint.read(signed.to_json()) == signed
    proved = SignedCheckpoint.read(signed.to_json()).proved([key.certificate])
    assert (proved.checkpoint.size, proved.at) == (3, None)
    assert proved.key == NoteKey.of(NAME, key)
    assert SignedCheckpoint.read(note).proved([], keys=[proved.key]).key == proved.key
    assert text_of(note) == TEXT


def test_a_checkpoint_of_nobody_is_refused(key: SoftwareKey, other: SoftwareKey) -> None:
    pem = key.certificate.public_bytes(Encoding.PEM).decode()
    note = sign(TEXT, NAME, key)
    with pytest.raises(NoteInvalid, match="no certificate"):
        SignedCheckpoint(note).proved([key.certificate])
    with pytest.raises(NoteInvalid, match="no path"):
        SignedCheckpoint(note, (pem,)).proved([other.certificate])
    with pytest.raises(NoteInvalid, match="not signed by"):
        SignedCheckpoint(note, (pem,)).proved([key.certificate], keys=[NoteKey.of(NAME, other)])
    with pytest.raises(NoteInvalid, match="timestamp is not genuine"):
        SignedCheckpoint(note, (pem,), b"0\x00").proved([key.certificate])
    with pytest.raises(NoteInvalid, match="cannot be read"):
        SignedCheckpoint(note, ("PEM",)).proved([key.certificate])
    elsewhere = sign("so.example.vn/khac\n3\n" + TEXT.split("\n")[2] + "\n", NAME, key)
    with pytest.raises(NoteInvalid, match="not signed by"):
        SignedCheckpoint(elsewhere, (pem,)).proved([key.certificate])
    for wrong in (
        None, 1, [], {}, {"note": 1, "certificates": [], "timestamp_token": None},
        {"note": note, "certificates": [1], "timestamp_token": None},
        {"note": note, "certificates": [pem] * 9, "timestamp_token": None},
        {"note": note, "certificates": None, "timestamp_token": None},
        {"note": note, "certificates": [], "timestamp_token": "!"},
    ):  # fmt: skip
        with pytest.raises(NoteInvalid):
            SignedCheckpoint.read(wrong)
