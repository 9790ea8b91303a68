"""Judging a signed PDF: the numbered steps, each beside the threats that it answers.

1. bytes and revisions     incremental saving, hidden sections, parser differentials, bombs
2. byte ranges             universal forgery (USF), wrapping (SWA), swapped dictionaries
3. CMS structure           several signers, encapsulated content, attribute confusion
4. digests and values      altered content, altered or copied signatures and timestamps
5. path and trust domain   unknown or wrongly used authorities
6. time                    claimed times, replayed timestamps, expired certificates
7. revocation              withdrawn keys; silence is not consent
8. changes afterwards      shadow attacks, evil annotation, sneaky signature
9. the bytes shown         what two readers take differently (a second engine draws the pages)
10. the verdict            follows from the list of checks alone

`Verifier.verify` returns a report for every input: what escapes from below becomes MALFORMED
with an id that is logged.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import logging
import secrets
from pathlib import Path

from signer.services import RevocationEvidence
from signer.trust import TrustStore
from signer.trust.rule_book import RuleBook
from signer.verification.attacks import Attack
from signer.verification.changes.after import Changes
from signer.verification.file.digests import range_digests
from signer.verification.file.payloads import wraps_encrypted
from signer.verification.file.pdf_objects import PDFSyntaxError, Value
from signer.verification.file.second_reader import IS_HERE, byte_ranges_seen
from signer.verification.file.structure import Document
from signer.verification.parts.sequence import assign_parts
from signer.verification.report import (
    Check,
    Checklist,
    Indication,
    Integrity,
    SubIndication,
    TrustApplied,
    VerificationReport,
    conclude,
    integrity_of,
)
from signer.verification.shown.opinion import NOT_COMPARED, Shown
from signer.verification.shown.rendering import compare_shown
from signer.verification.signature.certificates import CertificatePool
from signer.verification.signature.examination import (
    Examined,
    all_data,
    collect_certificates,
    embedded_revocation,
    examine_envelope,
    examine_structure,
    examine_values,
    wanted_digest,
)
from signer.verification.signature.security_store import (
    StoreState,
    add_readable,
    read_security_store,
)
from signer.verification.summary import (
    Facts,
    level_of,
    pdf_date,
    signature_report,
    timestamp_report,
)
from signer.verification.validity.evidence import Evidence, RevocationPolicy
from signer.verification.validity.judgement import Judge, Judged, check_claimed_time, trusted_times
from signer.verification.validity.paths import Anchors

_LOG = logging.getLogger(__name__)
MAX_SIZE = 1 << 30


class Verifier:
    """Verifies against one trust store. Immutable; safe to use from several threads.

    `evidence` are revocation values kept outside the files; no network is ever used.
    """

    def __init__(
        self,
        trust: TrustStore,
        *,
        revocation: RevocationPolicy | None = None,
        evidence: RevocationEvidence | None = None,
        rules: RuleBook | None = None,
    ) -> None:
        """`rules` default to the program's; `revocation` stands above what they say of freshness.

        Raises `signer.errors.TrustError` when a trusted certificate cannot be read.
        """
        self._anchors = Anchors(trust)
        self._trust = TrustApplied(trust.fingerprint, trust.lists)
        self._rules = rules or RuleBook.default()
        self._policy = revocation
        self._evidence = evidence or RevocationEvidence((), (), ())

    def verify(self, pdf: bytes | Path, at: dt.datetime | None = None) -> VerificationReport:
        """Judge `pdf` as of `at` (aware; default now).

        Raises `OSError` when a path cannot be read and `ValueError` for a naive `at`;
        nothing about the content raises, but `MemoryError` when the process has too little.
        """
        if at is not None and at.tzinfo is None:
            raise ValueError("at must carry a time zone")
        data = pdf.read_bytes() if isinstance(pdf, Path) else bytes(pdf)
        moment = at or dt.datetime.now(dt.UTC)
        return dataclasses.replace(self._verdict(data, moment), trust=self._trust)

    def _verdict(self, data: bytes, moment: dt.datetime) -> VerificationReport:
        try:
            return self._judge(data, moment)
        except PDFSyntaxError as error:
            # whoever opens such a file repairs it, each reader in its own way
            repaired = Attack.PARSER_DIFFERENTIAL if b"/ByteRange" in data else None
            return _malformed(data, moment, "file.structure", str(error), error.attack or repaired)
        except MemoryError:
            raise  # a shortage of ours says nothing about the file
        except Exception as error:  # noqa: BLE001 - the last door
            # whatever a hostile file provokes is a finding, never a crash
            identity = secrets.token_hex(6)
            _LOG.exception("verification %s stumbled", identity)
            return _malformed(
                data, moment, "file.escape", f"id {identity} ({type(error).__name__})"
            )

    def _judge(self, data: bytes, at: dt.datetime) -> VerificationReport:
        if not data or len(data) > MAX_SIZE:
            raise PDFSyntaxError("the file is empty" if not data else "the file is too large")
        # 1 bytes and revisions
        document = Document(data)
        checks = Checklist()
        if document.is_encrypted or wraps_encrypted(document.current):
            checks.unknown(
                "file.encrypted", SubIndication.FORMAT_FAILURE,
                "encrypted files are not judged; verify the file as it was issued",
                Integrity.MALFORMED,
            )  # fmt: skip
            return _report(data, at, checks, [], {}, [])
        checks.passed("file.structure", f"{len(document.revisions)} revisions")
        # 2 and 3 byte ranges, CMS structure
        items = [examine_structure(document, field) for field in document.current.signatures()]
        items.sort(key=lambda item: item.coverage.end if item.coverage else len(data))
        _check_file(document, items, checks)
        if not items:
            return _report(data, at, checks, [], {}, [])
        # 4 digests and values
        pool = CertificatePool([*self._anchors.certificates, *self._anchors.intermediates])
        unreadable = collect_certificates(items, pool)
        store, store_faults = read_security_store(document)
        stored = add_readable(store.certificates, pool, store_faults)
        evidence = Evidence(self._policy or RevocationPolicy())
        evidence.add(store, pool, in_file=True)
        evidence.add(embedded_revocation(items), pool, in_file=True)
        evidence.add(self._evidence, pool, in_file=False)
        named = _examine_all(data, items, pool, unreadable)
        # 5 to 7 path, time, revocation
        judge = Judge(self._anchors, pool, evidence, at, rules=self._rules, revocation=self._policy)
        facts = _judge_all(items, judge, at)
        _check_store(document, items, evidence, StoreState(stored, store_faults, pool), checks)
        # 8 changes afterwards
        Changes(document).apply(items, facts, checks)
        # 9 the bytes shown
        shown = compare_shown(document, items, checks)
        # 10 the verdict
        embedded = {c for d in all_data(items) for c in d.certificates} | set(store.certificates)
        for item in items:
            fact = facts[id(item)]
            fact.level = level_of(item, fact, items, document, embedded)
        assign_parts(document, items, facts)
        return _report(data, at, checks, items, facts, [len(document.revisions)], shown, named)


def _check_file(document: Document, items: list[Examined], checks: Checklist) -> None:
    """Step 1, second half: every signature is where the form says, and the last covers all."""
    rights = document.current.usage_rights()
    if rights:
        checks.warn("file.usage-rights", "usage rights are not signatures of the document")
    if document.unlisted_fields:
        checks.warn("file.unlisted-field", "the form does not list every signed field")
    known = [(d.start, d.end) for d in (*(i.field.dictionary for i in items), *rights)]
    stray = next(document.stray_byte_ranges(known), None)
    if stray is not None:
        checks.failed(
            "file.stray-signature", SubIndication.FORMAT_FAILURE,
            f"a signature dictionary at byte {stray} belongs to no field", Integrity.MALFORMED,
        )  # fmt: skip
    objects = [i.field.object_number for i in items]
    if len(set(objects)) != len(objects):
        checks.failed(
            "file.stray-signature", SubIndication.FORMAT_FAILURE,
            "two fields share one signature", Integrity.MALFORMED,
            attack=Attack.SWAPPED_DICTIONARY,
        )  # fmt: skip
    mine = sorted(_integers(i.field.dictionary.get("ByteRange")) for i in items)
    theirs = byte_ranges_seen(document.data, document.unlisted_fields) if IS_HERE else None
    if not IS_HERE:
        checks.warn("file.second-reader", "there is no second reader on this machine")
    elif theirs is None:
        checks.failed(
            "file.second-reader", SubIndication.FORMAT_FAILURE,
            "a second reader cannot open the file without repairing it", Integrity.MALFORMED,
        )  # fmt: skip
    elif sorted(theirs) != mine:
        checks.failed(
            "file.second-reader", SubIndication.FORMAT_FAILURE,
            "a second reader sees other signatures", Integrity.MALFORMED,
        )  # fmt: skip
    else:
        checks.passed("file.second-reader")
    if items and items[-1].coverage:
        left = len(document.data) - items[-1].coverage.end
        if document.data[items[-1].coverage.end :].strip(b"\r\n"):
            checks.warn("file.covered-to-end", f"{left} bytes are not covered")
        else:
            checks.passed("file.covered-to-end")


def _integers(value: Value) -> tuple[int, ...]:
    return tuple(n for n in value if isinstance(n, int)) if isinstance(value, list) else ()


def _examine_all(
    data: bytes, items: list[Examined], pool: CertificatePool, unreadable: set[bytes]
) -> str:
    """Step 4 for all of them; the file's SHA-256, which comes from the same pass."""
    wanted = [
        (item.coverage, name)
        for item in items
        if item.coverage and (name := wanted_digest(item)) is not None
    ]
    digests, named = range_digests(data, wanted)
    for item in items:
        examine_values(item, digests, pool)
    last = max((i.coverage.end for i in items if i.coverage and i.is_intact), default=0)
    for item in items:
        if item.data is None or item.coverage is None:
            continue
        is_covered = item.coverage.end < last
        examine_envelope(item.data, item.checks, pool, unreadable, is_covered)
        for token in item.tokens:
            if token.data is not None:
                examine_envelope(token.data, item.checks, pool, unreadable, is_covered)
    return named


