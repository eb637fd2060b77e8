"""Bad days that last: search engine, reservations, locks and half-done calls, as they are until told otherwise.

Read from `"modes"` of the faults' document; what is left out, or null, is off. What is half-done stays so for good,
also when the mode has ended.
"""

from dataclasses import dataclass
from typing import Any

from app.sandbox.errors import KilledError
from app.sandbox.schedule.recurrence import zone_names
from app.sandbox.validation import check_number, check_switch, refuse_unknown

ANSWERS = ("success", "none", "http_502")  # "none": the connection is closed without an answer
NEVER_INDEXED = "committed, never indexed"  # the same as true, in words


@dataclass
class Half:
    """A call that is cut short: how much of it is done, how often, and what its caller sees."""

    answer: str
    times: int | None = None  # None: every time
    children: int | None = None  # so many are in the database, None: all
    indexed: int | None = None  # so many are in the index, None: all; of an entry 0 or 1

    def strikes(self) -> bool:
        """Whether it strikes now; uses up one of `times`."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0

    def end(self) -> None:
        """Raise KilledError unless the caller is told that all went well."""
        if self.answer != "success":
            raise KilledError(self.answer)


def struck(half: Half | None) -> Half | None:
    """The mode, if it is on and strikes now."""
    return half if half and half.strikes() else None


@dataclass
class Modes:
    index_lag: float = 0.0  # seconds until filters and getConflicts see what was saved (exchanges 698 to 707)
    search_down: bool = False  # searches fail; saving events fails too, after it was done (exchanges 640 to 655)
    engine_down: bool = False  # the same, and what is saved meanwhile is never indexed afterwards either
    reservations_down: bool = False  # no resource can be reserved (exchanges 656, 657)
    server_zone: str | None = None  # in which the server keeps times (exchange 216); None: the sandbox's own
    totals_lag: float = 0.0  # seconds for which lists count events that were deleted, and do not show them
    lock_timeout: float = 0.0  # seconds for which media.add holds its categories and new users
    half_add: Half | None = None  # scheduleEvent.add of a series
    half_entry: Half | None = None  # media.add
    half_link: Half | None = None  # scheduleEventResource.add
    half_delete: Half | None = None  # scheduleEvent.delete of a series

    @property
    def engine_away(self) -> bool:
        return self.search_down or self.engine_down


def read_modes(document: Any) -> Modes:
    """Raises ValueError naming what is wrong."""
    if not isinstance(document, dict):
        raise ValueError("modes must be an object")
    refuse_unknown(document, tuple(Modes.__dataclass_fields__), "modes: ")
    given = {name: value for name, value in document.items() if value is not None}
    if given.get("engine_down") == NEVER_INDEXED:
        given["engine_down"] = True
    for name in ("index_lag", "totals_lag", "lock_timeout"):
        check_number(f"modes: {name}", given.get(name))
    for name in ("search_down", "engine_down", "reservations_down"):
        check_switch(f"modes: {name}", given.get(name, False))
    zone = given.get("server_zone")
    if zone is not None and not (isinstance(zone, str) and zone in zone_names()):
        raise ValueError("modes: server_zone must be the IANA name of a time zone, e.g. Europe/Zurich")
    for name, reader in HALVES.items():
        if name in given:
            given[name] = reader(given[name])
    return Modes(**given)


def _half_add(value: Any) -> Half:
    given = _half("half_add", value, "children", "indexed")
    if not {"children", "indexed"} & given.keys():
        raise ValueError("modes: half_add needs children or indexed")
    return Half(**{"answer": "none" if "children" in given else "success"} | given)


def _half_link(value: Any) -> Half:
    given = _half("half_link", value, "indexed")
    if "indexed" not in given:
        raise ValueError("modes: half_link needs indexed")
    return Half(**{"answer": "success"} | given)


def _half_entry(value: Any) -> Half:
    given = _half("half_entry", value, switch="indexed")
    return Half(**dict[str, Any](answer="none", indexed=True) | given)


def _half_delete(value: Any) -> Half | None:
    if isinstance(value, bool):
        return Half(answer="none") if value else None
    return Half(**{"answer": "none"} | _half("half_delete", value))


HALVES = {"half_add": _half_add, "half_entry": _half_entry, "half_link": _half_link, "half_delete": _half_delete}


def _half(mode: str, value: Any, *numbers: str, switch: str = "") -> dict[str, Any]:
    """What was given of a half-done call: `answer`, `times`, and what else this one has."""
    where = f"modes: {mode}: "
    if not isinstance(value, dict):
        raise ValueError(f"modes: {mode} must be an object")
    refuse_unknown(value, ("answer", "times", *numbers, *([switch] if switch else [])), where)
    given = {name: item for name, item in value.items() if item is not None}
    if given.get("answer", ANSWERS[0]) not in ANSWERS:
        raise ValueError(f"{where}answer must be one of {', '.join(ANSWERS)}")
    for name in ("times", *numbers):
        check_number(where + name, given.get(name), whole=True)
    if switch in given:
        check_switch(where + switch, given[switch])
    return given
