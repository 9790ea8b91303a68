"""The proof bundle of a record: everything that proves it, in one ZIP, for its agency.

A citizen who has the document gets the same from /verify. By the code alone nobody gets it: the
document is in it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from api.web.doorway import CurrentCaller, CurrentHouse, blocking
from api.web.downloads import disposition
from api.web.problem_documents import problems
from dossier.bundle.making import Parts, make_bundle
from dossier.errors import StateConflict
from dossier.register.codes import printed, read_code
from dossier.register.proof import prove

if TYPE_CHECKING:
    from api.house import House
    from dossier.model import Caller

router = APIRouter(tags=["Kết quả đã ban hành / Issued results"])
_ZIP = "application/zip"
_BUNDLE: dict[str, Any] = {
    "description": "Gói bằng chứng. / The proof bundle.",
    "content": {_ZIP: {"schema": {"type": "string", "format": "binary"}}},
}


@router.get(
    "/v1/records/{code}/bundle",
    responses={200: _BUNDLE, **problems(401, 404, 409, 413, 422, 429)},
    response_class=Response,
    summary="Gói bằng chứng của một kết quả. / The proof bundle of a result.",
)
async def get_bundle(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    code: Annotated[str, Path(min_length=1, max_length=64, examples=["7K2M-9QXT-4AHW-C3RN"])],
) -> Response:
    """One ZIP: the PDF, its evidence, trusted roots, proof of registration, and a verifier.

    `verify.py` in it needs Python and `cryptography` alone. The record has to be the caller's
    agency's; a checkpoint of the register has to cover it (409 until then).
    """
    kept = read_code(code)
    async with request.app.state.verifying:
        content = await blocking(_made, house, caller, kept)
    headers = {
        "content-disposition": disposition(f"{printed(kept)}.zip"),
        "cache-control": "private, no-store",
    }
    return Response(content, media_type=_ZIP, headers=headers)


def _made(house: House, caller: Caller, code: str) -> bytes:
    record = house.records.with_code(caller, code)
    if record.result_sha256 is None:
        raise StateConflict(
            f"Hồ sơ ký đang ở trạng thái “{record.state}”; hãy đợi phát hành. / The record is "
            f"{record.state}; wait until it is published."
        )
    proof = prove(house.register.log, code)
    snapshot = house.trust.snapshot()
    with house.blobs.local(record.result_sha256) as path:
        report = json.loads(house.verifier.verify(path))
        return make_bundle(Parts(path.read_bytes(), report, snapshot, proof, code))
