"""The steps that make a recording's schedule events, and read back what Kaltura generated of each.

An event carries Lectern's own `referenceId`, `lectern-<recording id>-<n>` (from 1 on), by which it is looked up when
the outcome of making it is unknown.
"""

from app.chains.steps import Call, Done, Failed, Outcome, Retry, Step
from app.kaltura import types as kaltura
from app.recordings import own
from app.recordings.outcomes import GONE, NOT_OURS, outcome
from app.recordings.saving import save_events
from app.recordings.work import Ctx, Tools, generated, instant, planned, shown, template_entry
from app.resources.references import reference

# Kaltura's index may show fewer occurrences than it has made for so many seconds, in which it was asked so often: the
# time may have gone by without an answer.
INDEX_LAG, LOOKS = 60.0, 5


# events


def _event_calls(context: Ctx) -> list[Call]:
    return [Call(number, {"reference_id": reference(context.subject, number)}) for number in planned(context)]


def draft(context: Ctx, number: str) -> kaltura.EventDraft:
    event = planned(context)[number]
    return kaltura.EventDraft(
        **context.input["event"],
        start=instant(event["start"]),
        end=instant(event["end"]),
        recurrence=event["recurrence"],
        reference_id=reference(context.subject, number),
        template_entry_id=template_entry(context),
    )


@outcome()
def _make_event(context: Ctx, call: Call) -> Outcome:
    return Done(context.tools.kaltura.add_event(draft(context, call.key)).id)


@outcome()
def _find_event(context: Ctx, call: Call) -> Outcome | None:
    found = context.tools.kaltura.find_events(call.request["reference_id"])
    return Done(found[0].id) if found else None


@outcome(*GONE, NOT_OURS)
def _delete_event(context: Ctx, call: Call, made: int) -> Outcome:
    read_back = context.results.get("occurrences", {}).get(call.key)
    own.delete_whole(
        context,
        made,
        [event_id for event_id, *_ in read_back]
        if read_back
        else range(made + 1, made + 1 + len(planned(context)[call.key]["occurrences"])),  # they follow it (#218)
    )
    return Done()


# occurrences


def _each_event(context: Ctx) -> list[Call]:
    return [Call(key, {"event_id": event_id}) for key, event_id in context.results["events"].items()]


@outcome()
def _read_back(context: Ctx, call: Call) -> Outcome:
    """Kaltura's own occurrences, as `[[event id, start, end], …]`, which must be exactly those that were planned."""
    event, event_id = planned(context)[call.key], call.request["event_id"]
    if event["kind"] == "series":
        made = context.tools.kaltura.list_children(event_id)
    else:
        single = context.tools.kaltura.get_event(event_id)
        made = [single] if single else []
    got = [[event.id, int(event.start.timestamp()), int(event.end.timestamp())] for event in made]
    times = [(start, end) for _, start, end in got]
    expected = generated(event)
    if times == expected:
        return Done(got)
    may_lag = context.step_seconds < INDEX_LAG or context.failures < LOOKS
    if set(times) < set(expected) and may_lag:
        return Retry(f"Kaltura shows {len(times)} of {len(expected)} occurrences; its index may lag", 3.0)
    return Failed(
        {
            "code": "schedule_differs",
            "detail": f"Kaltura made other occurrences ({len(times)}) than were asked for ({len(expected)}).",
            "wanted": [[shown(start), shown(end)] for start, end in expected],
            "got": [[shown(start), shown(end)] for start, end in times],
        }
    )


EVENTS: Step[Tools] = Step("events", _event_calls, _make_event, _find_event, _delete_event, save=save_events)
OCCURRENCES: Step[Tools] = Step("occurrences", _each_event, _read_back)
