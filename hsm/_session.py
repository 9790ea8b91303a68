"""What is done inside one PKCS#11 session, as typed calls: find, read, write, generate, sign."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Final

from hsm import _cryptoki as ck
from hsm._pkcs11 import Module

Value = bytes | bool | int | str
_BATCH: Final = 64  # handles fetched in one C_FindObjects


class Session:
    """A session handle of one generation. For one thread at a time; the pool sees to that."""

    __slots__ = ("_length", "_room", "generation", "handle", "module", "slot")

    def __init__(self, module: Module, slot: int, generation: int, *, writable: bool) -> None:
        handle = ck.CK_ULONG()
        flags = ck.CKF_SERIAL_SESSION | (ck.CKF_RW_SESSION if writable else 0)
        module.do("C_OpenSession", slot, flags, None, None, ctypes.byref(handle))
        self.module = module
        self.handle = handle.value
        self.slot = slot
        self.generation = generation
        self._room = ctypes.create_string_buffer(ck.SIGNATURE_ROOM)
        self._length = ck.CK_ULONG()

    def close(self) -> None:
        """Close it; what the token answers no longer matters. Does not log out (trap 2)."""
        self.module.call("C_CloseSession", self.handle)

    def find(self, template: Mapping[int, Value]) -> list[int]:
        """All objects that match. The search is consumed whole before it returns (trap 5)."""
        attributes = _Template(template)
        self.module.do("C_FindObjectsInit", self.handle, attributes.array, len(template))
        try:
            found: list[int] = []
            batch = (ck.CK_ULONG * _BATCH)()
            count = ck.CK_ULONG()
            while True:
                self.module.do("C_FindObjects", self.handle, batch, _BATCH, ctypes.byref(count))
                if count.value == 0:
                    return found
                found += batch[: count.value]
        finally:
            self.module.call("C_FindObjectsFinal", self.handle)

    def read(self, handle: int, attribute: int) -> bytes | None:
        """One attribute, or None when the object has none or keeps it secret."""
        cell = ck.Attribute(attribute, None, 0)
        code = self.module.call("C_GetAttributeValue", self.handle, handle, ctypes.byref(cell), 1)
        if code != ck.CKR_OK or cell.ulValueLen == ck.UNAVAILABLE:
            return None
        room = ctypes.create_string_buffer(max(1, cell.ulValueLen))
        cell.pValue = ctypes.cast(room, ctypes.c_void_p)
        self.module.do("C_GetAttributeValue", self.handle, handle, ctypes.byref(cell), 1)
        return room.raw[: cell.ulValueLen]

    def flag(self, handle: int, attribute: int) -> bool:
        """A CK_BBOOL attribute; False when absent."""
        return (self.read(handle, attribute) or b"\0") != b"\0"

    def number(self, handle: int, attribute: int) -> int | None:
        """A CK_ULONG attribute."""
        value = self.read(handle, attribute)
        return None if value is None else ck.CK_ULONG.from_buffer_copy(value).value

    def write(self, handle: int, template: Mapping[int, Value]) -> int:
        """C_SetAttributeValue; returns the CK_RV, because tokens refuse much of it."""
        attributes = _Template(template)
        return self.module.call(
            "C_SetAttributeValue", self.handle, handle, attributes.array, len(template)
        )

    def create(self, template: Mapping[int, Value]) -> int:
        """C_CreateObject; returns the handle."""
        attributes = _Template(template)
        handle = ck.CK_ULONG()
        self.module.do(
            "C_CreateObject", self.handle, attributes.array, len(template), ctypes.byref(handle)
        )
        return handle.value

    def destroy(self, handle: int) -> None:
        """C_DestroyObject."""
        self.module.do("C_DestroyObject", self.handle, handle)

    def generate_pair(
        self, mechanism: int, public: Mapping[int, Value], private: Mapping[int, Value]
    ) -> tuple[int, int]:
        """C_GenerateKeyPair; returns the handles of the public and the private key."""
        publics, privates = _Template(public), _Template(private)
        handles = ck.CK_ULONG(), ck.CK_ULONG()
        self.module.do(
            "C_GenerateKeyPair",
            self.handle,
            ctypes.byref(ck.Mechanism(mechanism, None, 0)),
            publics.array,
            len(public),
            privates.array,
            len(private),
            ctypes.byref(handles[0]),
            ctypes.byref(handles[1]),
        )
        return handles[0].value, handles[1].value

    def sign_init(self, mechanism: ck.Mechanism, key: int) -> None:
        """C_SignInit."""
        self.module.do("C_SignInit", self.handle, ctypes.byref(mechanism), key)

    def sign(self, data: bytes) -> bytes:
        """C_Sign in one part, after `sign_init`."""
        length = self._length
        length.value = ck.SIGNATURE_ROOM
        self.module.do("C_Sign", self.handle, data, len(data), self._room, ctypes.byref(length))
        return ctypes.string_at(self._room, length.value)


class _Template:
    """A CK_ATTRIBUTE array together with the memory that it points to."""

    def __init__(self, values: Mapping[int, Value]) -> None:
        self._kept = [_encoded(value) for value in values.values()]
        self.array = (ck.Attribute * len(values))(
            *(
                ck.Attribute(kind, ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p), len(value))
                for kind, value in zip(values, self._kept, strict=True)
            )
        )


def _encoded(value: Value) -> bytes:
    if isinstance(value, bool):
        return b"\1" if value else b"\0"
    if isinstance(value, int):
        return bytes(ck.CK_ULONG(value))
    return value.encode() if isinstance(value, str) else value
