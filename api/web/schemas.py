"""Wire models: what clients send, checked strictly; what they get, described for OpenAPI.

Answers are built from plain values and not validated again: their models describe, and the tests
compare them with what really comes.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from dossier.model import RecordState, Role
from dossier.register.codes import REFERENCE_PATTERN
from dossier.signing.order import SignatureOrder
from signer.sealing.levels import Level

SHA256_PATTERN = r"^[0-9a-f]{64}$"
ID_PATTERN = r"^[a-z]{2,4}_[0-9a-z]{26}$"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("control characters are not accepted")
    return text


Line = Annotated[str, AfterValidator(_printable)]
"""Text on one line, without control characters."""

SHA256 = Annotated[str, Field(pattern=SHA256_PATTERN, description="SHA-256, hex.")]
DigestPath = Annotated[str, Path(pattern=SHA256_PATTERN, description="SHA-256, hex.")]
IdPath = Annotated[str, Path(pattern=ID_PATTERN, description="Mã. / Identifier.")]
ResultReference = Annotated[
    Annotated[str, Field(pattern=REFERENCE_PATTERN)] | None,
    Field(
        description="Mã kết quả theo hồ sơ, như H22.12-220105-0007-KQ1. / The dossier's own code "
        "of its result."
    ),
]
LevelName = Literal["B-B", "B-T", "B-LT", "B-LTA"]


class Form(BaseModel):
    """Something that a client sends: no entry that we do not know."""

    model_config = ConfigDict(extra="forbid")


class OrderForm(Form):
    """What is to be signed with, and how the result looks and counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "leader",
                    "profiles": ["P1"],
                    "level": "B-LTA",
                    "from_book": True,
                    "symbol": "QĐ-UBND",
                    "decided_on": "2026-01-05",
                    "reason": "Ban hành quyết định",
                }
            ]
        }
    )

    key: Line = Field(min_length=1, max_length=64, description="Nhãn khóa ký. / Key label.")
    profiles: list[Annotated[Line, Field(min_length=1, max_length=32)]] = Field(
        default=[],
        max_length=8,
        description="Mẫu hiển thị, mỗi mẫu một chữ ký; bỏ trống: chữ ký ẩn. / Appearance "
        "profiles, one signature each; none: an invisible one.",
    )
    level: LevelName = Field(default="B-B", description="PAdES (ETSI EN 319 142-1).")
    number: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Số văn bản. / Decision number."
    )
    symbol: Line | None = Field(
        default=None, min_length=1, max_length=64, description="Ký hiệu. / Symbol."
    )
    from_book: bool = Field(
        default=False, description="Lấy số kế tiếp của sổ. / Take the book's next number."
    )
    decided_on: date | None = Field(default=None, description="Ngày ban hành. / Decision date.")
    reason: Line | None = Field(default=None, max_length=500)
    location: Line | None = Field(default=None, max_length=200)
    expected_agency: Line | None = Field(
        default=None,
        max_length=500,
        description="Tổ chức phải có trong chứng thư. / Organisation that the certificate names.",
    )
    copy_form: Literal["SY", "TRS", "SL"] | None = Field(
        default=None, description="Hình thức sao. / Form of copy."
    )
    supersedes: str | None = Field(
        default=None,
        pattern=ID_PATTERN,
        description="Hồ sơ ký bị thay thế. / The record that this one replaces.",
    )
    field_name: Line | None = Field(default=None, min_length=1, max_length=64)
    result_reference: ResultReference = None
    proof_code: bool | None = Field(
        default=None,
        description="In mã QR xác thực; bỏ trống: theo cấu hình. / Print the code that proves the "
        "result; left out: as the installation has it.",
    )
    holder: Line | None = Field(
        default=None,
        max_length=120,
        description="Người được cấp; mã chỉ ghi tên đã che. / The holder; the code masks the name.",
    )
    valid_until: date | None = Field(
        default=None, description="Ngày cuối có giá trị, ghi trong mã. / Last day, in the code."
    )

    def order(self) -> SignatureOrder:
        """The order that this describes. Raises `InvalidOrder` where it contradicts itself."""
        return SignatureOrder(
            key=self.key,
            profiles=tuple(self.profiles),
            level=Level(self.level),
            number=self.number,
            symbol=self.symbol,
            from_book=self.from_book,
            decided_on=self.decided_on,
            reason=self.reason,
            location=self.location,
            expected_agency=self.expected_agency,
            copy_form=self.copy_form,
            supersedes=self.supersedes,
            field_name=self.field_name,
            result_reference=self.result_reference,
            proof_code=self.proof_code,
            holder=self.holder,
            valid_until=self.valid_until,
        )


class BlobReference(Form):
    """A document that was uploaded before."""

    sha256: SHA256


class SignatureForm(Form):
    """An order for a document that was uploaded before."""

    document: BlobReference
    order: OrderForm


# --- answers ---------------------------------------------------------------------------------


class ErrorView(BaseModel):
    """Why something failed."""

    kind: str
    message: str


class EndingView(BaseModel):
    """Who ended what a published record was worth, when and why. `by` is the superseding record."""

    event: Literal["annulled", "superseded"]
    reason: str | None
    by: str | None
    at: datetime
    principal: str


