"""Every line of the samples comes out as its expected file says."""

from collections import Counter

import pytest

from tests.terms.samples import BANNER, KALTURA, SAMPLES, Sample, outcomes


def expected(sample: Sample) -> dict[int, dict[str, str]]:
    """Two new meetings in one room conflict only when they are compared: here they are meetings like others.

    What is told of a row that another one's recording has is told of that recording.
    """
    found = {}
    for row in sample.expected:
        if row["kind"] == "ignored":
            continue
        told = {name: row.get(name, "") for name in ("section", "kind", "reason", "warning", "room")}
        told |= {name: row[name] for name in ("first", "last", "sessions", "minutes")}
        if told["kind"] == "conflict":
            told |= {"kind": "create", "reason": ""}
        if told["kind"] == "same":
            told |= {"section": "", "warning": ""}
        found[int(row["line"])] = told
    return found


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_each_line_has_its_kind_its_reason_and_its_sessions(sample: Sample) -> None:
    reading, lines = sample.read(), expected(sample)
    sections = {int(row["line"]): row.get("section", "") for row in sample.expected}
    for meeting in reading.meetings:
        first, *others = [place.line or 0 for place in meeting.places]
        assert {sections[line] for line in others} <= {*meeting.sections, ""}
        lines[first]["warning"] = sample.warnings([first, *others])
    assert outcomes(reading, sample.frame) == lines


@pytest.mark.parametrize(
    ("sample", "counts"),
    [
        (KALTURA, {"create": 24 + 2, "skipped": 2, "rejected": 25, "same": 1}),
        (BANNER, {"create": 32 + 2, "skipped": 11, "rejected": 10, "same": 5}),
    ],
    ids=lambda value: value.name if isinstance(value, Sample) else "",
)
def test_there_are_as_many_of_each_kind_as_the_readme_says(sample: Sample, counts: dict[str, int]) -> None:
    assert Counter(told["kind"] for told in outcomes(sample.read(), sample.frame).values()) == counts
