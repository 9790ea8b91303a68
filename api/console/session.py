"""Sessions of people who work at the console: a cookie that ends with the key it was opened with.

    token = sessions.open("sohoa_…")                 # CredentialRefused, AccessRefused
    session = sessions.read(token, request_id)       # CredentialRefused
    sessions.end(session)

Nothing is kept of a session that goes on: its cookie names the API key and the times, under a MAC
that the key's own digest makes (`Credentials.seal`). So a restart signs nobody out, every web
process knows it, and whoever revokes the key ends it. Sessions that were ended before their time
are noted in the data folder until that time is over.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dossier.errors import AccessRefused, CredentialRefused
from dossier.identity import Identity
from dossier.identity.keytext import split_key_text
from dossier.model import Caller, Role
from dossier.storage.blobs import translated

COOKIE = "__Host-sohoa"
LONGEST_S = 8 * 3600
IDLE_S = 30 * 60
OPERATORS = (Role.SCANNER, Role.OFFICER)
_RENEWED_S = 60  # a cookie that was made so long ago is made anew
_TOKEN = re.compile(r"([0-9a-z]{26})\.([A-Za-z0-9_-]{22})\.(\d{1,11})\.(\d{1,11})\.([\w-]{43})")
_OF_SESSION = b"sohoa console session\n"  # a signed request begins with a quoted name
_OF_FORM = b"sohoa console form\n"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at the console. `form_token` goes into each of his forms; times in Unix seconds."""

    caller: Caller
    key_id: str
    id: str
    began: int
    seen: int
    form_token: str

    def allows(self, form_token: str) -> bool:
        """Whether a form of this session was sent."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode("utf-8", "replace"))


class Sessions:
    """Opens, reads and ends sessions. Safe for threads; blocks."""

    def __init__(
        self, identity: Identity, folder: Path, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Ended sessions are noted in `folder`, which is made when it is needed."""
        self._identity = identity
        self._folder = folder
        self._clock = clock

    def open(self, key_text: str) -> tuple[str, Session]:
        """A session for the person whose API key `key_text` is: its cookie, and itself.

        Raises `CredentialRefused`; `AccessRefused` for a client, for a key that has to sign its
        requests (it never travels), and for who neither scans nor checks; `StoreError`.
        """
        caller, limits = self._identity.authenticate_key(key_text)
        principal = self._identity.principals.get(caller, caller.principal_id)
        if principal.kind != "user" or limits.require_signed_requests:
            raise AccessRefused(
                "Khóa này là của phần mềm; hãy đăng nhập bằng khóa cá nhân do quản trị cấp (sohoa "
                "users key issue). / This key is a program's; sign in with the personal key that "
                "an administrator issued to you (sohoa users key issue)."
            )
        caller.require(*OPERATORS)
        parts = split_key_text(key_text)
        assert parts is not None  # noqa: S101 - authenticated above
        now = int(self._clock())
        made = Session(caller, parts[0], secrets.token_urlsafe(16), now, now, "")
        return self.cookie_of(made), self._with_form_token(made)

    def read(self, token: str, request_id: str = "") -> Session:
        """The session that a cookie stands for. Raises `CredentialRefused`, `AccessRefused`."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise CredentialRefused("malformed")
        key_id, session_id, began, seen = match[1], match[2], int(match[3]), int(match[4])
        mac = base64.urlsafe_b64decode(match[5] + "=")
        body = token.rpartition(".")[0]
        caller, _ = self._identity.credentials.verify_signature(
            key_id, _OF_SESSION + body.encode(), mac
        )
        now = self._clock()
        if now > began + LONGEST_S or now > seen + IDLE_S or (self._folder / session_id).exists():
            raise CredentialRefused(
                "expired", principal_id=caller.principal_id, agency_id=caller.agency_id
            )
        caller.require(*OPERATORS)
        caller = replace(caller, request_id=request_id, method="console")
        return self._with_form_token(Session(caller, key_id, session_id, began, seen, ""))

    def renewed(self, session: Session) -> str | None:
        """A cookie that says that the person was here just now; None: the old one says so."""
        now = int(self._clock())
        if now - session.seen < _RENEWED_S:
            return None
        return self.cookie_of(replace(session, seen=now))

    def left_s(self, session: Session) -> int:
        """For how long a cookie of this session serves at most."""
        return max(1, session.began + LONGEST_S - int(self._clock()))

    def end(self, session: Session) -> None:
        """Refuse the session from now on. Raises `StoreError`."""
        with translated(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / session.id).touch(mode=0o600)
            for note in self._folder.iterdir():
                with suppress(FileNotFoundError):
                    if note.stat().st_mtime < self._clock() - LONGEST_S:
                        note.unlink()

    def cookie_of(self, session: Session) -> str:
        """The session as a cookie's value. Raises `CredentialRefused` when its key has ended."""
        body = f"{session.key_id}.{session.id}.{session.began}.{session.seen}"
        mac = self._identity.credentials.seal(session.key_id, _OF_SESSION + body.encode())
        return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def _with_form_token(self, session: Session) -> Session:
        mac = self._identity.credentials.seal(session.key_id, _OF_FORM + session.id.encode())
        return replace(session, form_token=mac.hex())
