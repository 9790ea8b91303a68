"""Each trap of PKCS#11 that was met in practice, with the test that we do not fall into it."""

from __future__ import annotations

import concurrent.futures
import ctypes
import hashlib
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from hsm import _cryptoki as ck
from hsm import _session, provision, token
from hsm.errors import (
    HSMError,
    KeyMismatch,
    KeyNotFound,
    ModuleError,
    PinError,
    SchemeNotSupported,
    SignatureFault,
    TokenUnavailable,
)
from hsm.keys import KeyRef, SignatureScheme
from tests.fixtures_token import PIN, TOKEN_LABEL, CertificateMaker, make_key

DIGEST = hashlib.sha256(b"a decision").digest()


def verify(certificate, signature: bytes, digest: bytes) -> None:
    certificate.public_key().verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


# trap 1: a module that was not told to lock crashes under threads


def test_trap_1_the_module_is_told_to_lock(own_softhsm):
    opened = own_softhsm.open()
    seen = []

    def initialise(real, arguments):
        seen.append(ctypes.cast(arguments, ctypes.POINTER(ck.InitializeArgs)).contents.flags)
        return real(arguments)

    own_softhsm.spy.faults["C_Initialize"] = initialise
    opened._module.reinitialise(1)
    assert seen == [ck.CKF_OS_LOCKING_OK]


def test_trap_1_sixty_four_threads_sign_without_one_error(softhsm_token, seal_key):
    def work(number: int) -> None:
        for turn in range(20):
            digest = hashlib.sha256(f"{number}/{turn}".encode()).digest()
            (signature,) = seal_key.sign_digests([digest])
            verify(seal_key.certificate, signature, digest)

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        for done in [pool.submit(work, number) for number in range(64)]:
            done.result()


# trap 2: closing a session that was opened with a PIN logs the whole process out


def test_trap_2_one_login_and_no_session_ends_it(own_softhsm):
    opened = own_softhsm.open()
    key = make_key(opened, "officer")
    before = own_softhsm.spy.calls["C_CloseSession"]
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            opened.in_session(lambda session: 1 // 0)
        verify(key.certificate, *key.sign_digests([DIGEST]), DIGEST)
    assert own_softhsm.spy.calls["C_CloseSession"] >= before + 3
    assert own_softhsm.spy.calls["C_Login"] == 1
    assert own_softhsm.spy.calls["C_Logout"] == 0


# trap 3: C_Login answers "already logged in" to a wrong PIN; tokens lock after a few


def test_trap_3_a_wrong_pin_reaches_the_token_once_then_is_latched(own_softhsm):
    for pin in ("00000000", "00000000", PIN):
        with pytest.raises(PinError, match="will not be tried again"):
            own_softhsm.open(pin)
    assert own_softhsm.spy.calls["C_Login"] == 1


def test_trap_3_racing_threads_try_a_wrong_pin_once(own_softhsm):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(own_softhsm.open, "00000000") for _ in range(8)]
        assert all(isinstance(done.exception(), PinError) for done in tries)
    assert own_softhsm.spy.calls["C_Login"] == 1


def test_trap_3_a_second_open_with_a_wrong_pin_is_noticed(own_softhsm):
    first = own_softhsm.open()
    with pytest.raises(PinError, match="another PIN"):
        own_softhsm.open("00000000")
    second = own_softhsm.open(lambda: PIN)
    assert own_softhsm.spy.calls["C_Login"] == 1
    first.check_health()
    second.check_health()


def test_trap_3_a_login_of_other_code_is_not_taken_for_ours(own_softhsm):
    own_softhsm.spy.faults["C_Login"] = lambda *_: ck.CKR_USER_ALREADY_LOGGED_IN
    with pytest.raises(HSMError, match="process of its own"):
        own_softhsm.open()


