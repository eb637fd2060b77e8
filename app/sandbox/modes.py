"""Bad days that last: how the search engine and the reservations behave until told otherwise."""

from dataclasses import dataclass


@dataclass
class Modes:
    index_lag: float = 0.0  # seconds until filters and getConflicts see what was saved (#698 to #707)
    search_down: bool = False  # searches fail; saving events fails too, after it was done (#640 to #655)
    reservations_down: bool = False  # no resource can be reserved (#656, #657)
