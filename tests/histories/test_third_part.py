"""Whatever is done, in any order, and whatever goes wrong at any call: the feed = the model = what Kaltura holds."""

import pytest

from tests.histories.telling import HISTORIES, PARTS, tell
from tests.recordings.changing.house import House, Moment


@pytest.mark.always
@pytest.mark.parametrize("number", range(2, HISTORIES, PARTS))
def test_in_the_end_the_feed_is_the_model_is_what_kaltura_holds(empty: tuple[House, Moment], number: int) -> None:
    running, beginning = empty
    running.back_to(beginning)
    tell(running, number)
