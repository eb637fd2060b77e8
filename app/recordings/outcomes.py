"""Kaltura's errors, and what is in the way of a document, as outcomes of a step."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from app.chains.steps import Done, Failed, Outcome, Retry, Unknown
from app.kaltura.errors import KalturaError, Refused, Transient
from app.kaltura.errors import Unknown as UnknownOutcome

ADVICE = {
    "SERVICE_FORBIDDEN": "Its sign-in may not do this: ask your Kaltura account manager for the schedule feature.",
    "MAX_CATEGORIES_FOR_ENTRY_REACHED": "Name fewer categories.",
    "INVALID_PARAMETER_CHAR": "Take unusual characters out of the title and the names.",
    "UNSAFE_HTML_TAGS": "This account takes no HTML: take it out of the title and the description.",
}


def outcome(*done: str) -> Callable[[Callable[..., Outcome | None]], Callable[..., Any]]:
    """Translates Kaltura's errors into outcomes; a refusal with a code of `done` says that it is done already."""

    def decorate(act: Callable[..., Outcome | None]) -> Callable[..., Any]:
        @wraps(act)
        def translated(*args: Any) -> Outcome | None:
            try:
                return act(*args)
            except Refused as refusal:
                return Done() if refusal.code in done else _refused(refusal)
            except Transient as error:
                return Retry(error.reason, error.retry_after, _pause(error))
            except UnknownOutcome as error:
                return Unknown(error.reason, _pause(error))

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


def at(code: str, pointer: str, detail: str, **more: Any) -> Failed:
    return Failed({"code": code, "detail": detail, "errors": [{"pointer": pointer, "detail": detail}], **more})


def conflict(pairs: Sequence[Mapping[str, Any]]) -> Failed | None:
    if not pairs:
        return None
    detail = f"{len(pairs)} conflict(s). Choose another time or room, or send on_conflict: allow to schedule it anyway."
    return Failed({"code": "schedule_conflict", "detail": detail, "conflicts": list(pairs)})
