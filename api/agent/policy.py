"""key-policy.toml: who may use which key, for what, how often, until when.

    [keys.test-leader]
    agencies = ["*"]                  # codes of agencies, or "*"
    callers = ["local"]               # "local", "uid:1000", "certificate:<sha256>", or "*"
    purposes = ["document"]           # what the caller says the signature is for
    max_per_call = 32                 # hashes in one signHash call
    max_per_day = 100000              # optional; a day of Vietnam's calendar
    valid_until = 2029-01-01          # optional; the last day
    schemes = ["rsa-pkcs1-sha256"]    # optional; else the key's own default

A key without a section signs nothing. Everything is checked when the file is read.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.errors import SettingsError
from hsm.keys import SignatureScheme
from signer.clock import VIETNAM
from signer.csc.wire import HASHES_PER_CALL, Context

ANYBODY: Final = "*"
LOCAL: Final = "local"
SELF_TEST: Final = "self-test"
"""The purpose of the agent's own test signatures; no policy has to allow it."""

DOCUMENT_PURPOSES: Final = (
    "document", "sequence", "batch-list", "result-sheet", "receipt", "remote",
)  # fmt: skip
AUDIT_PURPOSES: Final = ("audit-head",)
PROOF_PURPOSES: Final = ("proof", "cover-sheet")
REGISTER_PURPOSES: Final = ("register-checkpoint", "register-status")

_CALLER = re.compile(r"local|\*|uid:[0-9]{1,10}|certificate:[0-9a-f]{64}")
_PURPOSE = re.compile(r"\*|[a-z][a-z0-9-]{0,39}")
_AGENCY = re.compile(r"\*|\S{1,32}")
_MEMBERS: Final = frozenset(
    {"agencies", "callers", "purposes", "max_per_call", "max_per_day", "valid_until", "schemes"}
)
_MOST_LABEL_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class KeyRule:
    """What one key may be used for."""

    label: str
    agencies: frozenset[str]
    callers: frozenset[str]
    purposes: frozenset[str]
    max_per_call: int = HASHES_PER_CALL
    max_per_day: int | None = None
    valid_until: dt.date | None = None
    schemes: tuple[SignatureScheme, ...] = ()

    def serves(self, caller: str) -> bool:
        """Whether `caller` may use the key at all."""
        return ANYBODY in self.callers or caller in self.callers

    def refusal(self, caller: str, context: Context, now: dt.datetime) -> str | None:
        """Why this use is refused, or None. `now` is aware."""
        if not self.serves(caller):
            return (
                f"bên gọi {caller} không được dùng khóa này; sửa mục callers của khóa. / "
                f"{caller} may not use this key; see `callers` in the key policy"
            )
        if self.valid_until is not None and now.astimezone(VIETNAM).date() > self.valid_until:
            return (
                f"khóa chỉ được dùng đến hết {self.valid_until}. / the key policy lets this key "
                "sign until that day only: renew the policy or use the key's successor"
            )
        if ANYBODY not in self.purposes and context.purpose not in self.purposes:
            return (
                f"khóa này không dùng cho mục đích “{context.purpose}”. / this key is not for the "
                "purpose that was given; see `purposes` in the key policy"
            )
        if ANYBODY not in self.agencies and context.agency not in self.agencies:
            return (
                f"cơ quan “{context.agency or ''}” không được dùng khóa này. / this agency may "
                "not use the key; see `agencies` in the key policy"
            )
        return None


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """The rules of all keys, by label."""

    rules: Mapping[str, KeyRule]

    def rule(self, label: str) -> KeyRule | None:
        """The rule of a key; None: it is not offered."""
        return self.rules.get(label)

    def knows_uid(self, uid: int) -> bool:
        """Whether some key may be used by this user of the machine."""
        return any(f"uid:{uid}" in rule.callers for rule in self.rules.values())


def load_policy(path: Path) -> KeyPolicy:
    """Read the policy. Raises `SettingsError`, naming the entry."""
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"Thiếu chính sách khóa {path}; chạy `sohoa init` để tạo bản mẫu. / There is no key "
            "policy; `sohoa init` writes one, or see docs/agent.md."
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"Không đọc được chính sách khóa {path}. / The key policy cannot be read: {error}"
        ) from error
    tables = entries.pop("keys", None)
    if entries:
        raise _wrong(path, next(iter(entries)), "mục lạ / unknown entry")
    if not isinstance(tables, dict) or not tables:
        raise _wrong(path, "keys", "cần ít nhất một [keys.NHÃN] / needs one [keys.LABEL] at least")
    return KeyPolicy({label: _rule(path, label, table) for label, table in tables.items()})


