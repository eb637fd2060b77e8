"""The page that schedules: what is typed as a document, its preview on months, and the request that does the same."""

import json
import pprint
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from app.console.people import Form, Person
from app.console.views.months import Cell, weeks
from app.console.words import WEEKDAYS
from app.http.errors import BadRequest, Problem
from app.http.problems import from_validation
from app.recordings.changing.requests import read_document
from app.recordings.document.preview import Preview

WAIT = 8.0  # seconds
MOST_MONTHS = 40
_SPAN = re.compile(r"\.\.|–|to")
_NEEDED = {"title": "a title", "room": "a room", "date": "a date", "time": "a time"}


@dataclass(frozen=True, slots=True)
class Draft:
    """The page's content. `location` is where to go, once it is scheduled."""

    form: Form
    document: Mapping[str, Any] = field(default_factory=dict)
    missing: str = ""
    preview: Preview | None = None
    months: list[tuple[date, list[list[Cell | None]]]] = field(default_factory=list)
    problem: dict[str, Any] | None = None
    status: int = 200
    location: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def zone(self) -> str:
        """By whose clocks conflicts are told; "" if the document leaves that to the service."""
        return str(self.document.get("time_zone") or "")

    @property
    def refused(self) -> bool:
        """Whether it was to be scheduled, and was not."""
        return self.problem is not None and self.status != 200

    @property
    def json(self) -> str:
        return json.dumps(self.document, indent=2, ensure_ascii=False)

    def curl(self, base: str) -> str:
        return (
            f'curl {base}recordings \\\n  -H "Authorization: Bearer $LECTERN_KEY" \\\n'
            f"  -H 'Content-Type: application/json' --data-binary @- <<'DOCUMENT'\n{self.json}\nDOCUMENT"
        )

    def python(self, base: str) -> str:
        document = pprint.pformat(self.document, sort_dicts=False, width=100)
        return (
            f"import os, httpx\n\ndocument = {document}\n"
            f'answer = httpx.post(\n    "{base}recordings",\n    json=document,\n'
            '    headers={"Authorization": f"Bearer {os.environ[\'LECTERN_KEY\']}"},\n    timeout=40,\n)\n'
            'answer.raise_for_status()\nprint(answer.json()["id"])'
        )


def blank(default_zone: str) -> Draft:
    return Draft(Form({"time_zone": [default_zone], "repeats": ["weekly"], "minutes": ["50"]}))


async def answer(request: Request, person: Person, form: Form) -> Draft:
    """The preview of what was typed, or, with `act=schedule`, its recording; what is wrong with it stands in it."""
    accepting = request.app.state.acceptance
    missing = [what for name, what in _NEEDED.items() if not form.one(name)]
    if missing and not form.one("json"):
        return Draft(form, missing=", ".join(missing), status=_status(form, 422))
    content: Mapping[str, Any] = {}
    try:
        typed = document_of(form)
        document = read_document(typed)
        content = typed
        if form.one("act") == "schedule":
            made = await accepting.schedule(person.client, document, form.one("key") or None, WAIT)
            said = "scheduling" if made.status_code == 202 else "scheduled"
            return Draft(form, content, location=f"/console{made.headers['Location']}?said={said}")
        preview = await accepting.preview(person.client, request.app.state.kaltura, document)
    except RequestValidationError as error:
        return _refused(form, content, from_validation(error))
    except Problem as problem:
        return _refused(form, content, problem)
    return Draft(form, content, preview=preview, months=months(preview))


def _refused(form: Form, content: Mapping[str, Any], problem: Problem) -> Draft:
    return Draft(form, content, problem=problem.document(), status=_status(form, problem.status))


def _status(form: Form, refused: int) -> int:
    """A preview that says what is wrong is no failure: it is asked for while somebody types."""
    return refused if form.one("act") == "schedule" else 200


def document_of(form: Form) -> Mapping[str, Any]:
    """The document that the fields say, or the one in `json`. Raises BadRequest."""
    if form.one("json"):
        return _read_json(form.one("json"))
    resource: Any = form.number("room")
    if form.one("make_room"):
        resource = dict.fromkeys(("system_name", "name"), form.one("room"))
    words = {name: form.one(name) for name in ("reference_id", "title", "description", "owner")}
    times = {
        "start": f"{form.one('date')}T{form.one('time')}",
        "time_zone": form.one("time_zone"),
        "duration_minutes": form.number("minutes"),
    }
    said = {
        **words,
        "tags": [tag.strip() for tag in form.one("tags").split(",") if tag.strip()],
        "resource": resource,
        **times,
        "recurrence": _recurrence(form),
        "exclude": [_days(line) for line in form.one("exclude").split("\n") if line.strip()],
        "on_conflict": form.one("on_conflict"),
    }
    return {name: value for name, value in said.items() if value not in ("", [], None)}


def _read_json(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest("The document is not JSON.") from None
    if not isinstance(content, dict):
        raise BadRequest("A document is a JSON object.")
    return content


def _recurrence(form: Form) -> dict[str, Any] | None:
    repeats = form.one("repeats")
    if repeats not in ("daily", "weekly", "monthly"):
        return None
    until = form.one("until")
    said: dict[str, Any] = {"frequency": repeats}
    if repeats == "weekly":
        said["days"] = [day for day in form.get("days", []) if day in WEEKDAYS] or _weekday(form.one("date"))
    if until:
        said["until"] = until
    if form.one("count") or not until:
        said["count"] = form.number("count") if form.one("count") else 10
    return said


def _weekday(day: str) -> list[str]:
    try:
        return [list(WEEKDAYS)[date.fromisoformat(day).weekday()]]
    except ValueError:
        return []  # the day itself is refused


def _days(line: str) -> Any:
    ends = [end.strip() for end in _SPAN.split(line)]
    return {"from": ends[0], "to": ends[1]} if len(ends) == 2 else line.strip()


def months(preview: Preview) -> list[tuple[date, list[list[Cell | None]]]]:
    """Each month that has a session: its weeks from Monday on; None for days of the months beside it."""
    hit = {pair["start"] for pair in preview.conflicts}
    on: dict[date, tuple[str, str]] = {}
    for one in preview.occurrences:
        kind = "on" if one.status == "scheduled" else "out-day"
        if one.start.strftime("%Y-%m-%dT%H:%M:%SZ") in hit and kind == "on":
            kind = "hit"
        on[one.local_start.date()] = kind, one.reason or ("conflict" if kind == "hit" else "session")
    firsts = sorted({day.replace(day=1) for day in on})
    return [(first, weeks(first, on)) for first in firsts[:MOST_MONTHS]]
