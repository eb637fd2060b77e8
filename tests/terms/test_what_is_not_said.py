"""A declaration that does not say all of a section: what it does not say stays as it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Json
from tests.terms.campus import Registrar, but, campus, counts, section

ALONE = section("7", days=["WE"])
LEAD = section("301", "SCI 210", group="X")
OTHER = section("302", "SCI 210", group="X", title="The same, for others", instructors=["ta1"])


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with campus(tmp_path) as registrar:
        registrar.set(cross_listing="group")
        yield registrar


def kept(registrar: Registrar) -> list[tuple[str, str, str]]:
    """What the term keeps, and how."""
    return sorted((one["section"], one["start"], one["title"]) for one in registrar.recordings(status="scheduled"))


def unreadable(one: Json) -> Json:
    return {**one, "status": "X"}


@pytest.mark.parametrize("changes", [{"days": ["FR"], "room": "SCI 210"}, {"days": ["FR"]}, {"start": "08:00"}])
def test_a_row_that_can_be_read_does_not_take_the_recording_of_one_that_cannot(
    registrar: Registrar, changes: Json
) -> None:
    registrar.applied([ALONE])
    before = kept(registrar)
    meetings = [but(ALONE, days="nonsense")["meetings"][0], but(ALONE, **changes)["meetings"][0]]
    plan = registrar.plan([{**ALONE, "meetings": meetings}])
    assert {"change", "cancel", "missing"}.isdisjoint(counts(plan))
    assert counts(plan)["rejected"] == 1
    registrar.apply(plan)
    assert set(before) <= set(kept(registrar))


def test_a_meeting_that_is_the_very_same_is_itself_all_the_same(registrar: Registrar) -> None:
    registrar.applied([ALONE])
    meetings = [but(ALONE, days="nonsense")["meetings"][0], ALONE["meetings"][0]]
    assert counts(registrar.plan([{**ALONE, "meetings": meetings}])) == {"unchanged": 1, "rejected": 1}


@pytest.mark.parametrize("alone", [LEAD, OTHER])
def test_one_of_the_sections_that_share_a_recording_says_nothing_of_the_other(
    registrar: Registrar, alone: Json
) -> None:
    registrar.applied([LEAD, OTHER])
    plan = registrar.plan([alone], complete=False)
    assert (plan["status"], counts(plan)) == ("nothing_to_do", {"unchanged": 1})
    (readable, wrong) = (alone, LEAD if alone is OTHER else OTHER)
    assert counts(registrar.plan([readable, unreadable(wrong)])) == {"unchanged": 1, "rejected": 1}
    assert counts(registrar.plan([LEAD, OTHER])) == {"unchanged": 1}


@pytest.mark.parametrize("leaves", [{"status": "cancelled"}, {"record": False}])
def test_one_that_leaves_does_not_take_the_other_s_along(registrar: Registrar, leaves: Json) -> None:
    registrar.applied([LEAD, OTHER])
    assert counts(registrar.plan([{**LEAD, **leaves}], complete=False)) == {"skipped": 1}
    assert counts(registrar.plan([{**LEAD, **leaves}, unreadable(OTHER)])) == {"skipped": 1, "rejected": 1}


def test_one_that_moves_away_leaves_the_other_where_it_is(registrar: Registrar) -> None:
    registrar.applied([LEAD, OTHER])
    plan = registrar.plan([but(LEAD, start="14:00", end="14:50")], complete=False)
    assert counts(plan) == {"create": 1}
    registrar.apply(plan)
    assert [start[11:] for _, start, _ in kept(registrar)] == ["09:00:00", "14:00:00"]
    whole = registrar.plan([but(LEAD, start="14:00", end="14:50"), OTHER])
    assert {"create", "cancel"}.isdisjoint(counts(whole))


@pytest.mark.parametrize("lost", [{"room": None}, {"start": None, "end": None}])
def test_in_what_is_not_complete_nothing_is_missing(registrar: Registrar, lost: Json) -> None:
    registrar.applied([ALONE])
    plan = registrar.plan([but(ALONE, **lost)], complete=False)
    assert (plan["status"], counts(plan)) == ("nothing_to_do", {"skipped": 1})
    assert "missing" not in plan["summary"]
