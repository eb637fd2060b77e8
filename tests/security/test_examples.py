"""Every example in `openapi.json` is one that works, as it stands, on a service that nobody has used before.

What an example can't know (the id of a recording, its ETag) is taken from what was made before.
"""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.recordings.document.document import EXAMPLE
from app.sandbox.seed.seed import RESOURCE_ID
from tests.http.test_openapi import COMMITTED, OPERATIONS, SCHEMAS
from tests.service import Json, Lectern, eventually, found, lectern

ROOMS = (RESOURCE_ID, "EXTRON-200-DEF")
NUMBERS = count(1)
JSON = ("application/json", "application/merge-patch+json")
CALENDAR = "/calendars/campus-2027"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("examples")) as service:
        yield service


@pytest.fixture
def service(running: Lectern) -> Iterator[Lectern]:
    """Without recordings that still hold a room."""
    yield running
    for each in running.get("/recordings", status="scheduled", limit=100)["items"]:
        found(running.client.delete(f"/recordings/{each['id']}"))


def examples(content: Json) -> list[Any]:
    """Those of a body: its own, else its schema's, else the one that the page makes of its fields'."""
    if "examples" in content:
        return [each["value"] for each in content["examples"].values()]
    schema = content["schema"]
    schema = SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return schema.get("examples") or [{name: shown["examples"][0] for name, shown in schema["properties"].items()}]


def bodies(operation: Json) -> list[tuple[str | None, Any]]:
    """Each example of a request's body in JSON, with its type; one without a body if it has none.

    Files in other forms are tried in tests/calendars and tests/terms.
    """
    content = operation.get("requestBody", {}).get("content", {})
    shown = {kind: each for kind, each in content.items() if kind in JSON}
    return [(kind, example) for kind, content in shown.items() for example in examples(content)] or [(None, None)]


CASES = [(name, kind, body) for name, operation in OPERATIONS.items() for kind, body in bodies(operation)]


def success(name: str, status: int) -> bool:
    done = (200, 201, 204, 304, *([202] if name == "POST /terms/{term}/plans/{plan_id}/apply" else []))
    return status in done and str(status) in OPERATIONS[name]["responses"]


def waiting(service: Lectern) -> Json:
    """A recording whose chain has met trouble which is over now."""
    service.fault("http_429", "media", "add")
    recording: Json = found(service.schedule(EXAMPLE, prefer="respond-async"), 202)
    eventually(lambda: service.get(f"/recordings/{recording['id']}")["chain"]["status"] == "waiting")
    service.heal()
    return recording


def example_of(service: Lectern, method: str, address: str) -> Json:
    """What comes of the example of an operation on one of these addresses."""
    name = f"{method} {re.sub('/terms/[^/]+', '/terms/{term}', address.replace(CALENDAR, '/calendars/{name}'))}"
    ((_, body),) = bodies(OPERATIONS[name])
    answer = service.client.request(method, address, json=body)
    assert answer.is_success, answer.text
    shown: Json = answer.json()
    return shown


def term(service: Lectern, path: str) -> str:
    """The address, when what it names was made."""
    names = {"term": f"2027S-{next(NUMBERS)}", "who": "sections", "id": "20005", "section": "20005"}
    address = f"/terms/{names['term']}"
    example_of(service, "PUT", CALENDAR)
    example_of(service, "PUT", address)
    if re.search("{plan_id}|{apply_id}|{section}", path):
        plan = example_of(service, "POST", f"{address}/plans")["id"]
        names["plan_id"] = plan
        if "{apply_id}" in path:
            applied = found(service.client.post(f"{address}/plans/{plan}/apply", json={}), 202)
            names["apply_id"] = applied["id"]
    return path.format(**names)


