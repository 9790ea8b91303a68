"""`sign_each`: every C_Sign is announced, a digest that fails does not fail the others."""

from __future__ import annotations

import hashlib

import pytest

from hsm import _pkcs11
from hsm.errors import DeviceError, SignatureFault, TokenUnavailable
from tests.fixtures_token import make_key

DIGESTS = [hashlib.sha256(bytes([n])).digest() for n in range(6)]


class Book:
    """A witness that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.patience = 1000

    def intend(self, positions):
        self.told.append(tuple(positions))

    def calling(self, position):
        self.told.append(position)

    def failed(self, position, error):
        self.told.append((position, type(error).__name__))

    def may_go_on(self):
        self.patience -= 1
        return self.patience >= 0

    @property
    def announced(self):
        return sum(len(t) for t in self.told if isinstance(t, tuple) and type(t[-1]) is int)


@pytest.fixture
def own(own_softhsm):
    opened = own_softhsm.open()
    key = make_key(opened, "officer")
    own_softhsm.spy.calls.clear()
    return own_softhsm, opened, key


def answers(own, codes):
    """C_Sign answers with these codes, one after the other; 0 is the real thing."""
    left = list(codes)

    def fault(real, *arguments):
        code = left.pop(0) if left else 0
        return code or real(*arguments)

    own.spy.faults["C_Sign"] = fault


def test_one_word_for_all_when_nothing_fails(own):
    softhsm, _, key = own
    book = Book()
    results = key.sign_each(DIGESTS, book)
    assert all(isinstance(result, bytes) for result in results)
    assert book.told == [(0, 1, 2, 3, 4, 5), 0, 1, 2, 3, 4, 5]
    assert softhsm.spy.calls["C_Sign"] == book.announced == 6


def test_a_lost_token_costs_one_more_intent(own):
    softhsm, _, key = own
    answers(softhsm, [0, 0, 0x30])
    book = Book()
    assert all(isinstance(result, bytes) for result in key.sign_each(DIGESTS, book))
    assert book.told == [
        (0, 1, 2, 3, 4, 5), 0, 1, 2, (2, "TokenLost"), (2,), 2, 3, 4, 5,
    ]  # fmt: skip
    assert softhsm.spy.calls["C_Sign"] == book.announced == 7


def test_one_fault_of_the_device_is_one_digest_s(own):
    softhsm, _, key = own
    answers(softhsm, [0, 0x6, 0, 0x31])
    book = Book()
    results = key.sign_each(DIGESTS, book)
    assert [type(result).__name__ for result in results] == [
        "bytes", "DeviceError", "bytes", "DeviceError", "bytes", "bytes",
    ]  # fmt: skip
    assert results[1].code == "CKR_FUNCTION_FAILED"
    assert softhsm.spy.calls["C_Sign"] == book.announced == 6


def test_a_device_that_only_fails_is_not_asked_for_ever(own):
    softhsm, _, key = own
    softhsm.spy.faults["C_Sign"] = lambda *_: 0x6
    results = key.sign_each(DIGESTS, Book())
    assert all(isinstance(result, DeviceError) for result in results)
    assert softhsm.spy.calls["C_Sign"] == 3


def test_a_token_that_stays_away(own):
    softhsm, _, key = own
    softhsm.spy.faults["C_Sign"] = lambda *_: 0x32
    results = key.sign_each(DIGESTS, Book())
    assert all(isinstance(result, TokenUnavailable) for result in results)
    assert softhsm.spy.calls["C_Sign"] == 2


def test_a_flipped_bit_is_found(own):
    softhsm, _, key = own
    done = []

    def flip(real, session, data, length, signature, size):
        code = real(session, data, length, signature, size)
        if not done:
            done.append(1)
            signature[10] = bytes([signature[10][0] ^ 1])
        return code

    softhsm.spy.faults["C_Sign"] = flip
    results = key.sign_each(DIGESTS, Book())
    assert [isinstance(r, SignatureFault) for r in results] == [True] + [False] * 5


def test_no_word_no_signature(own):
    softhsm, _, key = own

    class Full(Book):
        def intend(self, positions):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        key.sign_each(DIGESTS, Full())
    assert softhsm.spy.calls["C_Sign"] == 0


def test_who_waits_no_longer_gets_no_more_signatures(own):
    softhsm, _, key = own
    book = Book()
    book.patience = 2
    results = key.sign_each(DIGESTS, book)
    assert [isinstance(r, bytes) for r in results] == [True, True] + [False] * 4
    assert all(isinstance(r, TokenUnavailable) for r in results[2:])
    assert softhsm.spy.calls["C_Sign"] == 2


def test_the_test_signature_is_witnessed_too(own):
    softhsm, opened, _ = own
    book = Book()
    seen = []

    def witness(scheme, digest):
        seen.append((scheme.value, len(digest)))
        return book

    opened.signing_key("officer", witness=witness)
    assert seen == [("ecdsa-sha256", 32)]
    assert softhsm.spy.calls["C_Sign"] == book.announced == 1


def test_a_hanging_call_and_a_lost_token(own, monkeypatch):
    """C_Finalize is not called under it; the others log in anew beside it."""
    monkeypatch.setattr(_pkcs11, "DRAIN_S", 0.05)
    softhsm, opened, key = own
    answers(softhsm, [0xB3])
    with opened._module.use():  # a call that does not return
        assert all(isinstance(r, bytes) for r in key.sign_each(DIGESTS, Book()))
        assert opened._module.generation == 2
        assert softhsm.spy.calls["C_Finalize"] == 0
    answers(softhsm, [0xB3])
    assert all(isinstance(r, bytes) for r in key.sign_each(DIGESTS, Book()))
    assert softhsm.spy.calls["C_Finalize"] == 1


def test_digests_of_another_length(own):
    softhsm, _, key = own
    with pytest.raises(ValueError, match="32 bytes"):
        key.sign_each([bytes(31)], Book())
    assert key.sign_each([], Book()) == []
    assert not softhsm.spy.calls["C_Sign"]
