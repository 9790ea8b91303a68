"""The whole HTTP application over real parts, asked without a socket.

def test_x(web):
    answer = web.ask("GET", "/v1/signatures", as_="clerk")
    record = web.sign(web.room.pdf(1), key="seal")          # accepted
    web.room.work_off()                                     # published

Two agencies, A and B, each with people of every role (``clerk``, ``clerk@B`` …), and the house's
administrator and auditor (``admin@*``). The database is SQLite; keys are held by a stand-in for
the key agent that keeps to its client's face and refuses as it does.
"""

from __future__ import annotations

import asyncio
import io
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest
import uvicorn

from api import auth
from api.house import House
from api.registering import open_register
from api.settings import Settings, TokenSettings
from api.web.app import create_app
from dossier.batches.batches import Batches
from dossier.checking.desk import CheckingDesk
from dossier.clerical.sequences import Sequences
from dossier.digitizing.digitizations import Digitizations
from dossier.filing.filing import Filing
from dossier.identity import HOUSE, AgencyPolicy, Identity
from dossier.intake.sheets import CoverSheets
from dossier.model import Role
from dossier.search.index import SearchIndex
from dossier.stacks.arranging import Arranging
from dossier.stacks.stacks import Stacks
from dossier.storage.database import Database
from dossier.storage.uploads import Uploads
from dossier.trust.evidence import RevocationShelf
from dossier.trust.history import TrustHistory
from dossier.trust.live import LiveTrust
from dossier.verifying.bulk import BulkVerifications
from dossier.verifying.bulk_work import BulkWork
from dossier.verifying.checkers import Checkers
from dossier.verifying.kept import KeptVerifications
from dossier.verifying.receipts import Receipts
from dossier.webhooks.webhooks import Webhooks
from hsm.errors import KeyNotFound, TokenUnavailable
from signer.algorithms import HASHES
from signer.csc.credentials import Credential
from signer.remote import AgentHealth
from signer.sealing.appearance.profiles import default_profiles
from signer.sealing.levels import Level
from signer.trust import TrustStore
from tests.fakes import SoftwareKey
from tests.fixtures_pki import RunningPKI
from tests.fixtures_signing import AGENCY, KEYS, OTHER_AGENCY, SigningRoom

_ROLES = {
    "scanner": Role.SCANNER,
    "officer": Role.OFFICER,
    "leader": Role.LEADER,
    "clerk": Role.CLERK,
    "auditor": Role.AUDITOR,
    "admin": Role.ADMIN,
}
_ALONE = ("auditor", "admin")


class StandInAgent:
    """What routes ask of `signer.remote.CSCClient`, over keys in memory. `gone`: unreachable."""

    def __init__(self, keys: Mapping[str, SoftwareKey]) -> None:
        self.keys = dict(keys)
        self.gone = False
        self.contexts: list[dict[str, Any]] = []

    def _require(self) -> None:
        if self.gone:
            raise TokenUnavailable("Không thấy thiết bị. / The token is gone.", retry_after_s=3)

    def health(self) -> AgentHealth:
        if self.gone:
            return AgentHealth(False, "Không thấy thiết bị. / The token is gone.", 3, {})
        return AgentHealth(True, "ok", None, {})

    def credentials(self) -> list[Credential]:
        self._require()
        return [
            Credential(n, n, k.certificate, k.chain, (k.scheme,), True, 32, False)
            for n, k in self.keys.items()
        ]

    def key(self, label: str, scheme: Any = None) -> StandInKey:
        self._require()
        if label not in self.keys:
            raise KeyNotFound(f"no key {label}")
        return StandInKey(self, label)

    def timestamp(self, digest: bytes, digest_name: str = "sha256") -> bytes:
        self._require()
        assert len(digest) == HASHES[digest_name].digest_size
        return b"\x30\x03\x02\x01\x00"


class StandInKey:
    """A key of the stand-in; `bound` remembers for whom."""

    def __init__(self, agent: StandInAgent, label: str) -> None:
        self.agent, self.label = agent, label

    def bound(self, **context: Any) -> StandInKey:
        self.agent.contexts.append(context)
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent.keys[self.label], name)

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        self.agent._require()
        return self.agent.keys[self.label].sign_digests(digests)


