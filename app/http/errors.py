"""The catalogue of problems that clients can meet, as a tree (RFC 9457). OpenAPI and docs/errors.md are made from it.

    Problem
    ├── BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
    ├── Conflict 409
    │   ├── ReferenceInUse · ScheduleConflict · AmbiguousResource · ChainRunning · NothingToResume
    │   ├── NotChangeable · OccurrenceOver · Cancelled · NotOurs · BatchRefused · CalendarInUse
    │   └── PlanNotReady · PlanBlocked · PlanSuperseded · PlanExpired · ApplyRunning · Stale
    ├── PreconditionFailed 412
    ├── PayloadTooLarge 413 · UnsupportedMediaType 415
    ├── InvalidDocument 422
    │   ├── IdempotencyKeyReused · NothingAhead
    │   └── RefusedByKaltura
    │       └── CategoryNotFound · ResourceNotFound
    ├── TooManyRequests 429 · HeadersTooLarge 431
    ├── Internal 500
    ├── ScheduleDiffers 502
    └── Unavailable 503
        ├── Busy · DatabaseUnavailable · KalturaUnavailable · ScheduleUnknown · Stuck
        └── TooManyConnections

A problem says what is wrong and what to do. It never repeats the input, an exception's text, a secret or a
Kaltura session. `code` is stable; `detail` is for people.

A problem is answered, or it stands in a recording whose chain came to it. Kinds without a `code` are never met
themselves. How problems are answered and described: app/http/problems.py.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from asgi_correlation_id import correlation_id
from fastapi.responses import Response

from app.http.headers import EVERY

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    when: ClassVar[str]  # it comes, for docs/errors.md
    advice: ClassVar[str] = ""  # what to do; the `detail` of a problem that is given none
    retry_after: int | None = None  # seconds

    def __init__(self, detail: str = "", /, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail or self.advice
        self.extra = extra

    def document(self) -> dict[str, Any]:
        """The problem as a client sees it, without `request_id`, which belongs to one answer."""
        return {
            "type": f"urn:lectern:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.extra,
        }


class BadRequest(Problem):
    status, code, title = 400, "bad_request", "The request cannot be read"
    when = "The request is no HTTP that Lectern understands, or its `Host` names another service."
    advice = "Send what `/docs` shows, to the address that Lectern was set up with."


class Unauthorized(Problem):
    status, code, title = 401, "unauthorized", "A valid API key is needed"
    when = "No API key, or one that is unknown or revoked."
    advice = "Send an API key as 'Authorization: Bearer <key>', or as the password of HTTP Basic."


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "The API key may not do this"
    when = "The key is valid, but has no scope for this."
    advice = "Use a key with the scope that `/docs` names, or ask whoever makes the keys for one."


class NotFound(Problem):
    status, code, title = 404, "not_found", "There is no such thing here"
    when = "No such address, recording, session or resource; or one that belongs to another client."
    advice = "Check the id. Recordings of other clients, and resources that the key is not for, are not shown."


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "This address does not take that method"
    when = "The address exists, but not with this method."
    advice = "Use one of the methods that the Allow header names."


class Conflict(Problem):
    status = 409


class ReferenceInUse(Conflict):
    code, title = "reference_in_use", "Another document has this reference_id"
    when = "Another recording of yours, neither cancelled nor failed, has this `reference_id`."
    advice = "Change the recording that is there, cancel it first, or choose another reference_id."


class ScheduleConflict(Conflict):
    code, title = "schedule_conflict", "The resource is booked already"
    when = "Somebody has booked the resource for one of the sessions; `conflicts` lists each."
    advice = "Choose another time or room, or send on_conflict: allow to schedule it anyway."


class AmbiguousResource(Conflict):
    code, title = "ambiguous_resource", "Several resources share this system name"
    when = "Two resources of different kinds have this system name in Kaltura."
    advice = "Name the resource by its Kaltura id."


class ChainRunning(Conflict):
    code, title = "chain_running", "A chain of this recording is still running"
    when = "A change is asked for, or a document comes again, while an earlier change or a `DELETE` is carried out."
    advice = "Try again after as many seconds as Retry-After says."
    retry_after = 2


class NotChangeable(Conflict):
    code, title = "not_changeable", "This recording cannot be changed now"
    when = "The recording is cancelled, failed or stuck."
    advice = "Read its status: make it anew if it is over, or resume it if it is stuck."


class OccurrenceOver(Conflict):
    code, title = "occurrence_over", "This session has begun or is over"
    when = "A session is to be moved that has begun, or to be moved into the past, or to be changed when it is over."
    advice = "What was recorded stays as it is. One that runs can be stopped, extended and named."


class Cancelled(Conflict):
    code, title = "cancelled", "It was cancelled before it was done"
    when = "In a recording: it was cancelled while it was still being scheduled."
    advice = "Nothing: it was asked for. Send the document again to schedule it after all."


class NotOurs(Conflict):
    """`kaltura_ids` are the entries and events that bear another `referenceId` than this recording's."""

    code, title = "not_ours", "What stands in Kaltura there is not this recording's"
    when = "Under an id that Lectern knows, Kaltura has something that Lectern did not make. Nothing of it is touched."
    advice = (
        "Find out whether a backup was put back or Kaltura was reset; once Kaltura is right again, send it again or "
        "POST /recordings/{id}/resume."
    )


