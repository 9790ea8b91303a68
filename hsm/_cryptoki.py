"""The C side of PKCS#11 (OASIS PKCS #11 v2.40 and v3.0): layouts, prototypes, names.

Only declarations. Layouts are those of Linux, where CK_ULONG is ``unsigned long`` and no
structure is packed. `hsm._pkcs11` and `hsm._session` are the only users.
"""

from __future__ import annotations

import ctypes
from typing import Final

CK_ULONG = ctypes.c_ulong
UNAVAILABLE: Final = CK_ULONG(-1).value  # CK_UNAVAILABLE_INFORMATION
SIGNATURE_ROOM: Final = 2048  # bytes; more than the signature of any key that policy allows


class Version(ctypes.Structure):
    """CK_VERSION."""

    _fields_ = (("major", ctypes.c_ubyte), ("minor", ctypes.c_ubyte))


class InitializeArgs(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS, with one more pointer at its end.

    NSS reads its parameter string where the standard has pReserved, and then one pointer
    further; the last field keeps that read inside the structure.
    """

    _fields_ = (
        ("CreateMutex", ctypes.c_void_p),
        ("DestroyMutex", ctypes.c_void_p),
        ("LockMutex", ctypes.c_void_p),
        ("UnlockMutex", ctypes.c_void_p),
        ("flags", CK_ULONG),
        ("pReserved", ctypes.c_char_p),
        ("nss_reserved", ctypes.c_void_p),
    )


class Info(ctypes.Structure):
    """CK_INFO."""

    _fields_ = (
        ("cryptokiVersion", Version),
        ("manufacturerID", ctypes.c_ubyte * 32),
        ("flags", CK_ULONG),
        ("libraryDescription", ctypes.c_ubyte * 32),
        ("libraryVersion", Version),
    )


class SlotInfo(ctypes.Structure):
    """CK_SLOT_INFO."""

    _fields_ = (
        ("slotDescription", ctypes.c_ubyte * 64),
        ("manufacturerID", ctypes.c_ubyte * 32),
        ("flags", CK_ULONG),
        ("hardwareVersion", Version),
        ("firmwareVersion", Version),
    )


class TokenInfo(ctypes.Structure):
    """CK_TOKEN_INFO."""

    _fields_ = (
        ("label", ctypes.c_ubyte * 32),
        ("manufacturerID", ctypes.c_ubyte * 32),
        ("model", ctypes.c_ubyte * 16),
        ("serialNumber", ctypes.c_ubyte * 16),
        ("flags", CK_ULONG),
        ("ulMaxSessionCount", CK_ULONG),
        ("ulSessionCount", CK_ULONG),
        ("ulMaxRwSessionCount", CK_ULONG),
        ("ulRwSessionCount", CK_ULONG),
        ("ulMaxPinLen", CK_ULONG),
        ("ulMinPinLen", CK_ULONG),
        ("ulTotalPublicMemory", CK_ULONG),
        ("ulFreePublicMemory", CK_ULONG),
        ("ulTotalPrivateMemory", CK_ULONG),
        ("ulFreePrivateMemory", CK_ULONG),
        ("hardwareVersion", Version),
        ("firmwareVersion", Version),
        ("utcTime", ctypes.c_ubyte * 16),
    )


class Attribute(ctypes.Structure):
    """CK_ATTRIBUTE."""

    _fields_ = (("type", CK_ULONG), ("pValue", ctypes.c_void_p), ("ulValueLen", CK_ULONG))


class Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    _fields_ = (("mechanism", CK_ULONG), ("pParameter", ctypes.c_void_p), ("ulLen", CK_ULONG))


class PssParams(ctypes.Structure):
    """CK_RSA_PKCS_PSS_PARAMS."""

    _fields_ = (("hashAlg", CK_ULONG), ("mgf", CK_ULONG), ("sLen", CK_ULONG))


_P = ctypes.c_void_p
_PROTOTYPES: Final[dict[str, tuple[type, ...]]] = {
    "C_Initialize": (_P,),
    "C_Finalize": (_P,),
    "C_GetInfo": (_P,),
    "C_GetSlotList": (ctypes.c_ubyte, _P, _P),
    "C_GetSlotInfo": (CK_ULONG, _P),
    "C_GetTokenInfo": (CK_ULONG, _P),
    "C_GetMechanismList": (CK_ULONG, _P, _P),
    "C_InitToken": (CK_ULONG, _P, CK_ULONG, _P),
    "C_InitPIN": (CK_ULONG, _P, CK_ULONG),
    "C_OpenSession": (CK_ULONG, CK_ULONG, _P, _P, _P),
    "C_CloseSession": (CK_ULONG,),
    "C_Login": (CK_ULONG, CK_ULONG, _P, CK_ULONG),
    "C_Logout": (CK_ULONG,),
    "C_CreateObject": (CK_ULONG, _P, CK_ULONG, _P),
    "C_DestroyObject": (CK_ULONG, CK_ULONG),
    "C_GetAttributeValue": (CK_ULONG, CK_ULONG, _P, CK_ULONG),
    "C_SetAttributeValue": (CK_ULONG, CK_ULONG, _P, CK_ULONG),
    "C_FindObjectsInit": (CK_ULONG, _P, CK_ULONG),
    "C_FindObjects": (CK_ULONG, _P, CK_ULONG, _P),
    "C_FindObjectsFinal": (CK_ULONG,),
    "C_SignInit": (CK_ULONG, _P, CK_ULONG),
    "C_Sign": (CK_ULONG, _P, CK_ULONG, _P, _P),
    "C_GenerateKeyPair": (CK_ULONG, _P, _P, CK_ULONG, _P, CK_ULONG, _P, _P),
}
# the order of CK_FUNCTION_LIST; the table ends where our last function stands
_ORDER: Final = (
    "C_Initialize", "C_Finalize", "C_GetInfo", "C_GetFunctionList", "C_GetSlotList",
    "C_GetSlotInfo", "C_GetTokenInfo", "C_GetMechanismList", "C_GetMechanismInfo", "C_InitToken",
    "C_InitPIN", "C_SetPIN", "C_OpenSession", "C_CloseSession", "C_CloseAllSessions",
    "C_GetSessionInfo", "C_GetOperationState", "C_SetOperationState", "C_Login", "C_Logout",
    "C_CreateObject", "C_CopyObject", "C_DestroyObject", "C_GetObjectSize", "C_GetAttributeValue",
    "C_SetAttributeValue", "C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal",
    "C_EncryptInit", "C_Encrypt", "C_EncryptUpdate", "C_EncryptFinal", "C_DecryptInit",
    "C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal", "C_DigestInit", "C_Digest",
    "C_DigestUpdate", "C_DigestKey", "C_DigestFinal", "C_SignInit", "C_Sign", "C_SignUpdate",
    "C_SignFinal", "C_SignRecoverInit", "C_SignRecover", "C_VerifyInit", "C_Verify",
    "C_VerifyUpdate", "C_VerifyFinal", "C_VerifyRecoverInit", "C_VerifyRecover",
    "C_DigestEncryptUpdate", "C_DecryptDigestUpdate", "C_SignEncryptUpdate",
    "C_DecryptVerifyUpdate", "C_GenerateKey", "C_GenerateKeyPair",
)  # fmt: skip


class FunctionList(ctypes.Structure):
    """CK_FUNCTION_LIST, up to the last function that we call."""

    _fields_ = (("version", Version), *((name, ctypes.c_void_p) for name in _ORDER))


def functions_of(table: FunctionList) -> dict[str, ctypes._CFunctionType]:
    """Bind the functions we use; a call through them releases the GIL."""
    return {
        name: ctypes.CFUNCTYPE(CK_ULONG, *arguments)(getattr(table, name))
        for name, arguments in _PROTOTYPES.items()
    }


# C_Initialize, C_OpenSession, C_Login
CKF_OS_LOCKING_OK: Final = 0x2
CKF_RW_SESSION: Final = 0x2
CKF_SERIAL_SESSION: Final = 0x4
CKU_SO: Final = 0
CKU_USER: Final = 1
CKU_CONTEXT_SPECIFIC: Final = 2

# slot and token flags
CKF_HW_SLOT: Final = 0x4
CKF_LOGIN_REQUIRED: Final = 0x4
CKF_TOKEN_INITIALIZED: Final = 0x400
CKF_USER_PIN_FINAL_TRY: Final = 0x20000
CKF_USER_PIN_LOCKED: Final = 0x40000

# object classes, key and certificate types
CKO_CERTIFICATE: Final = 1
CKO_PUBLIC_KEY: Final = 2
CKO_PRIVATE_KEY: Final = 3
CKK_RSA: Final = 0
CKK_EC: Final = 3
CKC_X_509: Final = 0

# attributes
CKA_CLASS: Final = 0x0
CKA_TOKEN: Final = 0x1
CKA_PRIVATE: Final = 0x2
CKA_LABEL: Final = 0x3
CKA_VALUE: Final = 0x11
CKA_CERTIFICATE_TYPE: Final = 0x80
CKA_ISSUER: Final = 0x81
CKA_SERIAL_NUMBER: Final = 0x82
CKA_KEY_TYPE: Final = 0x100
CKA_SUBJECT: Final = 0x101
CKA_ID: Final = 0x102
CKA_SENSITIVE: Final = 0x103
CKA_ENCRYPT: Final = 0x104
CKA_DECRYPT: Final = 0x105
CKA_WRAP: Final = 0x106
CKA_UNWRAP: Final = 0x107
CKA_SIGN: Final = 0x108
CKA_VERIFY: Final = 0x10A
CKA_DERIVE: Final = 0x10C
CKA_MODULUS: Final = 0x120
CKA_MODULUS_BITS: Final = 0x121
CKA_PUBLIC_EXPONENT: Final = 0x122
CKA_EXTRACTABLE: Final = 0x162
CKA_LOCAL: Final = 0x163
CKA_EC_PARAMS: Final = 0x180
CKA_EC_POINT: Final = 0x181
CKA_ALWAYS_AUTHENTICATE: Final = 0x202

# mechanisms
CKM_RSA_PKCS_KEY_PAIR_GEN: Final = 0x0
CKM_RSA_PKCS: Final = 0x1
CKM_RSA_PKCS_PSS: Final = 0xD
CKM_SHA256: Final = 0x250
CKM_SHA384: Final = 0x260
CKM_SHA512: Final = 0x270
CKM_EC_KEY_PAIR_GEN: Final = 0x1040
CKM_ECDSA: Final = 0x1041
CKG_MGF1_SHA256: Final = 0x2
CKG_MGF1_SHA384: Final = 0x3
CKG_MGF1_SHA512: Final = 0x4

# return values
CKR_OK: Final = 0x0
CKR_CANT_LOCK: Final = 0xA
CKR_PIN_INCORRECT: Final = 0xA0
CKR_USER_ALREADY_LOGGED_IN: Final = 0x100
CKR_CRYPTOKI_NOT_INITIALIZED: Final = 0x190
CKR_CRYPTOKI_ALREADY_INITIALIZED: Final = 0x191

CKR_NAMES: Final[dict[int, str]] = {
    0x1: "CKR_CANCEL",
    0x2: "CKR_HOST_MEMORY",
    0x3: "CKR_SLOT_ID_INVALID",
    0x5: "CKR_GENERAL_ERROR",
    0x6: "CKR_FUNCTION_FAILED",
    0x7: "CKR_ARGUMENTS_BAD",
    0x8: "CKR_NO_EVENT",
    0x9: "CKR_NEED_TO_CREATE_THREADS",
    0xA: "CKR_CANT_LOCK",
    0x10: "CKR_ATTRIBUTE_READ_ONLY",
    0x11: "CKR_ATTRIBUTE_SENSITIVE",
    0x12: "CKR_ATTRIBUTE_TYPE_INVALID",
    0x13: "CKR_ATTRIBUTE_VALUE_INVALID",
    0x1B: "CKR_ACTION_PROHIBITED",
    0x20: "CKR_DATA_INVALID",
    0x21: "CKR_DATA_LEN_RANGE",
    0x30: "CKR_DEVICE_ERROR",
    0x31: "CKR_DEVICE_MEMORY",
    0x32: "CKR_DEVICE_REMOVED",
    0x40: "CKR_ENCRYPTED_DATA_INVALID",
    0x41: "CKR_ENCRYPTED_DATA_LEN_RANGE",
    0x50: "CKR_FUNCTION_CANCELED",
    0x51: "CKR_FUNCTION_NOT_PARALLEL",
    0x54: "CKR_FUNCTION_NOT_SUPPORTED",
    0x60: "CKR_KEY_HANDLE_INVALID",
    0x62: "CKR_KEY_SIZE_RANGE",
    0x63: "CKR_KEY_TYPE_INCONSISTENT",
    0x64: "CKR_KEY_NOT_NEEDED",
    0x65: "CKR_KEY_CHANGED",
    0x66: "CKR_KEY_NEEDED",
    0x67: "CKR_KEY_INDIGESTIBLE",
    0x68: "CKR_KEY_FUNCTION_NOT_PERMITTED",
    0x69: "CKR_KEY_NOT_WRAPPABLE",
    0x6A: "CKR_KEY_UNEXTRACTABLE",
    0x70: "CKR_MECHANISM_INVALID",
    0x71: "CKR_MECHANISM_PARAM_INVALID",
    0x82: "CKR_OBJECT_HANDLE_INVALID",
    0x90: "CKR_OPERATION_ACTIVE",
    0x91: "CKR_OPERATION_NOT_INITIALIZED",
    0xA0: "CKR_PIN_INCORRECT",
    0xA1: "CKR_PIN_INVALID",
    0xA2: "CKR_PIN_LEN_RANGE",
    0xA3: "CKR_PIN_EXPIRED",
    0xA4: "CKR_PIN_LOCKED",
    0xB0: "CKR_SESSION_CLOSED",
    0xB1: "CKR_SESSION_COUNT",
    0xB3: "CKR_SESSION_HANDLE_INVALID",
    0xB4: "CKR_SESSION_PARALLEL_NOT_SUPPORTED",
    0xB5: "CKR_SESSION_READ_ONLY",
    0xB6: "CKR_SESSION_EXISTS",
    0xB7: "CKR_SESSION_READ_ONLY_EXISTS",
    0xB8: "CKR_SESSION_READ_WRITE_SO_EXISTS",
    0xC0: "CKR_SIGNATURE_INVALID",
    0xC1: "CKR_SIGNATURE_LEN_RANGE",
    0xD0: "CKR_TEMPLATE_INCOMPLETE",
    0xD1: "CKR_TEMPLATE_INCONSISTENT",
    0xE0: "CKR_TOKEN_NOT_PRESENT",
    0xE1: "CKR_TOKEN_NOT_RECOGNIZED",
    0xE2: "CKR_TOKEN_WRITE_PROTECTED",
    0x100: "CKR_USER_ALREADY_LOGGED_IN",
    0x101: "CKR_USER_NOT_LOGGED_IN",
    0x102: "CKR_USER_PIN_NOT_INITIALIZED",
    0x103: "CKR_USER_TYPE_INVALID",
    0x104: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
    0x105: "CKR_USER_TOO_MANY_TYPES",
    0x120: "CKR_RANDOM_SEED_NOT_SUPPORTED",
    0x121: "CKR_RANDOM_NO_RNG",
    0x130: "CKR_DOMAIN_PARAMS_INVALID",
    0x140: "CKR_CURVE_NOT_SUPPORTED",
    0x150: "CKR_BUFFER_TOO_SMALL",
    0x160: "CKR_SAVED_STATE_INVALID",
    0x170: "CKR_INFORMATION_SENSITIVE",
    0x180: "CKR_STATE_UNSAVEABLE",
    0x190: "CKR_CRYPTOKI_NOT_INITIALIZED",
    0x191: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
    0x1A0: "CKR_MUTEX_BAD",
    0x1A1: "CKR_MUTEX_NOT_LOCKED",
    0x1B0: "CKR_NEW_PIN_MODE",
    0x1B1: "CKR_NEXT_OTP",
    0x1B5: "CKR_EXCEEDED_MAX_ITERATIONS",
    0x1B6: "CKR_FIPS_SELF_TEST_FAILED",
    0x1B7: "CKR_LIBRARY_LOAD_FAILED",
    0x1B8: "CKR_PIN_TOO_WEAK",
    0x1B9: "CKR_PUBLIC_KEY_INVALID",
    0x200: "CKR_FUNCTION_REJECTED",
}


def name_of(code: int) -> str:
    """The standard's name of a return value; vendors' own values in hexadecimal."""
    return CKR_NAMES.get(code, f"CKR_VENDOR_DEFINED_0x{code:08X}")


def text(field: ctypes.Array[ctypes.c_ubyte]) -> str:
    """A blank-padded CK_UTF8CHAR field as text."""
    return bytes(field).decode("utf-8", "replace").rstrip("\0 ")
