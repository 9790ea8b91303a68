"""Wire models of stacks: what opens one, what is done to its pages, what clients see of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from api.web.routes.signatures import moment
from api.web.schemas import SHA256, ErrorView, Form, Line
from dossier.intake.observations import Side
from dossier.model import JSON
from dossier.stacks.edits import Edit, Insert, Replace, edit_of
from dossier.stacks.history import InForce
from dossier.stacks.order import StackOrder
from dossier.stacks.stacks import MAX_SCANS
from dossier.stacks.values import Counts, PageState, Scan, Stack, StackPage, StackState, Way

PATH = "/v1/stacks"
Name = Annotated[Line, Field(min_length=1, max_length=200)]
PageId = Annotated[Line, Field(min_length=1, max_length=48)]
PaperId = Annotated[Line, Field(min_length=1, max_length=48)]


class StackForm(Form):
    """Where the paper is scanned, by whom, and what may separate it."""

    station: Name = Field(description="Trạm quét. / Scanning station.")
    officer: Name = Field(description="Cán bộ số hóa. / Digitizing officer.")
    reference: Line = Field(default="", max_length=200)
    profile: Literal["one-stop", "electronic-copy", "archive", "working"] = "one-stop"
    mode: Literal["faithful", "compact"] = "faithful"
    patch_separators: list[Annotated[Line, Field(max_length=16)]] = Field(
        default=[], max_length=6, description="Mã tách được dùng. / Patch codes that separate."
    )
    blank_sheets_separate: bool = False
    dossier_code: Line = Field(default="", max_length=64)
    component_code: Line = Field(default="", max_length=64)
    pages: int | None = Field(default=None, ge=1, le=5000, description="Số trang báo trước.")
    scanner: Line = Field(default="", max_length=200)
    way: Literal["http", "console", "escl"] = "http"
    urgent: bool = Field(default=False, description="Người dân đang chờ. / A citizen waits.")

    def order(self) -> StackOrder:
        """The order that this describes. Raises `InvalidOrder`."""
        entries = self.model_dump(exclude={"way", "urgent"})
        return StackOrder.from_json(entries)


class InsertForm(Form):
    """The pages of the file go into a paper, behind a page, or (empty) before its first."""

    kind: Literal["insert"]
    paper: PaperId
    after: Line = Field(default="", max_length=48)


class ReplaceForm(Form):
    """The page of the file takes the place of another one, which is set aside."""

    kind: Literal["replace"]
    page: PageId


class ScanForm(Form):
    """A file that was uploaded to /v1/blobs."""

    sha256: SHA256
    name: Line = Field(min_length=1, max_length=255, description="Tên tệp. / The file's name.")
    side: Side = Field(default=Side.SINGLE, description="Mặt giấy. / Side of the sheet.")
    position: int | None = Field(
        default=None,
        ge=0,
        lt=MAX_SCANS,
        description="Từ 0; gửi lại cùng tệp, cùng vị trí thì không thêm lần nữa. / From 0; the "
        "same file at the same position is added once, however often it is sent.",
    )
    purpose: Annotated[InsertForm | ReplaceForm, Field(discriminator="kind")] | None = Field(
        default=None, description="Quét lại hoặc chèn. / A rescan, or an insert."
    )

    def edit(self) -> Insert | Replace | None:
        """What the pages are for; what they are called is not known yet."""
        if isinstance(self.purpose, InsertForm):
            return Insert(self.purpose.paper, self.purpose.after, "")
        return None if self.purpose is None else Replace(self.purpose.page, "")


class PriorityForm(Form):
    """Whether a citizen waits for it."""

    urgent: bool


class RotateForm(Form):
    """Turn a page by clockwise quarter turns."""

    kind: Literal["rotate"]
    page: PageId
    turns: int = Field(ge=-3, le=3)


class MarkKindForm(Form):
    """A page is of an original or of a copy; empty takes it back."""

    kind: Literal["mark-kind"]
    page: PageId
    as_kind: Literal["", "original", "copy"]


class AsideForm(Form):
    """Take a page out of its paper, or put it back."""

    kind: Literal["set-aside", "bring-back"]
    page: PageId


class MoveForm(Form):
    """Put a page at a place (from 0) of a paper."""

    kind: Literal["move"]
    page: PageId
    paper: PaperId
    place: int = Field(ge=0, le=2**31 - 1)


class ReorderForm(Form):
    """Give a paper's pages another order."""

    kind: Literal["reorder"]
    paper: PaperId
    pages: list[PageId] = Field(max_length=5000)


class SplitForm(Form):
    """Begin a new paper with a page."""

    kind: Literal["split"]
    page: PageId


