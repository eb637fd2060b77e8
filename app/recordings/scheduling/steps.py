"""The steps that put a recording into Kaltura, in the order in which an encoder may see them.

    resource → conflicts → newest → template_entry → events → occurrences → exclusions → links

Linking comes last: no encoder ever sees half a series or a holiday. What is sent was decided when the document was
accepted and is the chain's input (app/recordings/document/draft.py); only ids are found out on the way.

Entry and events carry Lectern's own `referenceId` (app/resources/references.py), by which they are looked up when the
outcome of making them is unknown; `newest` finds out from which id on to look for the events. Links and cancellations
need none: they are sent again, and Kaltura's ALREADY_EXISTS or INVALID_OBJECT_ID then means that they are done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import bindparam, func, select
from sqlmodel import col

from app.chains.models import Chain
from app.chains.steps import Act, Call, Done, Outcome, Retry, Step, every
from app.kaltura.errors import Refused
from app.kaltura.types import Resource
from app.recordings.models import Recording, RecordingStatus
from app.recordings.scheduling import events, own
from app.recordings.scheduling.conflicts import CONFLICTS, resource_questions
from app.recordings.scheduling.context import Ctx, Tools, planned
from app.recordings.scheduling.events import NEWEST, newest_question, questions_by_time
from app.recordings.scheduling.lanes import making_lanes
from app.recordings.scheduling.links import LINKS, link_questions
from app.recordings.scheduling.outcomes import GONE, at, outcome
from app.recordings.scheduling.save_results import save_links, save_resource
from app.recordings.scheduling.template_entry import TEMPLATE_ENTRY, category_questions
from app.resources.lookup import in_kaltura, known_resources
from app.resources.naming import SEVERAL, unknown

log = structlog.get_logger(__name__)

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # before there was a Kaltura
# What chains that go on ask for: some may have found their resource, and have not written it down yet.
_ASKED = col(Chain.input)["resource"]
_WANTED = select(func.coalesce(_ASKED["id"].as_string(), _ASKED["system_name"].as_string())).where(
    col(Chain.finished_at).is_(None), col(Chain.subject) != bindparam("but")
)

# resource

TAKEN_TRIES = 3
TAKEN = (
    "Kaltura says that this system name is taken, and has no resource of this name: most likely one has it whose name "
    "differs in an accent. Name that one as it is written there: GET /resources lists them."
)


@outcome()
def _find_or_make_resource(context: Ctx, call: Call) -> Outcome:
    """Harmless to repeat: a system name is taken once (exchange 105), so what was made unseen is found next time."""
    client, asked = context.tools.kaltura, call.request
    makes = asked.get("kind") is not None
    found = list(in_kaltura(client, asked.get("id") or asked["system_name"], is_name=makes))
    if len(found) > 1:
        return at("ambiguous_resource", "/resource", SEVERAL)
    if not found and not makes:
        return at("resource_not_found", "/resource", unknown(asked.get("id") or asked["system_name"]))
    if not found:
        try:
            made = client.add_resource(asked["kind"], asked["name"], asked["system_name"], asked["description"])
        except Refused as refusal:
            if refusal.code != "SYSTEM_NAME_ALREADY_EXISTS":
                raise
            if context.failures < TAKEN_TRIES:
                return Retry("somebody made this resource just now", 1.0)
            return at("refused_by_kaltura", "/resource", TAKEN, kaltura_code=refusal.code)
        return Done({**_as_result(made), "made": True})
    return Done(_as_result(found[0]))


def _as_result(one: Resource) -> dict[str, Any]:
    return {
        "id": one.id,
        "system_name": one.system_name,
        "name": one.name,
        "description": one.description,
        "kind": one.kind,
    }


@outcome()
def _remove_resource(context: Ctx, _call: Call, made: Mapping[str, Any]) -> Outcome:
    """What this chain alone has made, unless somebody uses it by now, or Kaltura does not let it be deleted.

    One that was made without an answer stays: it may be somebody else's.
    """
    try:
        if not _is_used(context, made):
            context.tools.kaltura.delete_resource(made["id"])
    except Refused as refusal:
        log.info("resource_stays", resource_id=made["id"], code=refusal.code)
    return Done()


def _is_used(context: Ctx, made: Mapping[str, Any]) -> bool:
    """Whether another recording is on it, or on its way to it, or whatever else is linked to it in Kaltura."""
    others = select(col(Recording.id)).where(
        col(Recording.resource_id) == made["id"],
        col(Recording.id) != context.subject,
        col(Recording.status) != RecordingStatus.FAILED,
    )
    with context.tools.database.read() as session:
        wanted = session.execute(_WANTED, {"but": context.subject}).scalars()
        if session.execute(others.limit(1)).first() or any(one.casefold() in _names(made) for one in wanted if one):
            return True
    return bool(context.tools.kaltura.list_links_on(made["id"], LONG_AGO))


def _names(made: Mapping[str, Any]) -> set[str]:
    """What a document may call it."""
    return {str(made["id"]), str(made["system_name"]).casefold()}


def _before_anything_is_made(context: Ctx) -> list[Act]:
    """The questions of the next steps; about the resource by the id that SQL knows, if it knows one."""
    asked = context.input["resource"]
    with context.tools.database.read() as session:
        known = known_resources(session, asked.get("id") or asked["system_name"])
    about = resource_questions(context, known[0].id) if len(known) == 1 else []
    return [*about, *newest_question(context), *category_questions(context)]


# events and occurrences: what the steps behind them ask goes along as soon as it can be asked


def _behind_events(context: Ctx) -> list[Act]:
    if any(len(event["occurrences"]) > 1 for event in planned(context).values()):
        return []  # these are asked for by the id of their series
    return [*questions_by_time(context), *link_questions(context)]


def _with_occurrences(context: Ctx) -> list[Act]:
    """Where something is to be cancelled, `exclusions` asks: a change makes what was asked before it worthless."""
    made = (one for event in planned(context).values() for one in event["occurrences"])
    return link_questions(context) if all(is_wanted for *_, is_wanted in made) else []


# exclusions


def _exclusion_calls(context: Ctx) -> list[Call]:
    return [
        Call(str(event_id), {"event_id": event_id})
        for number, made in context.results["occurrences"].items()
        for (event_id, *_), (*_, is_wanted) in zip(made, planned(context)[number]["occurrences"], strict=True)
        if not is_wanted
    ]


@outcome(*GONE)
def _cancel(context: Ctx, call: Call) -> Outcome:
    own.cancel_event(context, call.request["event_id"])
    return Done()


RESOURCE: Step[Tools] = Step(
    "resource",
    lambda c: [Call("resource", c.input["resource"])] if c.input["resource"] else [],
    _find_or_make_resource,
    undo=_remove_resource,
    needs_undo=lambda found: bool(found and found.get("made")),
    lanes=making_lanes,
    save=save_resource,
    prefetch=_before_anything_is_made,
)
EVENTS: Step[Tools] = replace(events.EVENTS, prefetch_after=_behind_events)
OCCURRENCES: Step[Tools] = replace(events.OCCURRENCES, prefetch=_with_occurrences)
EXCLUSIONS = Step("exclusions", _exclusion_calls, _cancel, check=own.check, independent=every, prefetch=link_questions)

SCHEDULE: Sequence[Step[Tools]] = (
    RESOURCE,
    CONFLICTS,
    NEWEST,
    TEMPLATE_ENTRY,
    EVENTS,
    OCCURRENCES,
    EXCLUSIONS,
    replace(LINKS, save=save_links),
)