def _judge_all(items: list[Examined], judge: Judge, at: dt.datetime) -> dict[int, Facts]:
    """Steps 5-7, from the newest to the oldest: each proved time judges what it covers."""
    facts = {id(item): Facts() for item in items}
    control = at
    controls: list[tuple[int, dt.datetime]] = []  # (covered up to, proved to exist at)
    for item in reversed(items):
        token = item.document_token
        if token is None or item.coverage is None or not item.is_intact:
            continue
        facts[id(item)].judged = judge.judge_token(token, control)
        if token.is_trusted and token.info is not None:
            control = min(control, token.info.time)
            controls.append((item.coverage.end, token.info.time))
            facts[id(item)].proved_time = token.info.time
    for item in items:
        if item.document_token is not None or item.coverage is None:
            continue
        fact = facts[id(item)]
        covering = [time for end, time in controls if end > item.coverage.end]
        known_at = min(covering, default=at)
        fact.token_judgements = [judge.judge_token(token, known_at) for token in item.tokens]
        proofs = covering + trusted_times(iter(item.tokens))
        proved = min(proofs, default=None)
        fact.proved_time = proved
        fact.claimed_time = item.claimed_time or pdf_date(item.field.dictionary.get("M"))
        fact.judged = judge.judge_signer(item, proved or at, proved is not None, fact.claimed_time)
        check_claimed_time(item, proved)
        _note_tokens(item, fact.token_judgements)
    return facts