class MergeForm(Form):
    """Put the pages of a paper behind those of another one."""

    kind: Literal["merge"]
    paper: PaperId
    into: PaperId


class AssignForm(Form):
    """Say which component of which dossier a paper is."""

    kind: Literal["assign"]
    paper: PaperId
    dossier_code: Line = Field(max_length=64)
    component_code: Line = Field(max_length=64)


class TieNoteForm(Form):
    """A page is the second image of another one; empty takes it back."""

    kind: Literal["tie-note"]
    page: PageId
    note_of: Line = Field(max_length=48)


EditForm = Annotated[
    RotateForm
    | MarkKindForm
    | AsideForm
    | MoveForm
    | ReorderForm
    | SplitForm
    | MergeForm
    | AssignForm
    | TieNoteForm,
    Field(discriminator="kind"),
]


def edit_in(form: Form) -> Edit:
    """The edit that a form describes. Raises `InvalidOrder`."""
    entries = form.model_dump()
    return edit_of(entries | {"new_paper": ""} if isinstance(form, SplitForm) else entries)


# --- answers ---------------------------------------------------------------------------------


class CountsView(BaseModel):
    """How far the reading is."""

    scans: int
    scans_waiting: int
    pages: int
    pages_read: int
    pages_faulty: int
    is_complete: bool


class StackView(BaseModel):
    """A stack. `counts` is null in lists."""

    id: str
    state: StackState
    version: int
    way: Way
    urgent: bool
    order: dict[str, Any]
    alarms: list[Any]
    counts: CountsView | None
    error: ErrorView | None
    created_at: str
    closed_at: str | None
    arranged_at: str | None
    finished_at: str | None
    links: dict[str, str]


class ScanView(BaseModel):
    """A file of a stack. `pages` null: nobody has looked at it yet."""

    id: str
    position: int
    sha256: str
    name: str
    side: Side
    purpose: dict[str, Any] | None
    pages: int | None
    error: ErrorView | None


class StackPageView(BaseModel):
    """A page of a stack; `index` counts from 1 in its file."""

    id: str
    scan_id: str
    scan_position: int
    index: int
    state: PageState
    summary: dict[str, Any] | None
    error: ErrorView | None
    links: dict[str, str]


class ArrangementView(BaseModel):
    """How the pages lie, and what made it so."""

    seq: int
    edit: dict[str, Any]
    by: str
    at: str
    papers: list[dict[str, Any]]
    aside: list[dict[str, Any]]
    sheets: list[str]
    refused_sheets: list[str]
    separators: list[str]
    order: list[str]


def shown(stack: Stack, counts: Counts | None = None) -> dict[str, JSON]:
    """A stack as clients see it."""
    base = f"{PATH}/{stack.id}"
    links = {name: f"{base}/{name}" for name in ("scans", "pages", "arrangement")}
    return {
        "id": stack.id,
        "state": stack.state.value,
        "version": stack.version,
        "way": stack.way.value,
        "urgent": stack.priority < 0,
        "order": stack.order.to_json(),
        "alarms": list(stack.alarms),
        "counts": None if counts is None else _counts(counts),
        "error": stack.error,
        "created_at": moment(stack.created_at),
        "closed_at": moment(stack.closed_at),
        "arranged_at": moment(stack.arranged_at),
        "finished_at": moment(stack.finished_at),
        "links": {"self": base, **links},
    }


def _counts(counts: Counts) -> dict[str, JSON]:
    return {
        "scans": counts.scans,
        "scans_waiting": counts.scans_waiting,
        "pages": counts.pages,
        "pages_read": counts.pages_read,
        "pages_faulty": counts.pages_faulty,
        "is_complete": counts.is_complete,
    }


def scan_shown(scan: Scan) -> dict[str, JSON]:
    """A file as clients see it."""
    return {
        "id": scan.id,
        "position": scan.position,
        "sha256": scan.sha256,
        "name": scan.name,
        "side": scan.side.value,
        "purpose": scan.purpose,
        "pages": scan.pages,
        "error": scan.error,
    }


def page_shown(page: StackPage) -> dict[str, JSON]:
    """A page as clients see it."""
    links = {}
    if page.picture_sha256 is not None:
        links["picture"] = f"{PATH}/{page.stack_id}/pages/{page.id}/picture"
    return {
        "id": page.id,
        "scan_id": page.scan_id,
        "scan_position": page.scan_position,
        "index": page.index,
        "state": page.state.value,
        "summary": page.summary,
        "error": page.error,
        "links": links,
    }


def arrangement_shown(found: InForce) -> dict[str, JSON]:
    """An arrangement as clients see it."""
    told = {"seq": found.seq, "edit": found.edit, "by": found.by, "at": moment(found.at)}
    return told | found.arrangement.to_json()
