"""Every error class has a headline in two languages and an exit code of its kind."""

from __future__ import annotations

import errno
import inspect

import pytest

from api import errors as api_errors
from api import problems
from dossier import errors as dossier_errors
from hsm import errors as hsm_errors
from ocr import errors as ocr_errors
from signer import errors as signer_errors

CLASSES = [
    member
    for module in (api_errors, dossier_errors, hsm_errors, ocr_errors, signer_errors)
    for _, member in inspect.getmembers(module, inspect.isclass)
    if member.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_is_explained(kind: type[BaseException]) -> None:
    found = [problems.PROBLEMS[base] for base in kind.__mro__ if base in problems.PROBLEMS]
    assert found, f"{kind.__name__} has no entry in api/problems.py"
    assert found[0].exit_code not in (0, 2)
    not_genuine = (signer_errors.SignatureNotValid, signer_errors.StatementInvalid)
    assert (found[0].exit_code == 1) == (kind in not_genuine)
    assert found[0].headline_vi
    assert found[0].headline_en
    assert 400 <= found[0].status < 600


def test_the_most_derived_class_wins() -> None:
    error = ocr_errors.EncryptedFile("needs a password", source="a.pdf", page=None)
    report = problems.report(error)
    assert report.problem.headline_en == "Encrypted file"
    assert report.message == "a.pdf: needs a password"
    assert report.to_json() == {
        "error": {
            "kind": "EncryptedFile",
            "headline": {"vi": "Tệp có mật khẩu", "en": "Encrypted file"},
            "message": "a.pdf: needs a password",
            "exit_code": 4,
        }
    }


def test_unknown_errors_are_opaque_and_numbered() -> None:
    report = problems.report(ZeroDivisionError("secret detail"))
    assert report.problem.exit_code == 3
    assert report.error_id
    assert "secret" not in str(report.to_json())
    assert report.to_json()["error"]["error_id"] == report.error_id  # type: ignore[index]


def test_a_full_disk_is_said_plainly() -> None:
    report = problems.report(OSError(errno.ENOSPC, "No space left on device", "/out/x.pdf"))
    assert "disk full" in report.message
    assert report.problem.exit_code == 8


def test_a_spoilt_catalogue_says_what_to_do() -> None:
    """The service cannot work with it, and whoever runs it is told which file and entry."""
    told = problems.report(
        dossier_errors.CatalogueUnusable("mau.toml", "type X", "thiếu tên", "no name")
    )
    assert (told.code, told.problem.status, told.problem.exit_code) == (
        "catalogue-unusable",
        503,
        9,
    )
    assert "mau.toml, type X" in told.message
    assert "Hãy sửa theo mẫu" in told.message
