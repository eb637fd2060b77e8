"""Whatever is sent to whichever page, form or calendar link, the answer is never a mistake of the service's own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from fastapi.routing import APIRoute
from httpx2 import Response

from app.console import frame
from app.console.people import COOKIE, FORM
from app.console.site import ROUTERS
from app.recordings.document.document import EXAMPLE
from app.resources.links_router import router as links
from tests.calendars.campus import NAME, day, say
from tests.conftest import Databases
from tests.console.conftest import GIVEN, Person
from tests.sampling import sampled
from tests.service import Lectern, found, lectern
from tests.terms.campus import TERM, Registrar, add_rooms, section

pytestmark = pytest.mark.both_databases

# As an address or a form has it: escaped. `NAME` stands for the field's own name.
NUMBERS = (
    *("9" * 5000, "9" * 17, "-1", "0", str(2**31), str(2**63), str(-(2**63) - 1), "1e999", "0x10", "1.5", "Infinity"),
    *("%C2%B2", "%D9%A3", "%F0%9D%9F%98" * 20),  # what is a digit to some
)
TEXTS = (
    *("", "%20", "%00", "a%00b", "%0D%0Ax:%20y", "%1B%5B2J", "%C2%85", "%E2%80%A8", "%EF%BF%BF", "%E2%80%AEx", "+"),
    *("%ED%A0%80", "%FF%FE", "%C0%AF", "%E2%82", "%", "%ZZ", "%25252e"),  # what is no UTF-8
    *("..", "..%2F..%2Fetc%2Fpasswd", "//evil.example", "http:%5B", "%5C", "*", "%25%5F%27%22--", "%7B%7B7*7%7D%7D"),
    *("x%26NAME=y", "x&NAME=y", "&NAME&NAME=%00", "x;NAME=y", "x&NAME[]=y"),
    "W" * 15_000,
)
TIMES = (
    *("0001-01-01", "9999-12-31", "2027-02-30", "2027-W01-1", "20270101", "2027-01-13T09:00:00Z", "today"),
    *("24:00", "23:59:60", "9:00", "09:00%2B99:00"),
)
DOCUMENTS = (
    *("W" * 200_000, "a" + "%20" * 60_000 + "b", "%0A" * 60_000, "%5B" * 60_000),
    *("null", "%5B%5D", "%7B%22a%22:" + "%5B" * 900 + "%5D" * 900 + "%7D", "%7B%22title%22:NaN%7D"),
    *("%7B%22title%22:" + "9" * 5000 + "%7D", "%7B%22title%22:%22%5Cud800%22%7D", "%7B%22%5Cud800%22:1%7D"),
    *("%7B%22title%22:1e999%7D", "%7B%22time_zone%22:%22..%2F..%22,%22start%22:%229999-12-31T23:59:59%22%7D"),
)
BODIES = (
    *(b"", b"=", b"&", b"&" * 1000, b"form", b"form=%", b"form=%FF", b"form=\xff", b"\x00", b"\xff\xfeform=1"),
    *(b"form=1;version=2", b"a=1&" * 301, b"{}", b"--x\r\n", b"W" * 10**6, "form=\u00e9".encode("utf-16")),
)
TYPES = (
    *("", FORM, f"{FORM}; charset=utf-16", f"{FORM}; charset=%", f"{FORM};;;=", "multipart/form-data", "text/plain"),
    *("multipart/form-data; boundary=x", "application/json", ";", "x" * 5000),
)
HEADERS = {
    "Origin": ("null", "http://[", "http://[::1", "http://testserver:99999999", "//", "\xff", "x" * 5000),
    "Sec-Fetch-Site": ("cross-site", "", "\xff"),
    "If-None-Match": ("*", '"', ",,,", 'W/"x"', "\xff", "x" * 5000),
    "Cookie": (
        COOKIE,
        f"{COOKIE}=",
        f"{COOKIE}=\xff",
        f'{COOKIE}="\\400"',
        f"{COOKIE}=x; {COOKIE}=y",
        f"{COOKIE}={'A' * 43}",
    ),
    "Authorization": ("Bearer \xff", "Basic x", ""),
    "Accept": ("\xff", "text/html;q=x"),
}

FIELDS = {
    "/console/sign-in": f"key={GIVEN}&to=/console",
    "/console/new": (
        "title=Algebra&room=EXTRON-100-ABC&make_room=&reference_id=&date=2027-03-02&time=09:00&minutes=50&repeats=weekly"
        "&count=&until=2027-04-30&days=TU&exclude=2027-03-09&time_zone=UTC&owner=&tags=x&on_conflict=skip&description="
        "&act=preview&json=&key=x"
    ),
    "/console/recordings/{id}/sessions/{occurrence_id}/move": (
        "date=2027-03-02&time=09:00&minutes=50&room=EXTRON-100-ABC&title=&sure="
    ),
    "/console/calendars": "name=other&title=",
    "/console/calendars/{name}/add": f"first={day(2)}&last=&name=Snow&meets_as=",
    "/console/terms/{term}/plans/{plan_id}/apply": "allow=soon",
    "/console/terms/{term}/opt-out": "who=sections&id=x",
    "/console/terms/{term}/opt-in": "who=sections&id=x",
}
"""What a form has besides what its page has hidden in it: a form that is sent like this is accepted."""

VERSIONS = {
    "/console/recordings/": "/console/recordings/{id}/cancel",
    "/console/calendars/": "/console/calendars/{name}/again",
    "/console/terms/{term}/opt": "/console/terms/{term}/opt-out?who=sections&id=x",
    "/console/terms/{term}/applies": "/console/terms/{term}/applies/{apply_id}/stop",
}
"""A page that has the version in it which forms of such an address are made for."""


def name_of(value: str) -> str:
    return value[:20] or "empty"


@dataclass(frozen=True)
class Scene:
    """Somebody who is signed in, and what is there for each part of an address."""

    person: Person
    word: str
    parts: Mapping[str, str]

    def address(self, path: str, parts: Mapping[str, str] = {}) -> str:
        room = {"id": "EXTRON-100-ABC"} if "/rooms/" in path else {}
        return re.sub(r"\{(\w+)(:path)?\}", lambda part: {**self.parts, **room, **parts}[part[1]], path)

    def get(self, address: str, **headers: str) -> Response:
        return self._send("GET", address, None, headers)

    def post(self, address: str, body: str | bytes, **headers: str) -> Response:
        return self._send("POST", address, body, {"Content-Type": FORM, **headers})

    def _send(self, method: str, address: str, body: str | bytes | None, headers: Mapping[str, str]) -> Response:
        said = {"Cookie": self.person.cookie, **headers}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in said.items()]
        return self.person.service.client.request(method, address, content=body, headers=raw)

    def form(self, path: str) -> dict[str, str]:
        """As its page would send it now."""
        made = {"form": self.word, **dict(parse_qsl(FIELDS.get(path, ""), keep_blank_values=True))}
        page = next((page for begin, page in VERSIONS.items() if path.startswith(begin)), None)
        return made | ({"version": self.person.form(self.address(page))["version"]} if page else {})


def routes(method: str) -> list[APIRoute]:
    all_of_them = [each for router in (*ROUTERS, links) for each in router.routes]
    there = [
        each
        for each in all_of_them
        if isinstance(each, APIRoute) and each.path.startswith(("/console", "/calendar-links"))
    ]
    return [each for each in there if method in (each.methods or ())]


def parameters(route: APIRoute) -> list[str]:
    """The names of what its address may ask."""
    declared = {field.alias: field.field_info.annotation for field in route.dependant.query_params}
    return [name for alias, kind in declared.items() for name in getattr(kind, "model_fields", None) or [alias]]


def parts(path: str) -> list[str]:
    return re.findall(r"\{(\w+)", path)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Scene]:
    """A recording, a calendar with a day, and a term with a plan that is applied."""
    folder = tmp_path_factory.mktemp("whatever")
    with (
        databases.one() as url,
        lectern(folder, database_url=url, api_keys=f"registrar={GIVEN}", requests_per_minute=0) as service,
    ):
        service.client.headers["Authorization"] = f"Bearer {GIVEN}"
        yield set_up(service)


def set_up(service: Lectern) -> Scene:
    recording = service.made(EXAMPLE)
    say(service, day(1))
    add_rooms(service, [name for name in TERM["rooms"].values() if name])
    term = Registrar(service)
    term.set()
    plan = term.applied([section("20000")])
    link = found(service.client.post("/resources/EXTRON-100-ABC/calendar-link"), 201)
    person = Person(service)
    person.sign_in(GIVEN)
    return Scene(
        person,
        person.form("/console/new")["form"],
        {
            "id": recording["id"],
            "occurrence_id": service.get(f"/recordings/{recording['id']}/occurrences")["items"][5]["id"],
            "short": recording["id"][4:20],
            "name": NAME,
            "number": "0",
            "term": term.term,
            "plan_id": plan["id"],
            "apply_id": term.shown(plan["id"])["apply_id"],
            "path": "nothing",
            "token": link["url"].rpartition("/")[2].removesuffix(".ics"),
        },
    )


def test_every_field_of_every_form_is_tried() -> None:
    templates = [path.read_text(encoding="utf-8") for path in Path(frame.__file__).parent.glob("templates/*.html")]
    named = {name for text in templates for name in re.findall(r'<(?:input|select|textarea)\b[^>]* name="(\w+)"', text)}
    tried = {name for fields in FIELDS.values() for name, _ in parse_qsl(fields, keep_blank_values=True)}
    asked = {name for route in routes("GET") for name in parameters(route)}
    assert named - tried - asked == {"form", "version"}
    assert FIELDS.keys() <= {route.path for route in routes("POST")}


@pytest.mark.parametrize("path", FIELDS)
def test_a_form_with_nothing_wrong_in_it_is_accepted(scene: Scene, path: str) -> None:
    """So what is tried below is read, and not refused for something else before."""
    answer = scene.post(scene.address(path), urlencode(scene.form(path)))
    assert answer.status_code in (200, 303), answer.text


@pytest.mark.parametrize("value", sampled((*NUMBERS, *TEXTS, *TIMES), 40), ids=name_of)
def test_in_an_address(scene: Scene, value: str) -> None:
    wrong = []
    for route in routes("GET"):
        addresses = [scene.address(route.path, {part: value}) for part in parts(route.path)]
        asked = [f"{name}={value.replace('NAME', name)}" for name in parameters(route)]
        addresses += [f"{scene.address(route.path)}?{each}" for each in asked]
        wrong += [address[:200] for address in addresses if scene.get(address).status_code >= 500]
    for route in routes("POST"):
        addresses = [scene.address(route.path, {part: value}) for part in parts(route.path)]
        body = urlencode({"form": scene.word, "version": "x"})
        wrong += [address[:200] for address in addresses if scene.post(address, body).status_code >= 500]
    assert wrong == []


@pytest.mark.parametrize("value", sampled((*NUMBERS, *TEXTS, *TIMES, *DOCUMENTS), 40), ids=name_of)
def test_in_a_field(scene: Scene, value: str) -> None:
    wrong = []
    for route in routes("POST"):
        form = scene.form(route.path)
        for name in form:
            others = urlencode({field: said for field, said in form.items() if field != name})
            body = f"{name}={value.replace('NAME', name)}&{others}"
            status = scene.post(scene.address(route.path), body).status_code
            if status >= 500:
                wrong.append((route.path, name))
            if status == 303:
                form = scene.form(route.path)  # it may have changed something
    assert wrong == []


@pytest.mark.long
@pytest.mark.parametrize("kind", TYPES, ids=name_of)
def test_as_a_body(scene: Scene, kind: str) -> None:
    wrong = [
        (route.path, body[:40])
        for route in routes("POST")
        for body in BODIES
        if scene.post(scene.address(route.path), body, **{"Content-Type": kind}).status_code >= 500
    ]
    assert wrong == []


@pytest.mark.long
@pytest.mark.parametrize("header", HEADERS)
def test_in_a_header(scene: Scene, header: str) -> None:
    word = urlencode({"form": scene.word})
    wrong = []
    for value in HEADERS[header]:
        answers = [scene.get(scene.address(route.path), **{header: value}) for route in routes("GET")]
        answers += [
            scene.post(scene.address(route.path), word, **{header: value})
            for route in routes("POST")
            if route.path != "/console/sign-out"  # with a header that means nothing it is done
        ]
        wrong += [(value[:40], str(answer.request.url)) for answer in answers if answer.status_code >= 500]
    assert wrong == []
