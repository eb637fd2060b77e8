"""Recordings that are changed together: of each other's resources and times, so that either all are changed, or none.

Two that swap resources make what is new on the other's resource while the other is still there. Before `switch`, behind
which there is no way back, each waits in `together` for the others; there it is decided once for all
(app/chains/parties.py). A new recording that goes where another one leaves waits there, too, and is seen by nobody
before. The input of such a chain has "party": `Party.as_input()`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.chains.models import Chain
from app.chains.parties import SECONDARY, Verdict, decide, standing_of
from app.chains.steps import Call, Context, Done, Failed, Outcome, Retry, Step, every
from app.chains.store import steps_of
from app.http.errors import ScheduleConflict
from app.recordings.changing.difference import SCHEDULED
from app.recordings.document.fields import OnConflict
from app.recordings.models import Recording
from app.recordings.scheduling.context import Ctx, Tools, event_resources, instant, wanted
from app.recordings.scheduling.links import LINKS
from app.recordings.scheduling.outcomes import outcome
from app.recordings.scheduling.save_results import save_links
from app.recordings.scheduling.steps import SCHEDULE
from app.resources.conflicts import Booked, find_conflicts

TOGETHER = "together"
# Seconds between two looks at the others: at first soon, and not too often when they are many, or late.
SOON, SELDOM = 0.25, 5.0
MOST_LOOKS = 20.0  # a second, of all recordings that wait for each other


@dataclass(frozen=True, slots=True)
class Party:
    """Recordings that are changed together, or not at all.

    `items`: the place of each recording in the batch, by its id. `resources`: the ids of all that they have and are to
    have, also for single occurrences; `names` of those that are still to be made. `found`: recording id → id of the
    resource that it is to have.
    """

    id: str
    items: dict[str, int]
    resources: list[int]
    names: list[str]
    found: dict[str, int]

    def as_input(self) -> dict[str, Any]:
        """`{"items", "rooms", "names"}`, as chains keep it."""
        return {"items": self.items, "rooms": self.resources, "names": self.names}


def link(context: Ctx, call: Call) -> Outcome:
    """The step `links` of a chain of a party: links nothing once the party is refused, since who was to leave stays."""
    if context.input.get("party"):
        with context.tools.database.read() as session:
            standing = standing_of(session, context.chain_id, TOGETHER)
        refused = standing.refused or standing.verdict
        if refused:
            return _not_applied(context, refused)
    return LINKS.send(context, call)


@outcome()
def _gather(context: Ctx, _call: Call) -> Outcome:
    """The step `together`: Done with `{"at": epoch seconds of the verdict}` if all may go on, Retry while one is not
    there yet, Failed if one was refused."""
    database = context.tools.database
    with database.read() as session:
        standing = standing_of(session, context.chain_id, TOGETHER)
    verdict = standing.verdict
    if standing.is_open:
        pause = max(2 * SOON, context.step_seconds / 4, standing.size / MOST_LOOKS)
        reason = f"{len(standing.coming)} of {standing.size} recordings that are changed together are on their way"
        return Retry(reason, pause=min(pause, SELDOM))
    if verdict is None:
        with database.write() as session:
            verdict = decide(session, context.chain_id, TOGETHER, _overtaken)
    if verdict is None:
        return Retry("those that are changed together are being written just now", pause=SOON)
    return Done({"at": verdict["at"]}) if verdict["go"] else _not_applied(context, verdict)


def _not_applied(context: Ctx, verdict: Verdict) -> Failed:
    place = context.input["party"]["items"][verdict["subject"]]
    detail = _why_not(context, verdict, place)
    return Failed({"code": SECONDARY, "detail": detail, "errors": [{"pointer": f"/changes/{place}", "detail": detail}]})


def _why_not(context: Ctx, verdict: Verdict, place: int) -> str:
    """Names the other one as the client knows it: of a term, which was sent no batch, by title and section."""
    if (verdict["subject"], verdict["code"]) == (context.subject, ScheduleConflict.code):  # `_overtaken`
        return "A session that was to make room has begun meanwhile, and stays."
    with context.tools.database.read() as session:
        mine, other = (session.get_one(Recording, one) for one in (context.subject, verdict["subject"]))
    if other.term is None or other.client != mine.client:
        return f"Part {place} of the batch, with which it was to change, was not done ({verdict['code']})."
    section = f" (section {other.section})" if other.section else ""
    return f"'{other.document['title']}'{section}, with which it was to change, was not done."


def _overtaken(session: Session, chain_ids: Sequence[str], at: int) -> Verdict | None:
    """The verdict against going, if an occurrence that was to leave has begun meanwhile, and so stays in the way of
    another recording's."""
    contexts, now = _contexts(session, chain_ids), instant(at)
    running = [pair for one in contexts for pair in _running(one, now)]
    for one in contexts:
        if one.input["on_conflict"] == OnConflict.ALLOW:
            continue
        for resource_id in event_resources(one):
            ahead = [(start, end) for start, end in wanted(one, resource_id) if start > now]
            met = [other for where, other in running if where == resource_id and other.recording_id != one.subject]
            if find_conflicts(ahead, met):
                return {"go": False, "subject": one.subject, "code": "schedule_conflict"}
    return None


def _running(context: Ctx, now: datetime) -> list[tuple[int, Booked]]:
    """The recording's occurrences that run, each with the resource that it had before; a new one has none."""
    occurrences = [
        (row.get("room") or context.input["resource_id"], instant(row["start"]), instant(row["end"]))
        for event in (context.result("state")["old"] if "state" in context.results else ())
        for row in event["sessions"]
        if row["status"] == SCHEDULED
    ]
    return [
        (where, Booked(start, end, None, "lectern", context.subject, None))
        for where, start, end in occurrences
        if start <= now < end
    ]


def _contexts(session: Session, chain_ids: Sequence[str]) -> list[Context[Any]]:
    """What each of these chains has found out, as its own steps know it."""
    rows = steps_of(session, chain_ids)
    chains = session.execute(select(Chain).where(col(Chain.id).in_(chain_ids)).order_by(col(Chain.id))).scalars()
    return [
        Context(
            chain.id,
            chain.subject,
            chain.input,
            {row.name: _results(row.calls or ()) for row in rows[chain.id]},
            None,
        )
        for chain in chains
    ]


def _results(calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {call["key"]: call["result"] for call in calls if "result" in call}


GATHER: Step[Tools] = Step(
    TOGETHER,
    lambda context: [Call(TOGETHER)] if context.input.get("party") else [],
    _gather,
    announced=True,
    redo_after_stepping_aside=every,
)
SCHEDULE_TOGETHER: Sequence[Step[Tools]] = (
    *(replace(step, send=link, save=None) if step.name == LINKS.name else step for step in SCHEDULE),
    replace(GATHER, save=save_links),
)
