"""How an encoder knows the service's time, whatever its own clock says."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.watch.clock import Bounds, heard

NOON = datetime(2027, 1, 13, 12, tzinfo=UTC)


def test_an_answer_says_it_to_a_second_and_to_how_long_it_took() -> None:
    bounds = heard(None, NOON, asked=100.0, answered=100.2)
    assert bounds.at(100.1) - NOON < timedelta(seconds=0.6)
    assert bounds.high - bounds.low < 1.3


def test_an_answer_that_contradicts_all_before_is_believed() -> None:
    before = heard(None, NOON, 100.0, 100.1)
    after = heard(before, NOON + timedelta(minutes=5), 101.0, 101.1)
    assert abs(after.at(101.0) - NOON - timedelta(minutes=5)) < timedelta(seconds=1)


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 100_000), st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=50),
)
def test_answers_together_never_say_more_than_they_know(off: float, asked: list[tuple[float, float, float]]) -> None:
    """The service's clock is `off` from the steady one; each answer takes its time there and back."""
    known: Bounds | None = None
    for steady, there, back in sorted(asked):
        said = datetime.fromtimestamp(int(NOON.timestamp() + off + steady + there), UTC)
        known = heard(known, said, steady, steady + there + back)
        assert known.low - 0.001 <= NOON.timestamp() + off <= known.high + 0.001
