"""Whatever a save does: when any reader shows other pages, the file is not accepted."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.verification.report import Indication, Integrity
from tests.forgery.rewrites import look_different, saves

EXAMPLES = 25


@pytest.mark.parametrize(
    ("source", "name"), [("victims", "openssl"), ("prepared_victims", "ours-archived")]
)
def test_no_save_that_changes_a_page_is_accepted(
    request, informed_verifier, forger, tmp_path_factory, source, name
):
    victim = request.getfixturevalue(source)[name]
    folder = tmp_path_factory.mktemp("rewrites")

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def run(data):
        forged = data.draw(saves(victim, forger))
        report = informed_verifier.verify(forged)
        assert not [c.detail for c in report.all_checks() if c.check == "file.escape"]
        accepted = report.integrity is Integrity.INTACT
        assert accepted or report.indication is not Indication.TOTAL_PASSED
        is_signed_again = len(report.signatures) > 1
        if accepted and not is_signed_again:  # a later signature may draw: judged elsewhere
            assert look_different(victim, forged, folder) == []

    run()


def test_readers_see_what_the_saves_do(forger, victims, tmp_path_factory):
    """Most of these saves are forgeries indeed: all three readers are able to tell."""
    victim = victims["openssl"]
    folder = tmp_path_factory.mktemp("readers")
    seen: set[str] = set()
    changed = [0]

    @settings(
        max_examples=12, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def run(data):
        different = look_different(victim, data.draw(saves(victim, forger)), folder)
        seen.update(different)
        changed[0] += bool(different)

    run()
    assert seen == {"pdfium", "mupdf", "poppler"}
    assert changed[0] >= 3
