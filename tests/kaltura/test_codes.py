"""The table of Kaltura's error codes: each has one place, and everything that was recorded has one."""

from collections import Counter
from collections.abc import Iterator

from app.kaltura.codes import DONE, DOUBTED, REFUSED, RETRY, UNKNOWN
from app.kaltura.errors import LockTimedOut, Refused, SessionRefused, Transient, Unknown, from_code, harmless
from app.recordings.scheduling.outcomes import ADVICE, GONE
from tests.kaltura.upstream import RECORDINGS

ALL = [*RETRY, *UNKNOWN, *DOUBTED, *DONE, *REFUSED]


def codes_in(value: object) -> Iterator[str]:
    """Of every error in an answer: a multirequest has several."""
    if isinstance(value, dict):
        if value.get("objectType") == "KalturaAPIException":
            yield value["code"]
        for one in value.values():
            yield from codes_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from codes_in(one)


def test_a_code_has_one_place() -> None:
    assert {code: count for code, count in Counter(ALL).items() if count > 1} == {}


def test_every_code_that_was_recorded_has_a_place() -> None:
    recorded = {code for exchange in RECORDINGS.values() for code in codes_in(exchange["response"])}
    assert len(recorded) > 40
    assert recorded - set(ALL) == set()


def test_a_code_is_what_its_place_says() -> None:
    """To a read, whatever may have been done is none of its doing."""
    found = {code: (type(error := from_code(code, "", {})), type(harmless(error))) for code in ALL}
    for codes, kinds in (
        (RETRY, {(Transient, Transient), (SessionRefused, SessionRefused)}),
        (UNKNOWN, {(Unknown, Transient), (LockTimedOut, Transient)}),
        (DOUBTED, {(Unknown, Refused)}),
        ({*DONE, *REFUSED}, {(Refused, Refused)}),
    ):
        assert {found[code] for code in codes} == kinds


def test_what_steps_say_about_a_code_is_about_one_that_has_a_place() -> None:
    assert set(DONE) >= GONE
    assert set(ADVICE) <= set(ALL)