class RecordView(BaseModel):
    """A signature record."""

    id: str
    code: str = Field(description="Mã kết quả, in trên văn bản. / Printed on the result.")
    state: RecordState
    version: int
    order: dict[str, Any]
    level: LevelName
    number: int | None
    symbol: str | None
    year: int | None
    source_sha256: str
    result_sha256: str | None
    report_sha256: str | None
    evidence_sha256: str | None
    result_bytes: int | None
    supersedes: str | None
    superseded_by: str | None
    ending: EndingView | None
    batch_id: str | None
    batch_position: int | None
    sequence_id: str | None
    attempts: int
    error: ErrorView | None
    created_at: datetime
    published_at: datetime | None
    renew_at: datetime | None
    links: dict[str, str]


class BlobView(BaseModel):
    """A blob, or how far its upload is."""

    sha256: str
    offset: int
    total: int | None
    complete: bool


class KeyView(BaseModel):
    """A signing key of the caller."""

    label: str
    state: Literal["enabled", "disabled", "expired", "not-yet-valid"]
    schemes: list[str]
    hardware: bool
    subject: str
    issuer: str
    serial: str
    valid_from: datetime
    valid_to: datetime
    certificate: str = Field(description="PEM")
    chain: list[str] = Field(description="PEM")


class ProfileView(BaseModel):
    """An appearance profile."""

    id: str
    title: str
    legal_basis: str
    valid_from: date
    valid_to: date | None
    in_force: bool
    rule: dict[str, Any]


class JobView(BaseModel):
    """A durable job."""

    id: str
    queue: str
    kind: str
    subject: str
    state: Literal["ready", "running", "done", "failed", "cancelled"]
    attempts: int
    crashes: int
    error: ErrorView | None
    run_at: datetime
    created_at: datetime
    finished_at: datetime | None


class AuditView(BaseModel):
    """One entry of the audit chain."""

    seq: int
    at: datetime
    event: str
    actor: str
    agency: str | None
    subject: str
    details: dict[str, Any]
    entry_sha256: str
    link_sha256: str


class PolicyForm(Form):
    """What an agency may do; see `dossier.identity.AgencyPolicy`."""

    keys: list[Annotated[Line, Field(min_length=1, max_length=64)]] = Field([], max_length=200)
    separation_of_duties: bool = True
    two_person_batches: bool = False
    blob_quota_bytes: int = Field(100 * 2**30, ge=0, le=2**62)
    batch_documents: int = Field(50_000, ge=0, le=1_000_000)
    open_batches: int = Field(50, ge=0, le=100_000)


class AgencyForm(Form):
    """A new agency."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    name: Line = Field(min_length=1, max_length=200)
    policy: PolicyForm = PolicyForm()


class AgencyChange(Form):
    """What changes; entries that are left out stay."""

    name: Line | None = Field(default=None, min_length=1, max_length=200)
    policy: PolicyForm | None = None
    closed: bool | None = None


class AgencyView(BaseModel):
    """An agency."""

    id: str
    name: str
    policy: PolicyForm
    created_at: datetime
    closed_at: datetime | None
    version: int


class LimitsForm(Form):
    """How much one client may ask for; see `dossier.identity.Limits`."""

    requests_per_s: float = Field(500.0, gt=0, le=1e6, allow_inf_nan=False)
    burst: int = Field(2000, ge=1, le=1_000_000)
    body_bytes: int = Field(200 * 2**20, ge=0, le=2**40)
    open_jobs: int = Field(50_000, ge=0, le=10_000_000)
    require_signed_requests: bool = False


Labels = Annotated[list[Annotated[Line, Field(min_length=1, max_length=64)]], Field(max_length=200)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-fA-F:]{64,95}$")]
Subject = Annotated[Line, Field(min_length=3, max_length=500, pattern=r"^\S+ \S")]


class ClientForm(Form):
    """A new client system, or a user."""

    agency_id: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,31}|\*)$")]
    kind: Literal["client", "user"] = "client"
    name: Line = Field(min_length=1, max_length=200)
    roles: list[Role] = Field(min_length=1, max_length=6)
    keys: Labels = []
    certificate_sha256: Fingerprint | None = None
    oidc_subject: Subject | None = Field(default=None, description="ISSUER SUBJECT")
    limits: LimitsForm = LimitsForm()
    expires_at: AwareDatetime | None = None


class ClientChange(Form):
    """What changes; entries that are left out stay, null takes one away."""

    name: Line = Field(default="", min_length=1, max_length=200)
    roles: list[Role] = Field(default=[], min_length=1, max_length=6)
    keys: Labels = []
    certificate_sha256: Fingerprint | None = None
    oidc_subject: Subject | None = None
    limits: LimitsForm = LimitsForm()
    expires_at: AwareDatetime | None = None
    disabled: bool = False


class ClientView(BaseModel):
    """A client system or a user."""

    id: str
    agency_id: str
    kind: Literal["client", "user"]
    name: str
    roles: list[Role]
    keys: list[str]
    certificate_sha256: str | None
    oidc_subject: str | None
    limits: LimitsForm
    created_at: datetime
    expires_at: datetime | None
    disabled_at: datetime | None
    version: int


class KeyIssueForm(Form):
    """A new API key; what is left out is all that its owner has."""

    roles: list[Role] | None = Field(default=None, max_length=6)
    keys: Labels | None = None
    expires_at: AwareDatetime | None = None


class APIKeyView(BaseModel):
    """An API key; its text is shown once, when it is issued."""

    id: str
    principal_id: str
    roles: list[Role] | None
    keys: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    text: str | None = Field(default=None, description="Chỉ khi mới cấp. / When issued only.")


Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page of a list; `next` is the cursor of the next one."""

    items: list[Item]
    next: str | None
