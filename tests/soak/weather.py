"""What goes wrong in Kaltura: faults on a share of all calls, and bad days that change every second."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import httpx

from tests.soak.documents import SERVER, Json

REFUSED = 0.04  # of all links: refused for good, so that everything made before is undone
LATE = 2.5  # seconds: longer than Lectern waits for an answer
TURN, AT_ONCE = 1.0, 3  # seconds that bad days last; and how many at once
CLEAR: Json = {"modes": {"server_zone": SERVER}}

KINDS: tuple[Json, ...] = (
    {"fault": "drop_before"},
    {"fault": "http_500"},
    {"fault": "http_429"},
    {"fault": "html"},
    {"fault": "error"},
    {"fault": "drop_after"},
    {"fault": "truncated"},
    {"fault": "delay", "seconds": LATE},
)
BAD_DAYS: tuple[Json, ...] = (
    {"half_add": {"children": 1, "times": 2}},
    {"half_add": {"children": 2, "answer": "success", "times": 2}},
    {"half_add": {"indexed": 1, "times": 2}},
    {"half_add": {"indexed": 0, "answer": "http_502", "times": 2}},
    {"half_entry": {"times": 2}},
    {"half_entry": {"times": 2, "answer": "success"}},
    {"half_entry": {"times": 2, "indexed": False}},
    {"half_link": {"indexed": 1, "times": 2}},
    {"half_link": {"indexed": 0, "answer": "none", "times": 2}},
    {"half_delete": {"times": 2}},
    {"half_delete": {"times": 2, "answer": "success"}},
    {"totals_lag": 3.0},
    {"lock_timeout": 0.5},
    {"engine_down": True},
    {"search_down": True},
    {"reservations_down": True},
    {"index_lag": 0.5},
)

SHORT_DAYS = tuple(
    day
    for day in BAD_DAYS
    if not {"engine_down", "search_down"} & day.keys() and "indexed" not in day.get("half_add", ())
)
"""Without those after which Lectern waits a minute before it believes that the index will not hear of something."""


def faults(share: float) -> list[Json]:
    """Faults on this share of all calls, each kind as often as any other; and a few links that are refused."""
    refused = {
        "service": "schedule_scheduleEventResource",
        "action": "add",
        "fault": "error",
        "code": "SCHEDULE_RESOURCE_ID_NOT_FOUND",
        "probability": REFUSED,
    }
    each = share / len(KINDS)
    # The first that strikes a call is the only one: later ones see the rest alone.
    return [refused, *({**kind, "probability": each / (1 - n * each)} for n, kind in enumerate(KINDS))]


@contextmanager
def bad_weather(
    kaltura: httpx.Client, share: float, days: Sequence[Json], seed: int, seconds: float
) -> Iterator[Counter[str]]:
    """Until the block is left, or the time is over, and then never again; counts the turns of each bad day."""
    calm, began, chance, seen = Event(), time.monotonic(), random.Random(seed), Counter[str]()

    def change() -> None:
        while time.monotonic() - began < seconds:
            today = chance.sample(days, AT_ONCE)
            seen.update({name for modes in today for name in modes})
            modes = {name: value for day in today for name, value in day.items()}
            _put(kaltura, {"faults": faults(share), "modes": CLEAR["modes"] | modes})
            if calm.wait(TURN):
                break
        _put(kaltura, CLEAR)

    thread = Thread(target=change)
    thread.start()
    try:
        yield seen
    finally:
        calm.set()
        thread.join()


def _put(kaltura: httpx.Client, document: Json) -> None:
    kaltura.put("/_sandbox/faults", json=document).raise_for_status()