class BatchRefused(Conflict):
    """`errors` names the other part by its place: `[{"pointer": "/changes/1", "detail": one sentence}]`."""

    code, title = "batch_refused", "Another part of the batch was not done"
    when = "In an item of a batch: a change on which it depends was refused, cancelled or is stuck."
    advice = "This recording is as it was. Mend the other change, and send both again."


class PlanNotReady(Conflict):
    code, title = "plan_not_ready", "This plan is not there to be applied"
    when = "The plan of a term is still being made, or nothing of what was sent could be read."
    advice = "Wait until it is made, or mend what its problem says and send the declaration again."


class PlanBlocked(Conflict):
    """`guards` are those that block it and were not allowed, as the plan shows them."""

    code, title = "plan_blocked", "A guard blocks this plan"
    when = "A plan of a term is to be applied that a guard blocks. Nothing was changed."
    advice = "Look at the plan. If it is right, apply it with the guards' names in `allow`."


class PlanSuperseded(Conflict):
    code, title, advice = "plan_superseded", "A later plan of this term was applied", "Make a new plan."
    when = "A plan of a term is to be applied, or resumed, after a later one. Nothing was changed."


class PlanExpired(Conflict):
    code, title, advice = "plan_expired", "This plan is too old", "Make a new plan."
    when = "A plan of a term is to be applied more than 24 hours after it was made. Nothing was changed."


class ApplyRunning(Conflict):
    code, title = "apply_running", "Another plan of this term is being applied"
    when = "A plan of a term is to be applied while another one is. Nothing was changed."
    advice = "Wait until the other one is done, or stop it."


class Stale(Conflict):
    code, title = "stale", "This is not as it was when the plan was made"
    when = "In an item of an apply: what it is about was changed after the plan. Nothing was changed."
    advice = "It is not as it was when the plan was made. Nothing of it was changed: the next plan will see to it."


class CalendarInUse(Conflict):
    code, title = "calendar_in_use", "This calendar is in use"
    when = "A calendar is to be taken away that a recording still names, or a term that is not over."
    advice = "Take its name out of their `calendars` first, or say no days in it."


class PreconditionFailed(Problem):
    status, code, title = 412, "precondition_failed", "The recording is not as your If-Match says"
    when = "Somebody changed the recording after you read the `ETag` that you sent as `If-Match`."
    advice = "Read it again, and send the change with its new ETag."


class NothingToResume(Conflict):
    code, title = "nothing_to_resume", "This recording has nothing to resume"
    when = "`resume` for a recording that neither waits, nor is stuck, nor has drift."
    advice = "Only a recording that is stuck, or whose chain is waiting, can be resumed."


class PayloadTooLarge(Problem):
    status, code, title = 413, "payload_too_large", "The body is too large"
    when = "The body has more than 256 KiB; a term's declaration more than 16 MiB, or more than 20,000 meetings."
    advice = "Send at most 256 KiB; of a term's declaration 16 MiB."


class UnsupportedMediaType(Problem):
    status, code, title = 415, "unsupported_media_type", "The body is of a type that is not read here"
    when = "The body is compressed, or its `Content-Type` is none that is read there: calendars and terms know several."
    advice = "Send it as it is, with 'Content-Type: application/json', or with a type that `/docs` names."


