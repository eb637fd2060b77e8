"""The one way in: bytes as they come, and what they are, to a reading.

    JSON ─── objects ──────────────┐
    NDJSON ─ objects, line by line ┼─▶ rows ─ gathering ─▶ Reading: meetings, rejected
    CSV ──── table ─ cells, kaltura┘

Nothing here looks into a database or asks Kaltura: what they know is in the frame.
"""

from collections.abc import Collection, Iterable
from typing import Literal

from app.recordings.document.categories import no_category
from app.terms.meetings.errors import CannotReadError
from app.terms.meetings.frame import Frame
from app.terms.meetings.profiles import BUILT_IN, KALTURA, OWN
from app.terms.meetings.rows import Reading, Rejected
from app.terms.reading.cells import read_csv
from app.terms.reading.kaltura import read_kaltura
from app.terms.reading.objects import read_json, read_ndjson

Form = Literal["json", "ndjson", "csv"]


def read(
    chunks: Iterable[bytes],
    form: Form,
    within: Frame,
    *,
    charset: str | None = None,
    profile: str | None = None,
    complete: bool = False,
) -> Reading:
    """`charset`, `profile` and `complete` are for CSV, which cannot say them itself. Raises CannotReadError."""
    if form == "json":
        return read_json(chunks, within)
    if form == "ndjson":
        return read_ndjson(chunks, within)
    own = within.settings.profiles
    if profile is not None and profile not in own and profile not in BUILT_IN:
        there = ", ".join([*BUILT_IN, *own])
        raise CannotReadError("unknown_profile", f"There is no such profile. There are {there}.")
    body = b"".join(chunks)
    if profile == KALTURA:
        return read_kaltura(body, charset, within, complete=complete)
    chosen = OWN if profile is None else own.get(profile) or BUILT_IN[profile] or OWN
    return read_csv(body, charset, chosen, within, complete=complete)


def categories(reading: Reading) -> set[int | str]:
    """Every category that its meetings name, for whoever asks Kaltura which there are."""
    return {category for meeting in reading.meetings for category in meeting.words.categories}


def reject_unknown_categories(reading: Reading, unknown: Collection[int | str]) -> None:
    """Meetings with a category that Kaltura does not have are rejected: it would drop it silently."""
    left = []
    for meeting in reading.meetings:
        wrong = [category for category in meeting.words.categories if category in unknown]
        if wrong and not meeting.skip:
            detail = f"{no_category(wrong[0])} Mend it, or make the category."
            reading.rejected.append(Rejected(meeting.places[0], meeting.section, "unknown_category", detail))
        else:
            left.append(meeting)
    reading.meetings[:] = left