def _note_tokens(item: Examined, judged: list[Judged]) -> None:
    """A broken timestamp convicts the signature; an untrusted one only proves nothing."""
    for token, result in zip(item.tokens, judged, strict=True):
        for check in token.checks.checks:
            if check.integrity is not None:
                item.checks.checks.append(check)
        if result.is_trusted:
            item.checks.passed("timestamp.proof")
        else:
            item.checks.warn("timestamp.proof", "a timestamp that is not trusted proves no time")


def _check_store(
    document: Document,
    items: list[Examined],
    evidence: Evidence,
    store: StoreState,
    checks: Checklist,
) -> None:
    """Damaged validation data are a note where covered, and leave doubt where not."""
    last = items[-1]
    end = last.coverage.end if last.coverage and last.is_intact else 0
    is_covered = not document.data[end:].strip(b"\r\n")
    faults = [*store.faults, *evidence.faults]
    if not is_covered:
        faults += [
            *store.unexplained(document, items, evidence.signature_hashes()),
            *evidence.unverified(store.pool),
        ]
    if not faults:
        return
    detail = "; ".join(dict.fromkeys(faults))
    if is_covered:
        checks.warn("revocation", detail)
    else:
        checks.unknown("revocation", SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE, detail)


def _malformed(
    data: bytes, at: dt.datetime, check: str, detail: str, attack: Attack | None = None
) -> VerificationReport:
    checks = Checklist()
    checks.failed(check, SubIndication.FORMAT_FAILURE, detail, Integrity.MALFORMED, attack=attack)
    return _report(data, at, checks, [], {}, [])


def _report(
    data: bytes, at: dt.datetime, checks: Checklist, items: list[Examined],
    facts: dict[int, Facts], revisions: list[int], shown: Shown = NOT_COMPARED,
    named: str | None = None,
) -> VerificationReport:  # fmt: skip
    """Step 10: the worst of all signatures and of all that concerns the document."""
    total = revisions[0] if revisions else None
    signatures = tuple(
        signature_report(i, facts[id(i)], total, len(data))
        for i in items
        if not i.field.is_timestamp
    )
    timestamps = tuple(timestamp_report(i, total, len(data)) for i in items if i.field.is_timestamp)
    counted: list[Check] = list(checks.checks)
    for signature in signatures:
        counted += signature.checks
    for token in timestamps:
        # a timestamp nobody here trusts proves nothing, but takes nothing away either
        counted += [c for c in token.checks if c.integrity or c.check.startswith("cms.")]
    integrity = integrity_of(counted)
    indication, sub = conclude(counted)
    if not signatures and integrity in (Integrity.INTACT, Integrity.NONE):
        integrity = Integrity.NONE
        indication, sub = Indication.INDETERMINATE, None
        checks.unknown("file.signatures", SubIndication.SIGNED_DATA_NOT_FOUND, "not signed")
    return VerificationReport(
        indication=indication,
        sub_indication=sub,
        integrity=integrity,
        signatures=signatures,
        document_timestamps=timestamps,
        checks=checks.frozen(),
        verified_at=at,
        sha256=named or hashlib.sha256(data).hexdigest(),
        size=len(data),
        shown=shown,
    )