class InvalidDocument(Problem):
    """`errors`: `[{"pointer": RFC 6901 pointer into the document, "detail": one sentence}]`.

    What is raised without any is about the whole of `pointer`: about the document, unless its kind says otherwise.
    """

    status, code, title = 422, "invalid_document", "The document is not valid"
    when = "A field, parameter or header breaks a rule; `errors` names each, with its place."
    advice = "Mend each of `errors`; `pointer` says where."
    pointer: ClassVar[str] = ""

    def __init__(self, detail: str = "", /, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.extra["errors"] = extra.get("errors") or [{"pointer": self.pointer, "detail": self.detail}]


class IdempotencyKeyReused(InvalidDocument):
    code, title = "idempotency_key_reused", "This Idempotency-Key came with another document"
    when = "The same `Idempotency-Key` came before, with another document."
    advice = "Use a new Idempotency-Key for each document."
    pointer = "/header/Idempotency-Key"


class NothingAhead(InvalidDocument):
    code, title = "nothing_ahead", "There is nothing left to record"
    when = "All sessions of the document are over; or a change would end a recording that still has some ahead."
    advice = "Correct the dates. To end a recording, DELETE it: what was recorded stays."


class RefusedByKaltura(InvalidDocument):
    """`kaltura_code` is Kaltura's own; `step` is where it said so; `recording_id` is the failed recording's."""

    code, title = "refused_by_kaltura", "Kaltura refuses this document"
    when = "Kaltura says no for good; `kaltura_code` is its own code. All that was made for it is removed again."
    advice = "Change the document as the detail says, or ask whoever looks after your Kaltura."


class CategoryNotFound(RefusedByKaltura):
    code, title = "category_not_found", "Kaltura has no such category"
    when = "A category of the document is not in Kaltura. Lectern makes none."
    advice = "Correct the category, or have it made in Kaltura."


class ResourceNotFound(RefusedByKaltura):
    code, title = "resource_not_found", "Kaltura has no such resource"
    when = "The document names a resource that Kaltura does not know."
    advice = "Correct its name, or send an object with `name` and `system_name`, which makes it."


class ScheduleDiffers(Problem):
    """`wanted` and `got` are lists of `[start, end]`; of a change that Kaltura ignores there are none.

    Everything made for the recording is removed again.
    """

    status, code, title = 502, "schedule_differs", "Kaltura made other occurrences than were asked for"
    when = (
        "What Kaltura generated is not what was asked for (`wanted` and `got` list both), its list of the room goes on "
        "leaving out sessions that are linked to it (`missing`), or it says that it has changed something and shows it "
        "as it was. All of it is removed again."
    )
    advice = "Tell whoever looks after Lectern: no change of the document explains it."


class TooManyRequests(Problem):
    status, code, title = 429, "too_many_requests", "Too many requests"
    when = "The key has used up its requests for now, or its address has sent too many wrong ones."
    advice = "Wait as long as Retry-After says. Nothing was started."
    retry_after: int | None = 1


class HeadersTooLarge(Problem):
    status, code, title = 431, "headers_too_large", "The address and headers are too large"
    when = "The address and the headers have more than 16 KiB."
    advice = "Send at most 16 KiB."


class Internal(Problem):
    status, code, title = 500, "internal", "Lectern made a mistake"
    when = "A mistake in Lectern; or, in a recording, steps that this version of Lectern does not know."
    advice = "Nothing is lost: send the same request again. The request_id helps whoever looks into it."


class Unavailable(Problem):
    status = 503
    retry_after: int | None = 5


class Busy(Unavailable):
    code, title = "busy", "Too much is asked at once"
    when = "More is asked at this moment than can be answered within seconds, or more that has to wait for Kaltura."
    advice = "Nothing was started. Send the same request again after as many seconds as Retry-After says."


class DatabaseUnavailable(Unavailable):
    code, title = "database_unavailable", "The database does not answer"
    when = "The database is away, locked or full."
    advice = "Nothing was started. Send the same request again later."


class KalturaUnavailable(Unavailable):
    code, title = "kaltura_unavailable", "Kaltura does not answer"
    when = "The answer needs Kaltura, and Kaltura is away. Documents are accepted all the same."
    advice = "Try again after as many seconds as Retry-After says."


class ScheduleUnknown(Unavailable):
    code, title = "schedule_unknown", "The schedule of this resource has not been read yet"
    when = "The first question for a resource that Lectern has not read from Kaltura yet."
    advice = "It is being read from Kaltura now. Keep what you have, and ask again."


class TooManyConnections(Unavailable):
    code, title = "too_many_connections", "There are too many connections"
    when = "As many connections as there may be (`LECTERN_CONNECTIONS`) are being answered."
    advice = "Nothing was started. Send the same request again later."


class Stuck(Unavailable):
    """`step` is where, `detail` the last thing that was met there."""

    code, title = "stuck", "Given up on for now, after trying for a day"
    when = "In a recording: Kaltura was away, or refused to undo, for a day."
    advice = "Mend what the detail says, then POST /recordings/{id}/resume."
    retry_after = None


def _catalogue(root: type[Problem]) -> dict[str, type[Problem]]:
    found = {root.code: root} if "code" in vars(root) else {}
    for child in root.__subclasses__():
        found |= _catalogue(child)
    return found


CATALOGUE: dict[str, type[Problem]] = _catalogue(Problem)

WAITING = "waiting"
"""The code that a step of a chain shows while it waits to be tried again; no problem, and none of the catalogue."""


def problem(error: Mapping[str, Any]) -> Problem:
    """The problem that a stored error `{"code": …, "detail": …, …}` means."""
    extra = {name: value for name, value in error.items() if name not in ("code", "detail")}
    return CATALOGUE[error["code"]](error.get("detail", ""), **extra)


def render(found: Problem) -> Response:
    headers = dict(EVERY)  # a mistake of ours is sent from outside the layer that adds them to other answers
    if found.retry_after is not None:
        headers["Retry-After"] = str(found.retry_after)
    if found.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="lectern", Basic realm="lectern"'
    body = found.document() | {"request_id": correlation_id.get()}
    return Response(json.dumps(body, ensure_ascii=False).encode(), found.status, headers, media_type=MEDIA_TYPE)


def responses(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """What an operation's `responses=` says of its problems: one entry for each status, its codes named."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in sorted({kind.status for kind in kinds}):
        codes = [kind for kind in dict.fromkeys(kinds) if kind.status == status]
        found[status] = {
            "description": " ".join(f"`{kind.code}`: {kind.title}." for kind in codes),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in codes},
                }
            },
        }
    return found
