"""`Token`: opening, faults of the device, limits, secrecy of the PIN."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, utils

from hsm import _cryptoki as ck
from hsm import provision, softhsm, token
from hsm._login import PinSource
from hsm._schemes import check_key
from hsm.errors import (
    DeviceError,
    HSMError,
    KeyMismatch,
    KeyNotFound,
    KeyRefInvalid,
    ModuleError,
    PinError,
    SchemeNotSupported,
    TokenUnavailable,
)
from hsm.keys import KeyRef, SignatureScheme
from hsm.token import Token
from tests.fixtures_token import PIN, TOKEN_LABEL, make_key

DIGEST = hashlib.sha256(b"a decision").digest()
LOST = {0x3, 0x5, 0x30, 0x32, 0x60, 0x82, 0xB0, 0xB3, 0xE0, 0xE1, 0x101, 0x190}


def test_it_says_what_it_is(softhsm_token):
    assert softhsm_token.label == TOKEN_LABEL
    assert softhsm_token.manufacturer == "SoftHSM project"
    assert softhsm_token.is_hardware is False
    assert TOKEN_LABEL in repr(softhsm_token)


def test_a_label_that_no_token_has(own_softhsm):
    with pytest.raises(TokenUnavailable, match=r"present: .*sohoa-test.*correct the label"):
        Token.open(own_softhsm.module, "other", PIN)


def test_no_module_at_the_path(tmp_path):
    with pytest.raises(ModuleError, match="path of the vendor"):
        Token.open(tmp_path / "none.so", "a", PIN)


def test_keys_are_named_by_label_uri_or_reference(softhsm_token, seal_key):
    by_uri = softhsm_token.signing_key(f"pkcs11:token={TOKEN_LABEL};object=seal;type=private")
    by_ref = softhsm_token.signing_key(KeyRef(object="seal", manufacturer="SoftHSM project"))
    assert by_uri.certificate == by_ref.certificate == seal_key.certificate
    assert "seal" in repr(by_uri)


@pytest.mark.parametrize(
    ("ref", "error", "said"),
    [
        ("nobody", KeyNotFound, "sohoa keys list"),
        ("pkcs11:token=other;object=seal", KeyNotFound, "open that token"),
        ("pkcs11:serial=1;object=seal", KeyNotFound, "open that token"),
        ("pkcs11:object=seal;type=public", KeyNotFound, "type=private"),
        ("pkcs11:object=seal?pin-value=1", KeyRefInvalid, "process lists"),
    ],
)
def test_references_that_do_not_fit(softhsm_token, seal_key, ref, error, said):
    with pytest.raises(error, match=said):
        softhsm_token.signing_key(ref)


def test_certificate_and_chain_can_be_given(softhsm_token, seal_key):
    key = softhsm_token.signing_key("seal", certificate=seal_key.certificate, chain=[])
    assert key.chain == ()
    assert key.certificate == seal_key.certificate


def test_a_key_without_certificate(softhsm_token):
    provision.create(softhsm_token, "bare", provision.KeyKind.P_256)
    with pytest.raises(KeyNotFound, match="sohoa keys import"):
        softhsm_token.signing_key("bare")


def test_health(softhsm_token, seal_key, officer_key):
    softhsm_token.check_health()
    softhsm_token.check_health(seal_key)
    softhsm_token.check_health(officer_key)


@pytest.mark.parametrize("code", sorted(ck.CKR_NAMES))
def test_each_return_code_of_c_sign_is_bounded(own_softhsm_key, code):
    """At most one re-initialisation and one more try, then an `HSMError`; and it recovers."""
    own, opened, key = own_softhsm_key
    opened._down_until = 0.0
    tries = []

    def fail(real, *arguments):
        tries.append(code)
        return code

    before = own.spy.calls["C_Initialize"]
    own.spy.faults["C_Sign"] = fail
    with pytest.raises(HSMError) as failure:
        key.sign_digests([DIGEST, DIGEST])
    assert ck.name_of(code) in str(failure.value)
    assert len(tries) == (2 if code in LOST else 1)
    assert own.spy.calls["C_Initialize"] - before == (1 if code in LOST else 0)
    del own.spy.faults["C_Sign"]
    opened._down_until = 0.0
    assert len(key.sign_digests([DIGEST])) == 1


@pytest.fixture(scope="module")
def own_softhsm_key(softhsm_folder, tmp_path_factory):
    """One SoftHSM of its own for all return codes (after the session's has been set up)."""
    from hsm import softhsm
    from tests.fixtures_token import OwnSoftHSM

    with pytest.MonkeyPatch.context() as patch:
        own = OwnSoftHSM(tmp_path_factory.mktemp("own"))
        patch.setattr(softhsm, "module_path", lambda: own.module)
        patch.setenv(softhsm.VARIABLE, str(own.folder / "softhsm2.conf"))
        own.start()
        opened = own.open()
        yield own, opened, make_key(opened, "officer")


def test_one_transient_loss_is_not_noticed_by_the_caller(own_softhsm):
    opened = own_softhsm.open()
    key = make_key(opened, "officer")
    answers = [0x30]

    def once(real, *arguments):
        return answers.pop() if answers else real(*arguments)

    own_softhsm.spy.faults["C_Sign"] = once
    assert len(key.sign_digests([DIGEST, DIGEST])) == 2
    assert opened._module.generation == 2


def test_a_module_that_does_not_come_back(own_softhsm, monkeypatch):
    opened = own_softhsm.open()
    key = make_key(opened, "officer")
    own_softhsm.spy.faults["C_Sign"] = lambda *_: 0x30
    own_softhsm.spy.faults["C_Initialize"] = lambda *_: 0x5
    with pytest.raises(TokenUnavailable, match="cannot be initialised"):
        key.sign_digests([DIGEST])
    own_softhsm.spy.faults.clear()
    opened._down_until = 0.0
    assert len(key.sign_digests([DIGEST])) == 1


def test_no_free_session(own_softhsm, monkeypatch):
    monkeypatch.setattr(token, "WAIT_S", 0.05)
    opened = own_softhsm.open(max_sessions=1)
    held, release = threading.Event(), threading.Event()

    def hold(session) -> None:
        held.set()
        release.wait(5)

    holder = threading.Thread(target=opened.in_session, args=(hold,))
    holder.start()
    held.wait(5)
    with pytest.raises(TokenUnavailable, match="overloaded"):
        opened.check_health()
    release.set()
    holder.join()
    opened.check_health()


@pytest.mark.parametrize(("allowed", "used"), [(5, 3), (1, 1), (0, 32), (ck.UNAVAILABLE, 32)])
def test_the_token_s_own_limit_of_sessions_is_kept(own_softhsm, allowed, used):
    def info(real, slot, cell):
        code = real(slot, cell)
        ctypes.cast(cell, ctypes.POINTER(ck.TokenInfo)).contents.ulMaxSessionCount = allowed
        return code

    own_softhsm.spy.faults["C_GetTokenInfo"] = info
    assert own_softhsm.open()._max_sessions == used


def test_a_slot_whose_token_was_pulled_meanwhile_is_passed_over(own_softhsm):
    opened = own_softhsm.open()
    own_softhsm.spy.faults["C_GetTokenInfo"] = lambda *_: 0xE0
    assert token.slots(opened._module) == []


@pytest.mark.parametrize(
    ("flags", "maker", "hardware"),
    [
        (ck.CKF_HW_SLOT, b"Vendor of smart cards", True),
        (ck.CKF_HW_SLOT, b"IBM SW   TPM", False),
        (0, b"Vendor of smart cards", False),
    ],
)
def test_hardware_is_believed_only_of_what_is_not_known_as_software(
    own_softhsm, flags, maker, hardware
):
    def blank(field) -> None:
        ctypes.memset(field, 0x20, len(field))

    def slot_info(real, slot, cell):
        info = ctypes.cast(cell, ctypes.POINTER(ck.SlotInfo)).contents
        blank(info.slotDescription)
        blank(info.manufacturerID)
        info.flags = flags
        return 0

    def library_info(real, cell):
        info = ctypes.cast(cell, ctypes.POINTER(ck.Info)).contents
        blank(info.manufacturerID)
        blank(info.libraryDescription)
        return 0

    def token_info(real, slot, cell):
        code = real(slot, cell)
        info = ctypes.cast(cell, ctypes.POINTER(ck.TokenInfo)).contents
        blank(info.model)
        ctypes.memmove(info.manufacturerID, maker.ljust(32), 32)
        return code

    own_softhsm.spy.faults |= {
        "C_GetSlotInfo": slot_info,
        "C_GetInfo": library_info,
        "C_GetTokenInfo": token_info,
    }
    assert own_softhsm.open().is_hardware is hardware


# a key that wants the PIN for each signature (CKA_ALWAYS_AUTHENTICATE)


@pytest.fixture
def careful_key(own_softhsm, monkeypatch):
    original = provision._templates

    def careful(*arguments):
        public, private = original(*arguments)
        return public, private | {ck.CKA_ALWAYS_AUTHENTICATE: True}

    monkeypatch.setattr(provision, "_templates", careful)
    opened = own_softhsm.open()
    provision.create(opened, "careful", provision.KeyKind.P_256)
    return opened.private_key("careful")


def test_a_key_that_wants_the_pin_each_time(own_softhsm, careful_key):
    own_softhsm.spy.calls.clear()
    assert len(careful_key.sign_digests([DIGEST] * 3)) == 3
    assert own_softhsm.spy.calls["C_Login"] == 3


def test_a_pin_refused_at_the_signature_is_latched_too(own_softhsm, careful_key):
    own_softhsm.spy.faults["C_Login"] = lambda *_: ck.CKR_PIN_INCORRECT
    own_softhsm.spy.calls.clear()
    for _ in range(3):
        with pytest.raises(PinError):
            careful_key.sign_digests([DIGEST])
    assert own_softhsm.spy.calls["C_Login"] == 1


def test_a_login_that_fails_for_another_reason_is_not_latched(own_softhsm):
    own_softhsm.spy.faults["C_Login"] = lambda *_: 0x6
    with pytest.raises(DeviceError):
        own_softhsm.open()
    own_softhsm.spy.faults.clear()
    own_softhsm.open()


# secrecy of the PIN

SECRET = "58203947"


@pytest.mark.parametrize("pin", [SECRET, lambda: SECRET], ids=["text", "callable"])
def test_the_pin_is_in_no_traceback_repr_or_log(own_softhsm, caplog, pin):
    caplog.set_level(logging.DEBUG)
    try:
        own_softhsm.open(pin)
    except PinError:
        kind, error, trace = sys.exc_info()
        frames = [
            frame
            for frame in traceback.TracebackException(kind, error, trace, capture_locals=True).stack
            if Path(frame.filename).parent == Path(token.__file__).parent
        ]
        assert len(frames) >= 4
        assert SECRET not in "".join(f"{frame.line} {frame.locals}" for frame in frames)
        assert SECRET not in str(error)
    assert SECRET not in caplog.text
    assert SECRET not in repr(PinSource(pin))
    assert own_softhsm.spy.calls["C_Login"] == 1


def test_the_pins_of_a_new_token_are_in_no_traceback(own_softhsm):
    own_softhsm.spy.faults["C_InitPIN"] = lambda *_: ck.CKR_PIN_INCORRECT
    with pytest.raises(PinError) as failure:
        softhsm.create_token(own_softhsm.folder, "second", SECRET, SECRET + "0")
    error = failure.value
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [f for f in shown.stack if Path(f.filename).parent == Path(token.__file__).parent]
    assert len(frames) >= 3
    assert SECRET not in "".join(f"{frame.line} {frame.locals}" for frame in frames)


def test_making_and_opening_a_token_runs_no_program(tmp_path):
    """A PIN on a command line can be read by every user; so no program gets one."""
    script = (
        "import sys\n"
        "def refuse(event, _):\n"
        "    if event in ('subprocess.Popen', 'os.exec', 'os.system', 'os.posix_spawn'):\n"
        "        raise SystemExit(event)\n"
        "from hsm import softhsm\n"
        "from hsm.token import Token\n"
        "from pathlib import Path\n"
        "sys.addaudithook(refuse)\n"
        f"module = softhsm.create_token(Path({str(tmp_path)!r}), 'a', {PIN!r}, '64827193')\n"
        f"print(Token.open(module, 'a', lambda: {PIN!r}).label)\n"
    )
    root = Path(token.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-"], input=script, capture_output=True, text=True, cwd=root
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a\n", "")


# schemes


@pytest.mark.parametrize("scheme", SignatureScheme)
def test_every_scheme_signs_or_says_why_not(softhsm_token, officer_key, seal_key, scheme):
    label, other = ("seal", "officer") if scheme.family == "ecdsa" else ("officer", "seal")
    key = softhsm_token.signing_key(label, scheme)
    digest = hashlib.new(scheme.digest_name, b"x").digest()
    (signature,) = key.sign_digests([digest])
    if scheme.family == "ecdsa":
        r, s = utils.decode_dss_signature(signature)
        assert 0 < r < 2**256
        assert 0 < s < 2**256
    with pytest.raises(SchemeNotSupported, match="does not fit"):
        softhsm_token.signing_key(other, scheme)


def test_a_digest_of_the_wrong_length_is_refused_before_anything_is_signed(own_softhsm):
    key = make_key(own_softhsm.open(), "officer")
    own_softhsm.spy.calls.clear()
    with pytest.raises(ValueError, match="32 bytes"):
        key.sign_digests([DIGEST, b"short"])
    assert own_softhsm.spy.calls["C_SignInit"] == 0


def test_p_384_signs_with_sha_384_by_default(softhsm_token, test_ca):
    key = make_key(softhsm_token, "p384", "p-384", ca=test_ca)
    assert key.scheme is SignatureScheme.ECDSA_SHA384
    assert isinstance(key.certificate, x509.Certificate)


def test_rsa_keys_that_are_too_short_are_refused(own_softhsm, monkeypatch):
    opened = own_softhsm.open()
    original = provision._templates

    def short(*arguments):
        public, private = original(*arguments)
        return public | {ck.CKA_MODULUS_BITS: 1024}, private

    monkeypatch.setattr(provision, "_templates", short)
    assert provision.create(opened, "short", provision.KeyKind.RSA_2048).kind == "rsa-1024"
    with pytest.raises(SchemeNotSupported, match="at least 2048"):
        opened.private_key("short")


def test_certificates_of_other_algorithms_are_refused(softhsm_token, seal_key, test_ca):
    foreign = test_ca.issue(ed25519.Ed25519PrivateKey.generate().public_key(), "ed25519")
    with pytest.raises(KeyMismatch):
        softhsm_token.signing_key("seal", certificate=foreign)
    with pytest.raises(SchemeNotSupported, match="P-256 and P-384"):
        check_key(foreign.public_key())


def test_other_curves_are_not_read(own_softhsm, monkeypatch):
    opened = own_softhsm.open()
    original = provision._templates

    def p521(*arguments):
        public, private = original(*arguments)
        return public | {ck.CKA_EC_PARAMS: bytes.fromhex("06052b81040023")}, private

    monkeypatch.setattr(provision, "_templates", p521)
    assert provision.create(opened, "p521", provision.KeyKind.P_384).kind == "unknown"
    with pytest.raises(KeyNotFound, match="sohoa keys create"):
        opened.private_key("p521")