@pytest.mark.parametrize("flag", [ck.CKF_USER_PIN_LOCKED, ck.CKF_USER_PIN_FINAL_TRY])
def test_trap_3_the_last_try_is_never_used(own_softhsm, flag):
    def info(real, slot, cell):
        code = real(slot, cell)
        ctypes.cast(cell, ctypes.POINTER(ck.TokenInfo)).contents.flags |= flag
        return code

    own_softhsm.spy.faults["C_GetTokenInfo"] = info
    with pytest.raises(PinError, match="not tried"):
        own_softhsm.open()
    assert own_softhsm.spy.calls["C_Login"] == 0


# trap 4: after a token was removed only re-initialising the module helps


def test_trap_4_token_removed_and_back(own_softhsm, monkeypatch):
    monkeypatch.setattr(token, "RECOVERY_PAUSE_S", 0.2)
    opened = own_softhsm.open()
    key = make_key(opened, "officer")
    started = own_softhsm.spy.calls["C_Initialize"]

    own_softhsm.unplug()
    with pytest.raises(TokenUnavailable, match="plug it in") as failure:
        key.sign_digests([DIGEST])
    assert type(failure.value) is TokenUnavailable
    assert own_softhsm.spy.calls["C_Initialize"] == started + 1
    with pytest.raises(TokenUnavailable, match="next try"):
        key.sign_digests([DIGEST])
    assert own_softhsm.spy.calls["C_Initialize"] == started + 1

    own_softhsm.plug_in()
    threading.Event().wait(0.25)
    verify(key.certificate, *key.sign_digests([DIGEST]), DIGEST)
    assert own_softhsm.spy.calls["C_Initialize"] == started + 2
    assert own_softhsm.spy.calls["C_Login"] == 2


def test_trap_4_many_threads_share_one_reinitialisation(own_softhsm):
    opened = own_softhsm.open()
    key = make_key(opened, "officer")
    together = threading.Barrier(16)
    waiting = threading.local()

    def lose(real, session, *arguments):
        if opened._module.generation == 1 and not getattr(waiting, "done", False):
            waiting.done = True
            together.wait(10)
        if opened._module.generation == 1:
            return 0x32  # CKR_DEVICE_REMOVED
        return real(session, *arguments)

    own_softhsm.spy.faults["C_SignInit"] = lose
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(key.sign_digests, [DIGEST]) for _ in range(16)]:
            verify(key.certificate, *done.result(), DIGEST)
    assert opened._module.generation == 2
    assert own_softhsm.spy.calls["C_Finalize"] == 1


def test_trap_4_a_vanished_token_is_not_taken_for_a_missing_key(own_softhsm):
    opened = own_softhsm.open()
    make_key(opened, "officer")
    opened._module.reinitialise(1)  # an epoch that begins with a key
    opened.check_health()
    own_softhsm.unplug()
    with pytest.raises(TokenUnavailable):
        opened.signing_key("officer")


def test_trap_4_a_missing_key_does_not_disturb_the_token(own_softhsm):
    opened = own_softhsm.open()
    with pytest.raises(KeyNotFound):
        opened.signing_key("nobody")
    make_key(opened, "officer")
    with pytest.raises(KeyNotFound, match="sohoa keys list"):
        opened.signing_key("nobody")
    assert own_softhsm.spy.calls["C_Finalize"] == 0


# trap 5: a search left half-way blocks the session


def test_trap_5_a_search_is_consumed_whole(own_softhsm, monkeypatch):
    monkeypatch.setattr(_session, "_BATCH", 4)
    opened = own_softhsm.open()

    def fill(session):
        for number in range(9):  # more than one C_FindObjects gives
            session.create(provision._certificate_template(maker.certificate, f"c{number}", b"\7"))

    maker = CertificateMaker()
    opened.in_session(fill, writable=True)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        template = {ck.CKA_CLASS: ck.CKO_CERTIFICATE}
        found = [
            pool.submit(opened.in_session, lambda session: session.find(template)) for _ in range(8)
        ]
        assert {len(done.result()) for done in found} == {9}
    calls = own_softhsm.spy.calls
    assert calls["C_FindObjectsFinal"] == calls["C_FindObjectsInit"]


