"""Text that no database keeps (NUL, half a character): each section that has some is refused, on every database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Json, found
from tests.terms.campus import campus, section

pytestmark = pytest.mark.both_databases

BAD = ["a\u0000b", "a\ud800b"]


def spoilt(text: str) -> Iterator[Json]:
    """Sections with this text in each place that there is, also where nothing is read."""
    yield section(f"S{text}")
    yield section("days", days=[text])
    yield {**section("name"), text: 1}
    for name in ("title", "group", "description", "organizer", "contact", "unknown"):
        yield {**section(name), name: text}
    for name in ("instructors", "tags", "categories", "calendars", "editors"):
        yield {**section(name), name: [text]}
    for name in ("room", "start", "end", "kind", "key", "meets_as", "unknown"):
        yield section(f"meeting-{name}", meeting={name: text})


@pytest.mark.parametrize("text", BAD, ids=["NUL", "half a character"])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_each_section_with_such_text_is_refused(tmp_path: Path, database_url: str, form: str, text: str) -> None:
    sections = list(spoilt(text))
    if form == "json":
        body, media_type = json.dumps({"complete": True, "sections": sections}), "application/json"
    else:
        body, media_type = "\n".join(map(json.dumps, [{"complete": True}, *sections])), "application/x-ndjson"
    with campus(tmp_path, database_url=database_url) as registrar:
        registrar.set()
        posted = registrar.service.client.post(
            f"{registrar.path}/plans", content=body, headers={"Content-Type": media_type}
        )
        items = registrar.items(found(posted, 201))
        assert [item["kind"] for item in items] == ["rejected"] * len(sections)
        assert all(text not in json.dumps(item, ensure_ascii=False) for item in items), "it is not repeated"