def policy_text(
    documents: Iterable[str],
    audit: Iterable[str],
    proof: Iterable[str] = (),
    register: Iterable[str] = (),
) -> str:
    """The policy that `sohoa init` writes.

    The labels of keys of documents, of audit heads, of codes on printouts, of the register.
    """
    text = (
        "# Chính sách khóa, do `sohoa init` tạo: ai được dùng khóa nào, để làm gì, bao nhiêu lần.\n"
        "# Key policy, made by `sohoa init`: who may use which key, for what, how often.\n"
    )
    for label, purposes in (
        *((label, DOCUMENT_PURPOSES) for label in documents),
        *((label, AUDIT_PURPOSES) for label in audit),
        *((label, PROOF_PURPOSES) for label in proof),
        *((label, REGISTER_PURPOSES) for label in register),
    ):
        listed = ", ".join(f'"{purpose}"' for purpose in purposes)
        text += (
            f'\n[keys."{label}"]\nagencies = ["*"]\ncallers = ["local"]\n'
            f"purposes = [{listed}]\nmax_per_call = {HASHES_PER_CALL}\n"
        )
    return text


def _rule(path: Path, label: str, table: Any) -> KeyRule:  # noqa: ANN401 - TOML gives anything
    at = f"keys.{label}"
    if not label or not label.isprintable() or len(label.encode()) > _MOST_LABEL_BYTES:
        raise _wrong(path, at, "nhãn khóa không hợp lệ / no label of a key")
    if not isinstance(table, dict):
        raise _wrong(path, at, "phải là một bảng / should be a table")
    if strange := sorted(table.keys() - _MEMBERS):
        raise _wrong(path, f"{at}.{strange[0]}", "mục lạ / unknown entry")
    schemes = []
    for name in _texts(path, at, table, "schemes", None, required=False):
        try:
            schemes.append(SignatureScheme(name))
        except ValueError:
            known = ", ".join(scheme.value for scheme in SignatureScheme)
            raise _wrong(path, f"{at}.schemes", f"{name!r}: chọn / choose: {known}") from None
    until = table.get("valid_until")
    if until is not None and (not isinstance(until, dt.date) or isinstance(until, dt.datetime)):
        raise _wrong(path, f"{at}.valid_until", "phải là ngày / should be a day: 2029-01-01")
    return KeyRule(
        label,
        frozenset(_texts(path, at, table, "agencies", _AGENCY)),
        frozenset(_texts(path, at, table, "callers", _CALLER)),
        frozenset(_texts(path, at, table, "purposes", _PURPOSE)),
        _number(path, at, table, "max_per_call", HASHES_PER_CALL) or HASHES_PER_CALL,
        _number(path, at, table, "max_per_day", None),
        until,
        tuple(schemes),
    )


def _texts(
    path: Path,
    at: str,
    table: Mapping[str, Any],
    name: str,
    form: re.Pattern[str] | None,
    *,
    required: bool = True,
) -> list[str]:
    found = table.get(name, None if required else [])
    if not isinstance(found, list) or (required and not found):
        raise _wrong(path, f"{at}.{name}", 'phải là danh sách / should be a list, as ["…"]')
    for text in found:
        if not isinstance(text, str) or (form is not None and not form.fullmatch(text)):
            raise _wrong(path, f"{at}.{name}", f"{text!r} không hợp lệ / is not valid here")
    return found


def _number(
    path: Path, at: str, table: Mapping[str, Any], name: str, most: int | None
) -> int | None:
    found = table.get(name)
    if found is None:
        return None
    if type(found) is not int or found < 1 or (most is not None and found > most):
        limit = f"1…{most}" if most is not None else "≥ 1"
        raise _wrong(path, f"{at}.{name}", f"phải là số nguyên / should be a whole number: {limit}")
    return found


def _wrong(path: Path, entry: str, what: str) -> SettingsError:
    return SettingsError(f"{path}: {entry}: {what}")
