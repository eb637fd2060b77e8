"""A soak that finds nothing must be one that would have found it."""

from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from app.sandbox.types import ACTIVE, CANCELLED
from tests.sandbox.kaltura import Kaltura
from tests.soak import tales
from tests.soak.accounts import draw_up
from tests.soak.documents import REPEATED, Json, document, in_kaltura, sessions
from tests.soak.others import move_in

pytestmark = pytest.mark.both_databases


def test_what_others_have_is_known_byte_for_byte(tmp_path: Path) -> None:
    database = tmp_path / "sandbox.db"
    sandbox = Sandbox(str(database))
    with running(sandbox) as url, httpx.Client(base_url=url, trust_env=False, timeout=30) as kaltura:
        others = move_in(kaltura, database, 12)
        assert len(others.state["events"]) == 9 + 3 * 6  # every fifth is a series of five
        assert len(others.bookings("SOAK-000")) == 5 + 5
        assert others.changed(database) == []
        assert not any(others.without(sandbox.state()).values())

        one = others.state["events"][-1]
        Kaltura(kaltura).sign_in().update(one["id"], summary="Mine")
        assert {row.split()[0] for row in others.changed(database)} == {"events", "event_index"}
        assert [event["id"] for event in others.without(sandbox.state())["events"]] == [one["id"]]
    sandbox.close()


@pytest.mark.parametrize(("status", "wrong"), [(CANCELLED, 0), (ACTIVE, 2)])
def test_what_a_series_has_left_behind_is_wrong_as_long_as_it_stands(status: int, wrong: int) -> None:
    """Once as what a failed recording has, and once as what is nobody's."""
    failed: Json = {"id": "rec_1", "status": "failed", "reference_id": "A", "problem": None, "drift": [], "history": []}
    left = {"id": 12, "parentId": 11, "status": status, "referenceId": "lectern-rec_1-1-abc"}
    state = {"entries": [], "events": [left], "event_resources": []}
    assert len(draw_up([failed], state, {}).wrong) == wrong


def test_documents_know_their_sessions() -> None:
    assert len(sessions(document(0))) == 5  # six without the excluded one
    spring = sessions(document(3))
    lengths = [after - before for (before, _), (after, _) in pairwise(spring)]
    assert lengths == [86_400, 86_400, 82_800]
    hour = int(REPEATED.timestamp())
    assert (hour + 1800, hour + 4800) in sessions(document(2))
    assert in_kaltura((hour + 1800, hour + 4800)) == (hour - 1, hour + 4800)


def test_a_history_that_fails_is_told_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(_running: object, number: int) -> None:
        assert number != 8, "history 8\nsomebody was harmed"

    monkeypatch.setattr(tales, "tell", tell)
    (story,) = tales.told(range(7, 10))
    assert "somebody was harmed" in story
    assert story.endswith("history 8")
