"""What goes wrong in a history while chains are at work: at one moment of them, or from the beginning on."""

import random
from collections.abc import Callable

from tests.histories.model import Json
from tests.recordings.changing.house import House, die

ONCE = ("drop_before", "drop_after", "http_500", "http_429", "html", "truncated")
BAD_DAYS: tuple[Json, ...] = (
    {"index_lag": 0.05},
    {"search_down": True},
    {"reservations_down": True},
    {"half_delete": {"times": 1}},
    {"half_link": {"indexed": 1, "times": 1}},
    {"totals_lag": 30.0},
    {"half_entry": {"times": 1}},
    {"half_entry": {"times": 1, "answer": "success"}},
    {"lock_timeout": 600.0},  # whoever is first; all others are too late
    {"half_add": {"children": 0, "times": 1}},
    {"half_add": {"children": 1, "answer": "success", "times": 2}},
    {"half_add": {"indexed": 1, "answer": "http_502", "times": 1}},
    {"half_add": {"indexed": 0, "times": 3}},
)
UNSEEN = ("scheduleEvent.add", {"engine_down": True})
REFUSAL: Json = {"fault": "error", "code": "INVALID_PARAMETER_CHAR", "times": 1}
REFUSED_AT = (
    ("media", "add"),
    ("media", "update"),
    ("schedule_scheduleEvent", "add"),
    ("schedule_scheduleEvent", "update"),
    ("schedule_scheduleEventResource", "add"),
)
MOMENTS = 30  # of a chain: about as many as most have


def some(house: House, chance: random.Random) -> tuple[str, int | None, Callable[[], None]]:
    """One trouble: what it is, and at which moment (None: from the beginning) it is to happen."""
    moment = chance.randrange(MOMENTS)
    kind = chance.random()
    if kind < 0.3:
        return "nothing", None, lambda: None
    if kind < 0.5:
        return f"killed at {moment}", moment, die
    if kind < 0.7:
        fault = chance.choice(ONCE)
        return f"{fault} at {moment}", moment, lambda: house.fault(fault, times=1)
    if kind < 0.8:
        service, action = chance.choice(REFUSED_AT)
        one = {**REFUSAL, "service": service, "action": action}
        return f"{service}.{action} is refused", None, lambda: house.sandbox.set_faults({"faults": [one]})
    if kind < 0.85:
        return f"{UNSEEN}", None, lambda: setattr(house, "during", UNSEEN)
    modes = chance.choice(BAD_DAYS)
    return f"{modes}", None, lambda: house.sandbox.set_faults({"modes": modes})
