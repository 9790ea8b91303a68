"""Raw C_SignInit and C_Sign: the floor that signing is measured against."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import cast

from hsm import _cryptoki as ck
from hsm._session import Session
from hsm._tokenkey import PrivateKey
from hsm.keys import SigningKey
from hsm.token import Token


def raw_signer(token: Token, key: SigningKey) -> Callable[[bytes], None]:
    """A function that has the token sign one digest, and does nothing besides.

    It holds one session of its own and resolved key handle: two foreign calls, no pool, no
    verification, no encoding. For one thread. `key` comes from ``token.signing_key``.
    """
    private = cast(PrivateKey, key)
    recipe = private._recipe
    handle = token.in_session(lambda session: token.find_key(session, private.ref).handle)
    kept = token.in_session(lambda s: Session(s.module, s.slot, s.generation, writable=False))
    session = kept.handle
    functions = kept.module.functions
    sign_init, sign = functions["C_SignInit"], functions["C_Sign"]
    room = ctypes.create_string_buffer(ck.SIGNATURE_ROOM)
    length = ck.CK_ULONG()
    mechanism, length_ref = ctypes.byref(recipe.mechanism), ctypes.byref(length)

    def raw(digest: bytes) -> None:
        payload = recipe.payload(digest)
        length.value = ck.SIGNATURE_ROOM
        failed = sign_init(session, mechanism, handle) or sign(
            session, payload, len(payload), room, length_ref
        )
        if failed:
            raise RuntimeError(ck.name_of(failed))

    return raw
