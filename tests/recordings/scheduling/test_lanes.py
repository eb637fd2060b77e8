"""What chains of recordings wait for each other by."""

from typing import Any

from app.chains.steps import Context
from app.recordings.changing.operations import DEFINITIONS


def lanes(step: str, **given: Any) -> list[str]:
    """Those that this step of a change takes."""
    named = DEFINITIONS["update"].known[step].lanes
    assert named is not None
    context: Context[Any] = Context("chn", "rec_1", {"resource": None, "resource_id": None, **given}, {}, None)
    return list(named(context))


def of_resource(resource_id: int) -> str:
    (found,) = set(lanes("state", resource_id=resource_id)) - set(lanes("state", resource_id=resource_id + 1))
    return found


def test_lanes_of_resources_are_taken_in_the_order_of_their_ids() -> None:
    """One that was made just now has the highest, and is the last that anybody waits for."""
    ids = [1, 9, 10, 99, 100, 562_931, 1_000_000, 2**31 - 1]
    assert sorted(map(of_resource, ids)) == [of_resource(resource_id) for resource_id in ids]


def test_who_may_make_one_resource_waits_for_each_other_whatever_the_case_of_its_name() -> None:
    asked = [{"kind": "camera", "system_name": name} for name in ("Hall-1", "HALL-1", "hall-1", "hall-2")]
    same, loud, quiet, other = (lanes("resource", resource=one) for one in asked)
    assert same == loud == quiet != other
    assert lanes("resource", resource={"system_name": "hall-1"}) == []  # it can make none


def test_what_is_made_comes_before_what_is_changed() -> None:
    """A later step's lanes sort after those before it."""
    making = lanes("resource", resource={"kind": "camera", "system_name": "zzz"})
    changing = lanes("state", resource_id=2**31 - 1)
    assert max(making) < min(changing)
