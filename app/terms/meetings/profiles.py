"""Profiles: how a CSV file of somebody else's is read. Three are built in, others stand in the term's settings."""

import re
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from app.http.fields import In, Words, broken, broken_at
from app.recordings.document.fields import Weekday
from app.terms.meetings.parts import date_form

ProfileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Cell = Annotated[str, Words(100)]
Template = Annotated[str, Words(500)]

FIELDS = (
    *("section", "meeting", "status", "title", "type", "group", "record", "instructors", "primary", "days", "start"),
    *("end", "from", "to", "date", "weeks", "week_pattern", "room", "description", "categories", "tags"),
    *("editors", "publishers", "contact", "calendars", "term", "name", "jointly"),
)
EMPTY = ["TBA", "TBD", "N/A", "#N/A", "#REF!", "#VALUE!", "#NAME?", "#NULL!", "#DIV/0!", "NULL", "-"]

PLACEHOLDER = re.compile(r"{([^{}]+)}")


def plain_name(name: str) -> str:
    """A column's name as it is compared: letters and digits alone, in any case."""
    return re.sub(r"[\W_]", "", name).casefold()


def _read_form(form: str) -> str:
    if date_form(form) is None:
        raise broken("must have YYYY or YY, MM or MON, and DD, each once, like DD-MON-YY")
    return form


class Profile(In):
    """What the columns of a CSV file mean, and how its values are spelt."""

    columns: dict[str, Template] = Field(
        description="For each field the column that has it, or a template of several: `{BLDG} {ROOM}`. Fields: "
        + ", ".join(f"`{name}`" for name in FIELDS)
        + ".",
        examples=[{"section": "CRN", "title": "{SUBJ}-{CRSE}-{SEQ} {TITLE}", "days": "DAYS"}],
    )
    dates: Annotated[str, Words(20), AfterValidator(_read_form)] = Field(
        "YYYY-MM-DD",
        description="How dates are written: `DD`, `MM` or `MON`, `YY` or `YYYY`. Dates like 2027-01-13 are read as "
        "well, others never.",
        examples=["DD-MON-YY"],
    )
    days: dict[Cell, Weekday] = Field(
        {},
        description="Letters or words for the days. Without them the names of days, whole or short, in English, "
        "German, French, Italian and Spanish.",
        examples=[{"M": "MO", "T": "TU", "W": "WE", "R": "TH", "F": "FR", "S": "SA", "U": "SU"}],
    )
    empty: list[Cell] = Field(
        EMPTY, description="What stands in a cell that says nothing. Case does not matter.", examples=[["TBA", "#N/A"]]
    )
    cancelled: list[Cell] = Field(
        [],
        description="The values of `status` that mean cancelled; all others mean active. Without them, the values are "
        "`active` and `cancelled`.",
        examples=[["X", "C"]],
    )
    record: dict[Cell, bool] = Field(
        {},
        description="What the values of `record` mean. Without it they are `true` and `false`.",
        examples=[{"1": True, "2": True, "3": False}],
    )
    separator: Literal["|", ";", ","] = Field(
        "|", description="What stands between several values in a cell.", examples=["|"]
    )
    comment: Annotated[str, Words(3)] | None = Field(
        None, description="What a line begins with that is a remark.", examples=["#"]
    )

    @model_validator(mode="after")
    def _knows_what_is_needed(self) -> Self:
        for name in self.columns:
            if name not in FIELDS:
                raise broken_at(("columns", name), "is not a field that is known here")
        for name in ("section", "title", "start"):
            if name not in self.columns:
                raise broken_at(("columns",), f"must say which column has the {name}")
        return self

    def names(self, field: str) -> list[str]:
        """The columns of a field."""
        said = self.columns.get(field, "")
        return PLACEHOLDER.findall(said) or ([said] if said else [])

    @cached_property
    def known(self) -> frozenset[str]:
        """All columns, as they are compared."""
        return frozenset(plain_name(name) for field in self.columns for name in self.names(field))


_OWN_COLUMNS = (
    *("section", "meeting", "status", "title", "type", "group", "record", "instructors", "days", "start", "end"),
    *("from", "to", "date", "weeks", "room", "description", "categories", "tags", "editors", "publishers", "contact"),
    "calendars",
)

OWN = Profile(columns={name: name for name in _OWN_COLUMNS})
BANNER = Profile(
    columns={
        "term": "TERM_CODE",
        "section": "CRN",
        "title": "{SUBJ}-{CRSE}-{SEQ} {TITLE}",
        "status": "SSTS",
        "type": "SCHD",
        "group": "XLST",
        "days": "DAYS",
        "start": "BEGIN_TIME",
        "end": "END_TIME",
        "from": "START_DATE",
        "to": "END_DATE",
        "room": "{BLDG} {ROOM}",
        "instructors": "INSTR_ID",
        "primary": "INSTR_PRIMARY",
    },
    dates="DD-MON-YY",
    days={"M": "MO", "T": "TU", "W": "WE", "R": "TH", "F": "FR", "S": "SA", "U": "SU"},
    cancelled=["X", "C", "D", "I"],
)
SYLLABUS_PLUS = Profile(
    columns={
        "section": "Host Key",
        "title": "{Activity Name} {Module Name}",
        "name": "Activity Name",
        "type": "Activity Type",
        "days": "Day",
        "start": "Start",
        "end": "End",
        "weeks": "Weeks",
        "week_pattern": "Week Pattern",
        "room": "Location",
        "instructors": "Staff User Name",
        "record": "Factor",
        "jointly": "Jointly With",
    },
    dates="DD/MM/YYYY",
    record={"1": True, "2": True, "3": False},
    separator=",",
)
KALTURA = "kaltura"  # its rows have no key, and times and rules of their own: app/terms/reading/kaltura.py
BUILT_IN: dict[str, Profile | None] = {KALTURA: None, "banner": BANNER, "syllabus-plus": SYLLABUS_PLUS}
