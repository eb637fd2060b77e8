"""`Accept`: which of the media types that are offered an answer is (RFC 9110, section 12.5.1)."""

import pytest

from app.http.parameters import preferred

JSON, LINES, CSV = OFFERED = ("application/json", "application/jsonl", "text/csv")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV", CSV),
        ("Application/JSONL", LINES),
        ("text/csv; charset=utf-8", CSV),
        ("text/*", CSV),
        ("text/csv;q=0.5, application/json", JSON),
        ("application/json;q=0.5, text/csv;q=0.9", CSV),
        ("application/json;q=0.1,application/jsonl;q=0.2 , text/csv ; Q=0.3", CSV),
        ("text/csv, application/json", CSV),
        ("application/json, text/csv", JSON),
        ("application/json, text/plain, */*", JSON),
        ("*/*, text/csv", CSV),
        ("*/*;q=0.8, text/csv;q=0.1", JSON),
        ("application/json;q=0, */*", LINES),
        ("application/json;q=0, application/*;q=0.1, text/*;q=0.2", CSV),
        ("text/csv;q=0", JSON),
        ("text/csvx", JSON),
        ("image/png", JSON),
        ("text/csv;q=2", CSV),
        (";,q=1,/", JSON),
    ],
)
def test_an_answer_is_what_is_liked_best(accept: str | None, expected: str) -> None:
    assert preferred(accept, OFFERED) == expected
