"""The long proof: Schemathesis asks every operation hundreds of times.

    pytest tests/proof_schemathesis.py -q -s          make proof-schemathesis

Not collected with the other tests, whose names begin with ``test_``. The short form of it is
`tests/integration/test_openapi_schemathesis.py`.
"""

from __future__ import annotations

import pytest

from tests.asked_by_strangers import ask_everything, things_to_ask_for
from tests.fixtures_web import Web

EXAMPLES = 300


@pytest.mark.timeout(3600)
def test_every_operation_hundreds_of_times(web: Web) -> None:
    found = ask_everything(web, things_to_ask_for(web), examples=EXAMPLES, tell=print)
    print(f"{found.asked} requests, {found.unsendable} that no client can send")
    assert max(status for _, status in found.statuses) < 500
