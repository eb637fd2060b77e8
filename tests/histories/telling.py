"""One history: what happens in it is drawn from its number, and in the end it is held against the model."""

import random
from datetime import timedelta

from app.database.types import utc_now
from tests.histories import trouble
from tests.histories.acts import Act, conflicts
from tests.histories.campus import Campus
from tests.recordings.changing.house import House

HISTORIES = 300  # in `make test`; `make soak` tells as many as one likes
PARTS = 3  # files of tests, which run beside each other
ACTS = 6
WEIGHTS = {
    "document": 5,
    "patch": 5,
    "swap": 2,
    "move": 3,
    "name": 2,
    "end": 5,
    "cancel": 2,
    "restore": 2,
    "delete": 1,
    "calendar": 4,
    "stranger": 2,
    "by_hand": 2,
    "device": 1,
}


def tell(running: House, number: int) -> Campus:
    """One history, to its end. Raises AssertionError with all that happened in it."""
    chance = random.Random(number)
    first = utc_now().date() + timedelta(days=40)
    campus = Campus(running, first - timedelta(days=first.weekday()))
    try:
        for _ in range(ACTS):
            _act(campus, chance)
        campus.calm()
        if campus.mend():
            campus.calm()
        assert not conflicts(campus)
        campus.holds()
    except AssertionError as wrong:
        raise AssertionError("\n".join([f"history {number}", *campus.log, str(wrong)])) from wrong
    return campus


def _act(campus: Campus, chance: random.Random) -> None:
    name = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    what, moment, happens = trouble.some(campus.house, chance)

    def settle() -> None:
        campus.log.append(f"  ({what})")
        if moment is None:
            happens()
        campus.settle(moment, happens)
        campus.house.heal()

    getattr(Act(campus, chance, settle), name)()
