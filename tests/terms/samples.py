"""The samples of tests/data/terms, each with its term, and what its expected file says of each line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from app.recordings.document.campus import Campus, CampusDay
from app.terms.meetings.frame import Frame, frame
from app.terms.meetings.rows import Meeting, Reading
from app.terms.meetings.sessions import Sessions, sessions, skip_of
from app.terms.meetings.settings import TermSettings
from app.terms.reading.read import read, reject_unknown_categories

DATA = Path(__file__).parents[1] / "data" / "terms"
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)

CALENDARS = Campus(
    {"campus": 1, "ostern": 1},
    (
        CampusDay("campus", date(2027, 1, 18), date(2027, 1, 18), "Martin Luther King Jr. Day (no classes)"),
        CampusDay("campus", date(2027, 2, 15), date(2027, 2, 15), "Presidents' Day"),
        CampusDay("campus", date(2027, 2, 16), date(2027, 2, 16), "Monday schedule: Tuesday classes do not meet", "MO"),
        CampusDay("campus", date(2027, 3, 15), date(2027, 3, 19), "Spring break - no classes"),
        CampusDay("campus", date(2027, 3, 26), date(2027, 3, 26), "Good Friday"),
        CampusDay("ostern", date(2027, 3, 26), date(2027, 3, 26), "Good Friday"),
        CampusDay("ostern", date(2027, 3, 29), date(2027, 3, 29), "Easter Monday"),
    ),
)

SPRING: dict[str, Any] = {
    "name": "Spring 2027",
    "time_zone": "America/New_York",
    "first_date": "2027-01-11",
    "last_date": "2027-04-30",
    "week_1": "2027-01-11",
    "calendars": ["campus"],
    "record_types": ["LEC"],
    "max_hours": 6,
    "opt_outs": {"instructors": ["rkeller"]},
    "rooms": {
        "SCI 101": "EXTRON-SCI-101",
        "SCI 210": "EXTRON-SCI-210",
        "HUM 12": "PEARL-HUM-012",
        "LAW 300": "PEARL-LAW-300",
        "MUS 1": "EXTRON-MUS-001",
        "BUS 20": "EXTRON-BUS-020",
        "BUS 21": "EXTRON-BUS-021",
        "MED 1": "PEARL-MED-001",
        "ENG 404": None,
    },
}
ZURICH: dict[str, Any] = {
    "name": "FS 2027",
    "time_zone": "Europe/Zurich",
    "first_date": "2027-01-18",
    "last_date": "2027-04-23",
    "week_1": "2027-01-18",
    "calendars": ["ostern"],
    "record_types": ["Lecture"],
    "opt_outs": {"instructors": ["rkeller"]},
    "rooms": {
        "HG 1.01 Hörsaal A": "CAM-HG-101",
        "HG 2.12 Hörsaal B": "CAM-HG-212",
        "ML E 12": "CAM-ML-E12",
        "ML F 36": "CAM-ML-F36",
        "Aula": "CAM-AULA",
        "PC-Raum 3": None,
        "Zoom": None,
    },
}
RESOURCES = {
    562931: "EXTRON-SCI-101",
    562932: "EXTRON-SCI-210",
    562933: "PEARL-HUM-012",
    562934: "PEARL-LAW-300",
    562935: "EXTRON-MUS-001",
}


@dataclass(frozen=True)
class Sample:
    """A file, the term it is of, and how it is read."""

    name: str
    settings: dict[str, Any]
    profile: str

    @property
    def frame(self) -> Frame:
        resources = RESOURCES if self.profile == "kaltura" else None
        return frame(TermSettings.model_validate(self.settings), "UTC", NOW, resources)

    @property
    def body(self) -> bytes:
        return (DATA / f"{self.name}.csv").read_bytes()

    @property
    def expected(self) -> list[dict[str, str]]:
        with (DATA / f"{self.name}.expected.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def warnings(self, lines: Sequence[int | None]) -> str:
        """What is told of a recording is what is told of any of its lines."""
        rows = {int(row["line"]): row["warning"] for row in self.expected}
        return " ".join(dict.fromkeys(code for line in lines if line for code in rows[line].split()))

    def read(self) -> Reading:
        reading = read([self.body], "csv", self.frame, profile=self.profile)
        reject_unknown_categories(reading, {"Canvas>site>channels>9999"})
        return reading


KALTURA = Sample("kaltura_bulk", SPRING, "kaltura")
BANNER = Sample("banner_like", SPRING, "banner")
SYLLABUS_PLUS = Sample("syllabus_plus_like", ZURICH, "syllabus-plus")
SAMPLES = [KALTURA, BANNER, SYLLABUS_PLUS]


def outcomes(reading: Reading, within: Frame) -> dict[int, dict[str, str]]:
    """What became of each line, in the expected files' words; nothing, if it was ignored.

    A conflict is none before plans are compared.
    """
    found: dict[int, dict[str, str]] = {}
    for line, told in _told(reading, within):
        assert line not in found, f"line {line} is told twice"
        found[line] = told
    return found


def _told(reading: Reading, within: Frame) -> Iterator[tuple[int, dict[str, str]]]:
    for meeting in reading.meetings:
        first, *others = meeting.places
        yield first.line or 0, _meeting(meeting, within)
        for place in others:
            yield place.line or 0, _line("same")
    for rejected in reading.rejected:
        yield rejected.place.line or 0, _line("rejected", rejected.reason, section=rejected.section or "")


def _line(kind: str, reason: str = "", **more: str) -> dict[str, str]:
    return {"kind": kind, "reason": reason, "warning": "", "room": "", "first": "", "last": "", "sessions": ""} | {
        "minutes": "",
        "section": "",
        **more,
    }


def _meeting(meeting: Meeting, within: Frame) -> dict[str, str]:
    found: Sessions = sessions(meeting, within, CALENDARS)
    section = meeting.section or ""
    if skip := meeting.skip or skip_of(found, within):
        return _line("skipped", skip, section=section)
    assert meeting.times is not None
    return _line(
        "create",
        section=section,
        warning=" ".join(note.code for note in [*meeting.notes, *found.notes]),
        room=str(meeting.resource),
        first=f"{found.held[0].local:%Y-%m-%d %H:%M}",
        last=f"{found.held[-1].local:%Y-%m-%d %H:%M}",
        sessions=str(len(found.held)),
        minutes=str(meeting.times.minutes),
    )