class Web:
    """The application and people who may ask it."""

    def __init__(self, room: SigningRoom, folder: Path, pki: RunningPKI) -> None:
        self.room = room
        self.folder = folder
        self.identity = Identity(room.database, room.audit)
        others = {name: SoftwareKey(label=name) for name in ("register", "proof")}
        self.agent = StandInAgent({**room.keys, **others})
        self.settings = Settings(
            data_dir=folder, token=TokenSettings(module=folder / "none.so", label="none")
        )
        self.live = LiveTrust(
            TrustStore.of(pki.anchors),
            TrustHistory(room.database, room.blobs, room.audit),
            RevocationShelf(room.database, room.blobs),
            look_s=0,
        )
        self.house = House(
            settings=self.settings,
            database=room.database,
            blobs=room.blobs,
            holdings=room.holdings,
            uploads=Uploads(folder / "uploads", room.blobs, room.database, room.holdings),
            audit=room.audit,
            identity=self.identity,
            jobs=room.jobs,
            records=room.records,
            **_others(room, self.identity),
            agent=self.agent,
            sheets=CoverSheets(
                room.database, room.audit, lambda context: self.agent.key("proof").bound(**context)
            ),
            register=open_register(self.settings, room.database, room.audit, self.agent),
            verifier=Checkers(self.live),
            trust=self.live,
            profiles=default_profiles(),
            timestamper=pki.timestamper,
            **_answers(room, self.live),
        )
        self.keys = dict(self._people())
        self.app = create_app(self.house)
        self.transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)

    def _people(self) -> Iterator[tuple[str, str]]:
        first = self.identity.bootstrap()
        assert first is not None
        yield "admin@*", first
        house, _ = self.identity.authenticate_key(first)
        self.house_admin = house
        for agency, mark in ((AGENCY, ""), (OTHER_AGENCY, "@B")):
            version = self.identity.agencies.get(house, agency).version
            self.identity.agencies.change(
                house, agency, version=version, policy=AgencyPolicy(keys=KEYS)
            )
            for name, role in _ROLES.items():
                keys = () if name in (*_ALONE, "scanner") else KEYS
                principal = self.identity.principals.add(
                    house, agency, kind="client", name=f"{name}{mark}", roles=[role], keys=keys
                )
                yield name + mark, self.identity.api_keys.issue(house, principal.id).text
        auditor = self.identity.principals.add(
            house, HOUSE, kind="user", name="auditor*", roles=[Role.AUDITOR]
        )
        yield "auditor@*", self.identity.api_keys.issue(house, auditor.id).text

    def ask(
        self, method: str, path: str, *, as_: str | None = None, **options: Any
    ) -> httpx.Response:
        """One request; `as_` names who asks (None: nobody)."""
        return self.run(lambda http: http.request(method, path, **options), as_=as_)

    def run(self, ask: Callable[[httpx.AsyncClient], Any], *, as_: str | None = None) -> Any:
        """Run `ask(client)` in an event loop of its own."""

        async def whole() -> Any:
            async with self.client(as_=as_) as http:
                return await ask(http)

        return asyncio.run(whole())

    def client(self, *, as_: str | None = None) -> httpx.AsyncClient:
        headers = {"accept-language": "en"}
        if as_ is not None:
            headers["authorization"] = f"Bearer {self.keys[as_]}"
        return httpx.AsyncClient(
            transport=self.transport, base_url="http://127.0.0.1", headers=headers
        )

    def sign(
        self,
        pdf: bytes | None = None,
        *,
        as_: str = "clerk",
        idempotency_key: str | None = None,
        prefer: str | None = None,
        **order: Any,
    ) -> httpx.Response:
        """POST a raw PDF with an order in the query."""
        headers = {
            "content-type": "application/pdf",
            "idempotency-key": idempotency_key or uuid.uuid4().hex,
        }
        if prefer is not None:
            headers["prefer"] = prefer
        return self.ask(
            "POST",
            "/v1/signatures",
            as_=as_,
            content=pdf if pdf is not None else document(1),
            params={"key": "seal", **order},
            headers=headers,
        )

    def published(self, *, as_: str = "clerk", **order: Any) -> dict[str, Any]:
        """A record that was ordered through HTTP and signed by a worker."""
        accepted = self.sign(as_=as_, **order)
        assert accepted.status_code == 202, accepted.text
        self.room.work_off()
        found = self.ask("GET", f"/v1/signatures/{accepted.json()['id']}", as_=as_)
        assert found.json()["state"] == "published", found.text
        shown: dict[str, Any] = found.json()
        return shown

    def verify_all(self, **options: Any) -> None:
        """Let a worker of the queue ``ocr`` do what waits there for bulk verifications."""
        work = BulkWork(self.house.bulk, self.room.blobs, self.house.verifier, **options)
        while jobs := self.room.jobs.claim("ocr", "checker", 1, 60):
            work(*jobs)

    def close(self) -> None:
        asyncio.run(auth.close(self.app))
        self.house.verifier.close()