def test_trap_5_a_search_that_fails_is_ended(own_softhsm):
    opened = own_softhsm.open()
    own_softhsm.spy.faults["C_FindObjects"] = lambda *_: 0x6  # CKR_FUNCTION_FAILED
    with pytest.raises(HSMError, match="CKR_FUNCTION_FAILED"):
        opened.check_health()
    calls = own_softhsm.spy.calls
    assert calls["C_FindObjectsFinal"] == calls["C_FindObjectsInit"]
    del own_softhsm.spy.faults["C_FindObjects"]
    opened.check_health()


# trap 6: forked processes, and processes that start together


def test_trap_6_twelve_processes_open_the_token_together(own_softhsm):
    key = make_key(own_softhsm.open(), "officer")
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hsm.token import Token\n"
        f"token = Token.open(Path(sys.argv[1]), {TOKEN_LABEL!r}, sys.stdin.readline)\n"
        "key = token.signing_key('officer')\n"
        f"print(key.sign_digests([bytes.fromhex({DIGEST.hex()!r})])[0].hex())\n"
    )
    root = Path(__file__).parents[3]
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, os.fspath(own_softhsm.module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=root,
        )
        for _ in range(12)
    ]
    for child in children:
        child.stdin.write(PIN.encode())
        child.stdin.close()
    for child in children:
        printed = child.stdout.read()
        child.stdout.close()
        assert child.wait(120) == 0
        verify(key.certificate, bytes.fromhex(printed.decode()), DIGEST)


def test_trap_6_a_forked_child_is_refused(softhsm_token, monkeypatch):
    child = os.fork()
    if child == 0:
        try:
            softhsm_token.check_health()
        except ModuleError:
            os._exit(42)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
    monkeypatch.setattr(softhsm_token._module, "_pid", -1)
    with pytest.raises(ModuleError, match="spawn"):
        softhsm_token.check_health()


def test_trap_6_neither_token_nor_pin_can_be_sent_to_another_process(softhsm_token):
    with pytest.raises(HSMError, match="open it in each process"):
        pickle.dumps(softhsm_token)
    with pytest.raises(TypeError, match="PIN is not handed"):
        pickle.dumps(softhsm_token.pin)


# trap 7: a certificate that does not match its key signs without an error


def test_trap_7_a_foreign_certificate_is_refused_when_the_key_is_loaded(softhsm_token, seal_key):
    foreign = CertificateMaker().certificate
    with pytest.raises(KeyMismatch, match="does not belong"):
        softhsm_token.signing_key("seal", certificate=foreign)


def test_trap_7_a_stored_certificate_of_another_key_is_refused(softhsm_token, test_ca):
    info = provision.create(softhsm_token, "mismatched", provision.KeyKind.P_256)
    softhsm_token.in_session(
        lambda session: session.create(
            provision._certificate_template(test_ca.certificate, "mismatched", info.ref.id)
        ),
        writable=True,
    )
    with pytest.raises(KeyMismatch, match="does not belong"):
        softhsm_token.signing_key("mismatched")


def test_trap_7_the_test_signature_finds_it_when_the_token_hides_the_public_key(own_softhsm):
    opened = own_softhsm.open()
    make_key(opened, "officer")

    def no_points(real, session, handle, cell, count):
        wanted = ctypes.cast(cell, ctypes.POINTER(ck.Attribute)).contents.type
        return 0x12 if wanted == ck.CKA_EC_POINT else real(session, handle, cell, count)

    own_softhsm.spy.faults["C_GetAttributeValue"] = no_points
    opened.signing_key("officer")
    with pytest.raises(KeyMismatch):
        opened.signing_key("officer", certificate=CertificateMaker().certificate)
    with pytest.raises(KeyNotFound, match="public half"):
        opened.private_key("officer")