def path_of(service: Lectern, path: str) -> tuple[str, str]:
    """The address with what was made for it, and the ETag of that; recordings are made where it names one."""
    if path.startswith("/chains/"):
        return path.format(id=waiting(service)["chain"]["id"]), "-"  # it waits once, so nothing is tried again
    if path == "/recordings/{id}/resume":
        return path.format(id=waiting(service)["id"]), "-"
    if "{token}" in path:
        link = found(service.client.post(f"/recordings/{service.made()['id']}/calendar-link"), 201)
        return urlsplit(link["url"]).path, "-"
    if path.startswith("/calendars/"):
        example_of(service, "PUT", CALENDAR)
        return path.format(name="campus-2027"), ""
    if path.startswith("/terms/"):
        return term(service, path), ""
    if not re.match(r"/recordings/.*{id}", path):
        address = path.format(id="EXTRON-100-ABC", reference_id=EXAMPLE["reference_id"])
        if "{reference_id}" in path:
            assert service.client.put(address, json=EXAMPLE).is_success
        return address, service.client.get(address).headers["ETag"] if "{reference_id}" in path else ""
    recording = service.made()
    etag = service.client.get(f"/recordings/{recording['id']}").headers["ETag"]
    sessions = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    occurrence = next(each["id"] for each in sessions if (each["status"] == "excluded") is ("restore" in path))
    return path.format(id=recording["id"], occurrence_id=occurrence), etag


@pytest.mark.parametrize(("name", "kind", "body"), CASES, ids=[f"{name} {n}" for n, (name, *_) in enumerate(CASES)])
def test_every_operation_with_its_example(service: Lectern, name: str, kind: str | None, body: Any) -> None:
    """And with the example of each of its headers and parameters, one after the other."""
    method, path = name.split()
    if "changes" in (body or {}):
        made = [service.made(EXAMPLE | {"resource": room, "reference_id": None}) for room in ROOMS]
        patches = [{"patch": change["patch"]} for change in body["changes"]]
        body = {"changes": [patch | {"id": one["id"]} for patch, one in zip(patches, made, strict=True)]}
    address, etag = path_of(service, path)
    headers = {"Content-Type": kind} if kind else {}
    answer = service.client.request(method, address, json=body, headers=headers)
    assert success(name, answer.status_code), answer.text
    if name == "POST /recordings" and "reference_id" not in body:
        return  # sent again, it would be another recording, and stand in its own way
    for parameter in OPERATIONS[name].get("parameters", []):
        example = parameter["schema"]["examples"][0]
        given = {parameter["name"]: etag if parameter["name"] == "If-Match" else example}
        if parameter["in"] == "query" and body is not None:
            continue  # it is about files
        if parameter["in"] == "query":
            again = service.client.request(method, address, params=given)
        elif parameter["in"] == "header" and not etag:
            again = service.client.request(
                method, address, json=body, headers=headers | {parameter["name"]: str(example)}
            )
        else:
            continue
        assert success(name, again.status_code), (given, again.text)


@pytest.mark.parametrize("name", ["PATCH /recordings/{id}", "DELETE /recordings/{id}"])
def test_a_change_with_the_etag_of_what_was_read(service: Lectern, name: str) -> None:
    method, path = name.split()
    ((kind, body),) = bodies(OPERATIONS[name])
    address, etag = path_of(service, path)
    headers = {"If-Match": etag, "Prefer": "wait=20"} | ({"Content-Type": kind} if kind else {})
    assert success(name, service.client.request(method, address, json=body, headers=headers).status_code)


FIELDS = [
    (field, example)
    for field, shown in SCHEMAS["RecordingDocument"]["properties"].items()
    for example in shown["examples"]
]


@pytest.mark.parametrize(("field", "example"), FIELDS, ids=[f"{field}-{n}" for n, (field, _) in enumerate(FIELDS)])
def test_every_example_of_a_field_of_the_document(service: Lectern, field: str, example: Any) -> None:
    document = EXAMPLE | {field: example}
    if isinstance(example, dict) and "dates" in example:
        document["start"] = f"{example['dates'][0]}T09:00:00"
    if field == "end":
        del document["duration_minutes"]
    if field == "calendars":
        example_of(service, "PUT", CALENDAR)
    found(service.client.post("/recordings/preview", json=document))


def test_the_page_s_own_words_lead_somewhere(service: Lectern) -> None:
    """What the introduction of `/docs` says to try."""
    said: str = COMMITTED["info"]["description"]
    assert "`POST /recordings` with the example as it stands" in said
    service.made()
    (path,) = re.findall(r"`GET (/resources/\S+)`", said)
    query = dict(re.findall(r"`(\w+)=(\S+)`", said))
    assert len(found(service.client.get(path, params=query))["occurrences"]) == 36
