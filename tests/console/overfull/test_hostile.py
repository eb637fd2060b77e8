"""Whatever others call things is shown as it is, and makes nothing of a page."""

from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from app.console.words import isolated
from tests.console.conftest import GIVEN, Person
from tests.console.overfull.hostile import NOT_ON_A_LINE, TITLES, document
from tests.sampling import sampled
from tests.service import Json, lectern

DAY = "2027-03-01"


class Page(HTMLParser):
    """Its tags with the names of their attributes, and its words, apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = set[str]()
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(f"{tag} {sorted(name for name, _ in attrs)}")
        self.words += "".join(f"\n{value}" for _, value in attrs)

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def registrar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with lectern(tmp_path_factory.mktemp("hostile"), api_keys=f"registrar={GIVEN}", requests_per_minute=0) as service:
        service.client.headers["Authorization"] = f"Bearer {GIVEN}"
        person = Person(service)
        assert person.sign_in(GIVEN).status_code == 303
        yield person


@pytest.fixture(scope="module")
def made(registrar: Person) -> list[Json]:
    """A recording of each title, in a room of that name."""
    return [registrar.service.made(document(number, DAY)) for number in range(len(TITLES))]


def same(pages: Iterable[str]) -> None:
    """Pages that differ in others' words alone have the same tags."""
    shapes = {frozenset(Page(text).tags) for text in pages}
    assert len(shapes) == 1, set.symmetric_difference(*map(set, list(shapes)[:2]))


def test_there_are_fifty_of_them() -> None:
    assert len(set(TITLES)) >= 50
    assert all(0 < len(title.encode()) <= 256 for title in TITLES)


@pytest.mark.parametrize("page", sampled(["", "/cancel", "/sessions/{}/cancel", "/sessions/{}/move"], 4))
def test_no_page_of_a_recording_takes_its_words_for_markup(registrar: Person, made: list[Json], page: str) -> None:
    texts = []
    for one in made:
        occurrence = registrar.service.get(f"/recordings/{one['id']}/occurrences")["items"][0]
        answer = registrar.get(f"/console/recordings/{one['id']}{page.format(occurrence['id'])}")
        assert answer.status_code == 200
        assert one["title"] in Page(answer.text).words
        texts.append(answer.text.replace(" title=", " "))  # of what is long alone
    same(texts)


def test_no_page_of_a_room_does(registrar: Person, made: list[Json]) -> None:
    texts = []
    for one in made:
        answer = registrar.get(f"/console/rooms/{one['resource']['id']}?day={DAY}")
        assert one["resource"]["name"] in Page(answer.text).words
        texts.append(answer.text)
    same(texts)


def test_neither_does_the_day_nor_the_list(registrar: Person, made: list[Json]) -> None:
    day = Page(registrar.get(f"/console?day={DAY}").text)
    found = Page(registrar.get("/console/recordings").text + registrar.get("/console/recordings?title=W").text)
    for one in made:
        assert one["resource"]["name"] in day.words
    for one in made[-50:]:
        assert one["title"] in found.words
    ours = {"a", "b", "article", "body", "br", "button", "div", "footer", "form", "h1", "head", "header", "html", "i"}
    ours |= {"input", "label", "link", "main", "meta", "nav", "p", "script", "section", "span", "title", "base", "td"}
    ours |= {"table", "tbody", "tr", "th", "thead", "time", "select", "option", "details", "summary", "code"}
    assert {tag.partition(" ")[0] for tag in day.tags | found.tags} <= ours
    assert not {tag for tag in day.tags | found.tags if "'on" in tag or "'style'" in tag}


@pytest.mark.usefixtures("made")
def test_what_is_looked_for_is_shown_as_it_was_typed(registrar: Person) -> None:
    texts: dict[str, list[str]] = {"day": [], "list": [], "sign-in": []}
    for title in (*TITLES, *NOT_ON_A_LINE, "\0"):
        fields = dict.fromkeys(("title", "reference_id", "room", "tag"), f"none {title}")
        texts["list"].append(registrar.get(f"/console/recordings?{urlencode(fields)}").text)
        texts["day"].append(registrar.get(f"/console?{urlencode({'room': title[:200] + '?'})}").text)
        texts["sign-in"].append(Person(registrar.service).get(f"/console/sign-in?{urlencode({'to': title})}").text)
        assert title[:200] in Page(texts["day"][-1]).words
    for each in texts.values():
        same(each)


def test_what_is_typed_into_the_form_is_in_it_again_and_nothing_else(registrar: Person) -> None:
    word, texts = registrar.form("/console/new")["form"], []
    for title in (*TITLES, *NOT_ON_A_LINE):
        fields = dict.fromkeys(("title", "room", "reference_id", "owner", "tags", "description", "exclude"), title)
        given = {"form": word, "act": "preview", "date": "2027-03-02", "time": "09:00", "minutes": title}
        answer = registrar.post("/console/new", fields | given)
        assert Page(answer.text).words.count(title.strip()) >= 4
        texts.append(answer.text)
    assert {tag for text in texts for tag in Page(text).tags if "'on" in tag or "'style'" in tag} == set()
    scripts = {tag for text in texts for tag in Page(text).tags if tag.startswith(("script", "img", "svg", "iframe"))}
    assert scripts == {"script ['src', 'type']"}


def test_what_an_encoder_says_is_no_markup_either(registrar: Person, made: list[Json]) -> None:
    said = {"state": "error", "detail": "<img src=x onerror=alert(1)>"}
    one = made[1]["resource"]["id"]
    registrar.service.client.put(f"/resources/{one}/state", json=said).raise_for_status()
    for text in (registrar.get("/console").text, registrar.get(f"/console/rooms/{one}").text):
        assert said["detail"] in Page(text).words
        assert not any(tag.startswith("img") for tag in Page(text).tags)


def test_a_name_that_turns_the_direction_turns_nothing_but_itself(registrar: Person, made: list[Json]) -> None:
    name = "\u202enever ended"
    one = next(each for each in made if each["title"] == name)
    text = registrar.get(f"/console/recordings/{one['id']}/cancel").text
    assert f"in \u2068{name}\u2069; what was recorded stays." in text
    assert isolated("Room 1") == "Room 1"
