"""Faults on purpose, and the document of `PUT /_sandbox/faults` that sets them.

    {"latency": seconds, "faults": [{"fault", "service", "action", "times" | "probability", …}], "modes": {…}}

A fault strikes `times` times, or with `probability`, or without either always; the first one in the list that
matches a call strikes it. `service` and `action` may be `*`.
"""

import random
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.trouble.modes import Modes, read_modes
from app.sandbox.validation import check_number, refuse_unknown

# What the caller of a call that is struck sees. Of some kinds nothing is done, of the others all is done.
NOTHING_DONE = {
    "drop_before": "the connection is closed without an answer",
    "http_500": "500 with an empty body",
    "http_429": "429, with Retry-After if retry_after (seconds) is given",
    "html": "200 with a page of HTML, as from a proxy in between",
    "error": "200 with a KalturaAPIException of the code that is given",
}
ALL_DONE = {
    "drop_after": "the connection is closed without an answer",
    "truncated": "200 with the first half of the answer",
    "delay": "the answer, so many seconds late",
}
KINDS = NOTHING_DONE | ALL_DONE
OF_A_PART = {
    "error": "of a multirequest, this part alone is refused",
    "http_500": "of a multirequest, the parts before it are done (exchange 596)",
}


@dataclass
class Fault:
    fault: str
    service: str = "*"
    action: str = "*"
    times: int | None = None
    probability: float | None = None
    seconds: float = 0.0
    retry_after: int | None = None
    code: str = "INTERNAL_SERVERL_ERROR"

    def __post_init__(self) -> None:
        if self.fault not in KINDS:
            raise ValueError(f"fault must be one of {', '.join(KINDS)}")
        check_number("times", self.times, whole=True)
        check_number("probability", self.probability, at_most=1)
        check_number("seconds", self.seconds)
        check_number("retry_after", self.retry_after, whole=True)
        for name in ("service", "action", "code"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be a string")

    def matches(self, service: str, action: str) -> bool:
        return self.service.lower() in ("*", service.lower()) and self.action.lower() in ("*", action.lower())

    def strikes(self) -> bool:
        """Whether it strikes now; uses up one of `times`."""
        if self.probability is not None:
            return random.random() < self.probability  # noqa: S311 - chance, not a secret
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


@dataclass
class Faults:
    """All that goes wrong on purpose: `latency` seconds before every answer, the faults, the modes."""

    latency: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    modes: Modes = field(default_factory=Modes)

    def striking(
        self, service: str, action: str, *, only: Container[str] = KINDS, but: Container[str] = ()
    ) -> Fault | None:
        """The first fault, of some kinds, that strikes such a call now."""
        found = (one for one in self.faults if one.fault in only and one.fault not in but)
        return next((one for one in found if one.matches(service, action) and one.strikes()), None)


def read_faults(document: Any) -> Faults:
    """The document as an object; raises ValueError naming what is wrong. What is left out is off."""
    if not isinstance(document, dict):
        raise ValueError("the body must be a JSON object")
    refuse_unknown(document, ("latency", "faults", "modes"), "")
    latency = document.get("latency", 0.0)
    check_number("latency", latency)
    listed = document.get("faults", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise ValueError("faults must be a list of objects")
    for one in listed:
        refuse_unknown(one, tuple(Fault.__dataclass_fields__), "faults: ")
        if "fault" not in one:
            raise ValueError("faults: each needs a fault")
    return Faults(latency, [Fault(**one) for one in listed], read_modes(document.get("modes", {})))
