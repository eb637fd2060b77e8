"""Kaltura's errors as outcomes of a step (app/chains/steps.py), and refusals of Lectern's own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

from app.chains.steps import Done, Failed, Outcome, Retry, Unknown
from app.kaltura.errors import KalturaError, Refused, Transient
from app.kaltura.errors import Unknown as UnknownOutcome

NOT_OURS = "not_ours"
# What Kaltura says when a thing that is to go is not there.
GONE = {"INVALID_OBJECT_ID", "ENTRY_ID_NOT_FOUND", "SCHEDULE_EVENT_ID_NOT_FOUND"}
IGNORED_TRIES = 3  # in which Kaltura may show an old state after a change

ADVICE = {
    "SERVICE_FORBIDDEN": "Its sign-in may not do this: ask your Kaltura account manager for the schedule feature.",
    "MAX_CATEGORIES_FOR_ENTRY_REACHED": "Name fewer categories.",
    "ENTRY_ID_NOT_FOUND": "Somebody deleted the template entry just now: send the change again.",
    "INVALID_PARAMETER_CHAR": "Take unusual characters out of the title and the names.",
    "UNSAFE_HTML_TAGS": "This account takes no HTML: take it out of the title and the description.",
}


class Foreign(Exception):  # noqa: N818 - a verdict, not a mishap
    """Under these ids Kaltura has what this recording did not make."""

    def __init__(self, ids: Iterable[int | str]) -> None:
        super().__init__(NOT_OURS)
        self.ids = list(ids)


class Ignored(Exception):  # noqa: N818
    """Kaltura says that it has changed something, and shows it otherwise: `reason` is one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def outcome(*done: str) -> Callable[[Callable[..., Outcome | None]], Callable[..., Any]]:
    """For a step's function: what it raises of Kaltura's errors becomes an outcome.

    A refusal with one of the codes `done` says that what is asked for is so already, and is Done.

    `NOT_OURS` among them: what somebody else has under the id by now is not there any more, for an undo.
    """

    def decorate(act: Callable[..., Outcome | None]) -> Callable[..., Any]:
        @wraps(act)
        def translated(context: Any, *args: Any) -> Outcome | None:
            try:
                return act(context, *args)
            except Foreign as found:
                return Done() if NOT_OURS in done else _foreign(found)
            except Ignored as found:
                return Retry(found.reason) if context.failures < IGNORED_TRIES else _ignored(found)
            except Refused as refusal:
                return Done() if refusal.code in done else _refused(refusal)
            except Transient as error:
                return Retry(error.reason, error.retry_after, _pause(error))
            except UnknownOutcome as error:
                perhaps = _refused(error.refusal).error if error.refusal else None
                return Unknown(error.reason, _pause(error), error.retry_after, perhaps)

        return translated

    return decorate


def _pause(error: KalturaError) -> float | None:
    """While nobody gets an answer, all chains wait together, as long as the gate to Kaltura says."""
    return error.retry_after if error.outage else None


def _refused(refusal: Refused) -> Failed:
    advice = ADVICE.get(refusal.code, "Change the document accordingly, or ask whoever looks after your Kaltura.")
    return Failed(
        {
            "code": "refused_by_kaltura",
            "detail": f"Kaltura answered {refusal.code}. {advice}",
            "kaltura_code": refusal.code,
        }
    )


def _foreign(found: Foreign) -> Failed:
    some = ", ".join(map(str, found.ids[:5])) + ("…" if len(found.ids) > 5 else "")
    detail = f"What Kaltura has as {some} is not this recording's: it was not made by it. Nothing of it was touched."
    return Failed({"code": NOT_OURS, "detail": detail, "kaltura_ids": found.ids[:100]}, hopeless=True)


def _ignored(found: Ignored) -> Failed:
    return Failed({"code": "schedule_differs", "detail": found.reason})


def at(code: str, pointer: str, detail: str, **more: Any) -> Failed:
    """A refusal that names a place in the document by a JSON pointer (RFC 6901)."""
    return Failed({"code": code, "detail": detail, "errors": [{"pointer": pointer, "detail": detail}], **more})


def conflict(pairs: Sequence[Mapping[str, Any]]) -> Failed | None:
    """The refusal for these conflicts, as `find_conflicts` gives them; None if there are none."""
    if not pairs:
        return None
    detail = f"{len(pairs)} conflict(s). Choose another time or room, or send on_conflict: allow to schedule it anyway."
    return Failed({"code": "schedule_conflict", "detail": detail, "conflicts": list(pairs)})
