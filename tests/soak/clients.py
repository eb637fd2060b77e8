"""Clients that must not lose anything: what they ask for is sent again, at another process, until it is answered."""

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from tests.soak.documents import FAMILY, Json, changes, document, reference
from tests.soak.fleet import Fleet

GRACE = ("schedule_conflict", "category_not_found", "refused_by_kaltura")  # what a document may be refused for
PAUSE = 0.2  # seconds


@dataclass
class Asked:
    """What was asked for under one reference.

    `after`: what a batch is to make of the document; `outcome`: what the answer to the batch said became of it.
    """

    document: Json
    after: Json | None = None
    outcome: str = ""
    is_cancelled: bool = False


@dataclass
class Story:
    """What happened on the way. `answers`: of each kind of request how many ended how."""

    asked: dict[str, Asked] = field(default_factory=dict)
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)  # answers that there should not be
    weather: Counter[str] = field(default_factory=Counter)
    others: int = 0  # rows in Kaltura
    kills: int = 0
    calls: int = 0
    seconds: float = 0.0


@dataclass
class Family:
    """One client with ten documents (tests/soak/documents.py).

    `until` when it waits for its documents before the batch, and `limit` until when for an answer: both monotonic.
    """

    fleet: Fleet
    story: Story
    number: int
    until: float
    limit: float

    def live(self) -> None:
        for number in range(self.number * FAMILY, (self.number + 1) * FAMILY):
            self.story.asked[reference(number)] = Asked(document(number))
            self._post(number)
        cancelled = self.number * FAMILY + 6
        self._cancel(cancelled)
        self._batch()

    def _post(self, number: int) -> None:
        """Some wait for the end, some do not."""
        wait = "wait=2" if number % 3 == 0 else "respond-async"
        answer = self._send("POST", "/recordings", document(number), wait, number)
        if not answer.is_success and answer.json().get("code") not in GRACE:
            self.story.odd.append(f"POST {reference(number)}: {answer.text}")

    def _cancel(self, number: int) -> None:
        found = self._living(number)
        if found is None:
            return
        self.story.asked[reference(number)].is_cancelled = True
        answer = self._send("DELETE", f"/recordings/{found['id']}", None, "respond-async", number)
        if not answer.is_success:
            self.story.odd.append(f"DELETE {reference(number)}: {answer.text}")

    def _batch(self) -> None:
        """Those of the batch that are scheduled in time; rooms are changed by both or by none."""
        wanted = changes(self.number)
        while not all(self._is_decided(number) for number in wanted) and time.monotonic() < self.until:
            time.sleep(PAUSE)
        found = {number: one for number in wanted if (one := self._living(number)) and one["status"] == "scheduled"}
        first = self.number * FAMILY
        if not {first, first + 1} <= found.keys():
            found = {number: one for number, one in found.items() if number not in (first, first + 1)}
        if not found:
            return
        for number in found:
            asked = self.story.asked[reference(number)]
            asked.after = asked.document | wanted[number]
        sent = {"changes": [{"id": one["id"], "patch": wanted[number]} for number, one in found.items()]}
        answer = self._send("POST", "/recordings/batch", sent, "wait=10", self.number)
        if not answer.is_success:
            self.story.odd.append(f"batch {list(found)}: {answer.text}")
            return
        for number, item in zip(found, answer.json()["items"], strict=True):
            self.story.asked[reference(number)].outcome = item["outcome"]

    def _is_decided(self, number: int) -> bool:
        found = self._living(number)
        return found is None or found["status"] != "scheduling"

    def _living(self, number: int) -> Json | None:
        """The recording of a document, unless it has failed."""
        items: list[Json] = self.fleet.get(f"/recordings?reference_id={reference(number)}")["items"]
        return next((one for one in items if one["status"] not in ("failed", "cancelled")), None)

    def _send(self, method: str, path: str, body: Json | None, wait: str, turn: int) -> httpx.Response:
        name = "batch" if path.endswith("/batch") else method
        counts = self.story.answers.setdefault(name, Counter())
        for attempt in itertools.count(turn):
            assert time.monotonic() < self.limit, f"nobody answers {method} {path}: {counts}"
            at = self.fleet.programs[attempt % len(self.fleet.programs)]
            try:
                answer = self.fleet.client.request(method, at.url + path, json=body, headers={"Prefer": wait})
            except httpx.TransportError:
                counts["cut off"] += 1
                time.sleep(PAUSE / 2)
                continue
            counts[str(answer.status_code)] += 1
            is_early = answer.status_code == httpx.codes.CONFLICT and answer.json().get("code") == "chain_running"
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE and not is_early:
                return answer
            time.sleep(PAUSE)
        raise AssertionError
