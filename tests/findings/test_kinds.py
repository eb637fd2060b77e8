"""The page of docs says what there is, and every kind has its test."""

import re
from pathlib import Path

import pytest

from app.findings.kinds import KINDS, table
from app.findings.schemas import Kind
from tests.operations.test_metrics import scraped
from tests.service import Lectern

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/findings.md").read_text(encoding="utf-8")


def test_the_table_of_kinds_is_the_code() -> None:
    (shown,) = re.findall(r"<!-- findings:[^>]*-->\n(.*?)\n<!-- /findings -->", PAGE, re.DOTALL)
    assert shown == table(), "paste what app.findings.kinds.table() answers"


def test_every_kind_is_described_and_tried() -> None:
    assert set(KINDS) == set(Kind)
    tried = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in Kind if f'"{kind}"' not in tried] == []


@pytest.mark.parametrize("kind", Kind)
def test_what_is_said_is_a_sentence(kind: Kind) -> None:
    for said in (KINDS[kind].raised, KINDS[kind].what_to_do):
        assert re.fullmatch(r"[A-Z].*[.]", said)


def test_each_kind_is_a_gauge_and_is_counted(service: Lectern) -> None:
    def gauges() -> dict[str, float]:
        samples = scraped(service)["lectern_findings"]
        return {dict(labels)["kind"]: value for labels, value in samples.items()}

    assert gauges() == dict.fromkeys(Kind, 0.0)
    service.client.put("/resources/EXTRON-100-ABC/state", json={"state": "error"})
    service.app.state.findings._lately = None
    assert gauges() == dict.fromkeys(Kind, 0.0) | {"encoder_error": 1.0}
