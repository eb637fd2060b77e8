"""The step that puts a recording's events on their room.

Links need no `referenceId`: they are made again, and Kaltura's ALREADY_EXISTS then means that they are there.
"""

from app.chains.steps import Call, Done, Outcome, Step
from app.recordings import own
from app.recordings.events import draft
from app.recordings.in_the_way import others, refusal
from app.recordings.outcomes import outcome
from app.recordings.work import Ctx, room, wanted
from app.resources.conflicts import find_conflicts

LINKED = {"SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS"}


def _link_calls(context: Ctx) -> list[Call]:
    return [
        Call(number, {"event_id": event_id, "resource_id": room(context)})
        for number, event_id in context.results["events"].items()
    ]


@outcome(*LINKED)
def _link(context: Ctx, call: Call) -> Outcome:
    """Asks for conflicts once more, which reserves the resource for this session for five seconds, and links."""
    client, event_id, resource_id = context.tools.kaltura, call.request["event_id"], call.request["resource_id"]
    if context.input["on_conflict"] != "allow":
        met = client.get_conflicts([resource_id], draft(context, call.key), event_id, kind="both")
        # Kaltura's answers on excluded days are dropped: nothing is recorded then.
        refused = refusal(context, find_conflicts(wanted(context), others(context, met)))
        if refused:
            return refused
    client.add_link(event_id, resource_id)
    return Done()


LINKS = Step("links", _link_calls, _link, check=own.check)  # nothing to undo: a link goes with its event (#473, #499)