def test_trap_7_a_bit_flipped_by_the_token_is_caught(own_softhsm):
    key = make_key(own_softhsm.open(), "officer")

    def flip(real, session, data, size, room, length):
        code = real(session, data, size, room, length)
        ctypes.cast(room, ctypes.POINTER(ctypes.c_ubyte))[5] ^= 1
        return code

    own_softhsm.spy.faults["C_Sign"] = flip
    with pytest.raises(SignatureFault, match="nothing was released"):
        key.sign_digests([DIGEST, DIGEST])


# trap 8: mechanisms by C_GetMechanismList, the digest computed outside


@pytest.fixture
def without_pkcs1(own_softhsm):
    """A token whose list has no CKM_RSA_PKCS and no CKM_ECDSA."""

    def shorten(real, slot, codes, count):
        code = real(slot, codes, count)
        if codes:
            length = ctypes.cast(count, ctypes.POINTER(ck.CK_ULONG)).contents.value
            cells = ctypes.cast(codes, ctypes.POINTER(ck.CK_ULONG))
            for place in range(length):
                if cells[place] in (ck.CKM_RSA_PKCS, ck.CKM_ECDSA):
                    cells[place] = ck.CKM_SHA256
        return code

    own_softhsm.spy.faults["C_GetMechanismList"] = shorten
    return own_softhsm.open()


def test_trap_8_pss_where_there_is_no_pkcs1(without_pkcs1):
    key = make_key(without_pkcs1, "officer", "rsa-2048")
    assert key.scheme is SignatureScheme.RSA_PSS_SHA256
    assert len(key.sign_digests([DIGEST])[0]) == 256


def test_trap_8_a_scheme_without_its_mechanism_is_refused(without_pkcs1):
    make_key(without_pkcs1, "officer", "rsa-2048")
    with pytest.raises(SchemeNotSupported, match="CKM_RSA_PKCS"):
        without_pkcs1.signing_key("officer", SignatureScheme.RSA_PKCS1_SHA256)
    with pytest.raises(SchemeNotSupported, match="CKM_ECDSA"):
        make_key(without_pkcs1, "seal", "p-256")


def test_trap_8_only_mechanisms_that_take_a_digest_are_used(own_softhsm):
    opened = own_softhsm.open()
    used = []

    def note(real, session, mechanism, key):
        used.append(ctypes.cast(mechanism, ctypes.POINTER(ck.Mechanism)).contents.mechanism)
        return real(session, mechanism, key)

    own_softhsm.spy.faults["C_SignInit"] = note
    make_key(opened, "officer", "rsa-2048")
    opened.signing_key("officer", SignatureScheme.RSA_PSS_SHA512)
    make_key(opened, "seal", "p-384")
    assert set(used) == {ck.CKM_RSA_PKCS, ck.CKM_RSA_PKCS_PSS, ck.CKM_ECDSA}


# handles are cached: a look-up is linear in the number of objects


def test_a_signature_takes_two_calls(own_softhsm):
    key = make_key(own_softhsm.open(), "officer")
    own_softhsm.spy.calls.clear()
    key.sign_digests([DIGEST] * 5)
    assert own_softhsm.spy.calls == {"C_SignInit": 5, "C_Sign": 5}


def test_a_label_that_names_two_keys_is_refused(own_softhsm):
    opened = own_softhsm.open()
    ids = []
    for number in range(2):
        info = provision.create(opened, f"k{number}", provision.KeyKind.P_256)
        ids.append(info.ref.id)

    def rename(session):
        for handle in session.find({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY}):
            assert session.write(handle, {ck.CKA_LABEL: "twin"}) == ck.CKR_OK

    opened.in_session(rename, writable=True)
    with pytest.raises(KeyNotFound, match="add the id"):
        opened.private_key("twin")
    assert opened.private_key(KeyRef(object="twin", id=ids[1])).label == "twin"
