"""What a preview warns of: what may not be meant, and what could not be looked up while Kaltura is away."""

import pytest

from app.sandbox.seed.seed import RESOURCE_ID
from tests.recordings.document.previews import DAYS, LECTURE, NIGHTS, TELESCOPE, asked, previewed, warned
from tests.recordings.documents import example
from tests.service import Json, Lectern, problem

SPRING = "02:30 does not exist on 14 March 2027: that session begins at 03:30."
STORED = "are stored by Kaltura as ????."


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({}, []),
        (NIGHTS, [("gap", "/start", SPRING)]),
        (NIGHTS | {"exclude": ["2027-03-14"]}, []),
        (
            NIGHTS | {"start": "2027-11-06T01:30:00"},
            [("overlap", "/start", "01:30 happens twice on 7 November 2027: that session begins at the first.")],
        ),
        (
            {
                "recurrence": {"frequency": "weekly", "count": 2},
                "exclude": ["2027-01-21", "2027-01-20", {"from": "2027-01-14", "to": "2027-01-19"}],
            },
            [
                ("exclusion_unused", "/exclude/0", "No session falls on 2027-01-21."),
                ("exclusion_unused", "/exclude/2", "No session falls on 2027-01-14 to 2027-01-19."),
            ],
        ),
        (
            {"recurrence": {"frequency": "weekly", "days": ["MO", "FR"], "count": 4}},
            [
                (
                    "first_day",
                    "/start",
                    "13 January 2027 is not one of the recurrence's days: the first session is on 15 January 2027.",
                )
            ],
        ),
        (
            {
                "start": "2027-03-12T09:00:00",
                "duration_minutes": 1440,
                "recurrence": {"frequency": "daily", "count": 4},
            },
            [
                (
                    "sessions_overlap",
                    "/duration_minutes",
                    "The session of 13 March 2027 ends 60 minute(s) after that of 14 March 2027 has begun: they "
                    "overlap, and both are recorded.",
                )
            ],
        ),
        (DAYS | {"exclude": ["2027-03-14"]}, []),
        (DAYS | {"start": "2027-11-05T09:00:00"}, []),
        ({"title": "Größe – 日本"}, []),  # at most three bytes each
        (
            {
                "reference_id": TELESCOPE,
                "title": f"Nights {TELESCOPE}{TELESCOPE}",
                "description": TELESCOPE,
                "organizer": TELESCOPE,
                "contact": TELESCOPE,
                "location": TELESCOPE,
                "tags": ["stars", f"a{TELESCOPE}"],
            },
            [
                ("characters", "/title", f"2 character(s), such as emoji, {STORED}"),
                *(
                    ("characters", pointer, f"1 character(s), such as emoji, {STORED}")
                    for pointer in ("/description", "/organizer", "/contact", "/location", "/reference_id", "/tags/1")
                ),
            ],
        ),
        (
            {"resource": {"system_name": "NEW-1", "name": "New", "description": TELESCOPE}},
            [
                ("new_resource", "/resource", "Kaltura does not know this resource yet: it will be made."),
                ("characters", "/resource/description", f"1 character(s), such as emoji, {STORED}"),
            ],
        ),
        # Kaltura knows it: what else is said of it makes no difference.
        ({"resource": {"system_name": "EXTRON-100-ABC", "name": TELESCOPE}}, []),
    ],
)
def test_what_may_not_be_meant_is_told(quiet: Lectern, changes: Json, warnings: list[tuple[str, str, str]]) -> None:
    assert warned(previewed(quiet, LECTURE | changes)) == warnings


@pytest.mark.parametrize("character", ["\ufffd", "\U00010000"])
def test_the_characters_that_are_told_are_those_that_kaltura_stores_as_question_marks(
    service: Lectern, character: str
) -> None:
    document = LECTURE | {"title": f"a{character}"}
    told = bool(warned(previewed(service, document)))
    service.made(document)
    (event,) = service.left()["events"]
    assert (event["summary"] == "a????") == told


# Kaltura away


@pytest.mark.parametrize("fault", ["drop_before", "http_500", "http_429", "html"])
def test_kaltura_away_is_a_warning_and_all_else_is_shown(service: Lectern, fault: str) -> None:
    service.fault(fault)
    preview = previewed(service, example())
    assert len(preview["occurrences"]) == 40
    assert preview["plan"] == "one weekly series, 40 occurrences"
    assert warned(preview) == [
        ("resource_unchecked", "/resource", "Kaltura does not answer, so the resource could not be looked up.")
    ]


@pytest.mark.parametrize(
    "resource", [RESOURCE_ID, "EXTRON-100-ABC", "extron-100-abc", {"system_name": "EXTRON-100-ABC"}]
)
def test_conflicts_on_a_resource_that_lectern_has_seen_are_known_all_the_same(
    service: Lectern, resource: object
) -> None:
    service.made(LECTURE)
    service.fault("drop_before")
    assert len(previewed(service, LECTURE | {"resource": resource})["conflicts"]) == 1


def test_a_refusal_of_kaltura_s_is_told_as_post_tells_it(service: Lectern) -> None:
    service.fault("error", "schedule_scheduleResource", "list", code="SERVICE_FORBIDDEN")
    shown = problem(asked(service, example()), 422, "refused_by_kaltura")
    assert shown["kaltura_code"] == "SERVICE_FORBIDDEN"