def _others(room: SigningRoom, identity: Identity) -> dict[str, Any]:
    """Collaborators over the same parts; their own tests look at them more closely."""
    common = (room.database, room.audit, room.jobs, room.records)
    return {
        "sequences": Sequences(
            room.database, room.holdings, room.audit, room.jobs, room.records, identity.policy
        ),
        "batches": Batches(*common, identity.policy),
        "checking": CheckingDesk(room.database, room.audit, room.jobs, room.blobs),
        "filing": Filing(*common, seal_key="seal", level=Level.B_LTA),
        "stacks": Stacks(room.database, room.holdings, room.audit, room.jobs),
        "arranging": Arranging(room.database, room.audit, room.jobs),
        "search": _searchable(room.database),
        "webhooks": Webhooks(room.database, room.jobs, room.audit, private_networks=True),
        "digitizations": Digitizations(
            room.database, room.blobs, room.holdings, room.audit, room.jobs
        ),
    }


def _searchable(database: Database) -> SearchIndex:
    index = SearchIndex(database)
    index.prepare()
    return index


def _answers(room: SigningRoom, live: LiveTrust) -> dict[str, Any]:
    """What gives verifications, and keeps them."""
    return {
        "kept": KeptVerifications(room.database, room.blobs, room.holdings, room.audit, live),
        "bulk": BulkVerifications(room.database, room.holdings, room.audit, room.jobs),
        "receipts": Receipts(
            room.audit, room.desk, own_key=None, maker="Sohoa (mẫu)", level=Level.B_LTA
        ),
    }


def document(number: int, bytes_more: int = 0) -> bytes:
    """A one-page PDF that differs from every other one."""
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(595, 842))
        text = f"% van ban mau {number}\n".encode() + b"%" + b"x" * bytes_more
        pdf.pages[0].Contents = pdf.make_stream(text)
        stream = io.BytesIO()
        pdf.save(stream, static_id=True)
    return stream.getvalue()


@pytest.fixture
def web(
    sqlite_url: str,
    open_database: Callable[[str], Database],
    tmp_path: Path,
    test_pki: RunningPKI,
) -> Iterator[Web]:
    """The application with an empty SQLite database."""
    made = Web(SigningRoom(open_database(sqlite_url), tmp_path, test_pki), tmp_path, test_pki)
    yield made
    made.close()


@pytest.fixture
def web_on_postgres(
    postgres_url: str,
    open_database: Callable[[str], Database],
    tmp_path: Path,
    test_pki: RunningPKI,
) -> Iterator[Web]:
    """The application with an empty PostgreSQL database."""
    made = Web(SigningRoom(open_database(postgres_url), tmp_path, test_pki), tmp_path, test_pki)
    yield made
    made.close()


@pytest.fixture
def address(web: Web) -> Iterator[str]:
    """Where the application answers, for as long as the test lasts."""
    config = uvicorn.Config(web.app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
