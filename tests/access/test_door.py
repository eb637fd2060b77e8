"""Who may ask: keys, how they are sent, and when none is needed."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Response

from app.access.keys import LOCAL, Client, Keys, given
from app.database.database import Database
from app.main import create_app
from app.resources.models import Mirror
from tests.conftest import Databases
from tests.keys import bearer, key
from tests.recordings.documents import SINGLE
from tests.service import Lectern, found, lectern, problem, settings

KEY = "registrar-key-0123456789abcdef0123"
OTHER = "library-key-0123456789abcdef012345"
NEW = "registrar-key-new-0123456789abcdef"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    pairs = f"registrar={KEY}, library={OTHER},registrar={NEW}"
    with lectern(tmp_path_factory.mktemp("access"), api_keys=pairs) as running:
        yield running


def basic(user: str, password: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()


@pytest.mark.parametrize(
    "sent",
    [
        f"Bearer {KEY}",
        f"bearer {KEY}",
        basic("anyone", KEY),
        basic("", KEY),
        basic("é", KEY),
        basic("a", KEY).replace("Basic", "basic"),
    ],
)
def test_a_key_is_sent_as_bearer_or_as_the_password_of_basic(service: Lectern, sent: str) -> None:
    found(service.client.get("/recordings", headers={"Authorization": sent}))


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY.upper()}",
        "Bearer registrar",
        f"Bearer registrar={KEY}",
        f"Token {KEY}",
        KEY,
        "Bearer " + "k" * 10_000,
        "Bearer ключ".encode(),
        "Bearer é".encode("latin-1"),
        b"Bearer \xff\xfe",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        basic("registrar", "wrong"),
        basic("registrar", "ключ"),
        basic(KEY, ""),
        basic("é", "é", "latin-1"),
    ],
)
def test_everything_else_is_a_401_that_says_how_to_ask(service: Lectern, sent: str | bytes | None) -> None:
    raw = sent.encode() if isinstance(sent, str) else sent
    answer = service.client.get("/recordings", headers=[] if raw is None else [(b"Authorization", raw)])
    problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="lectern", Basic realm="lectern"'
    assert KEY not in answer.text


def test_a_key_in_the_address_is_not_looked_at(service: Lectern) -> None:
    for name in ("key", "api_key", "access_token", "token"):
        problem(service.client.get("/recordings", params={name: KEY}), 401, "unauthorized")


def test_a_new_key_of_a_client_finds_what_the_old_one_made(service: Lectern) -> None:
    answer = service.client.post("/recordings", json=SINGLE, headers={"Authorization": f"Bearer {KEY}"})
    made = found(answer, 201)
    path = f"/recordings/{made['id']}"
    assert found(service.client.get(path, headers={"Authorization": f"Bearer {NEW}"})) == made
    problem(service.client.get(path, headers={"Authorization": f"Bearer {OTHER}"}), 404, "not_found")


# The keys in the environment


def test_only_digests_of_keys_are_kept(tmp_path: Path) -> None:
    values = settings(tmp_path, api_keys=f"registrar={KEY}")
    kept = Keys(values, Database(values.database_url), sandboxed=True)
    assert KEY not in repr(given(values))
    assert kept.owner(KEY) == Client("registrar")
    assert kept.owner(OTHER) is None
    assert kept.owner("\ud800") is None


def test_an_open_service_knows_one_client(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        for headers in ({}, {"Authorization": "Bearer whatever"}):
            found(service.client.get("/recordings", headers=headers))
        assert service.app.state.keys.is_open
    assert LOCAL.name == "local"


@pytest.mark.parametrize("keys", ["registrar", f"={KEY}", "registrar=", "registrar=short", f"a={KEY},b"])
def test_an_unreadable_key_is_refused_by_its_number(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ValueError, match=r"LECTERN_API_KEYS: entry [12]") as caught:
        create_app(settings(tmp_path, api_keys=keys))
    assert KEY not in str(caught.value)


def test_one_key_of_two_clients_is_refused_by_its_numbers(tmp_path: Path) -> None:
    """Of one client it may stand there twice."""
    pairs = f"registrar={KEY},library={OTHER},registrar={KEY}"
    assert len(given(settings(tmp_path, api_keys=pairs))) == 3
    says = "LECTERN_API_KEYS: entries 2 and 4 are two clients with the same key"
    with pytest.raises(ValueError, match=says) as caught:
        create_app(settings(tmp_path, api_keys=f"{pairs}, hall = {OTHER}"))
    assert OTHER not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["/recordings", "/metrics", "/resources", "/resources/EXTRON-100-ABC/upcoming", "/resources/562931/upcoming.ics"],
)
def test_two_headers_are_not_a_key_also_where_the_answer_is_remembered(service: Lectern, path: str) -> None:
    assert service.client.get(path, headers=bearer(KEY)).status_code == 200
    for first, second in ((KEY, KEY), (KEY, "wrong"), ("wrong", KEY)):
        sent = [("Authorization", f"Bearer {first}"), ("Authorization", f"Bearer {second}")]
        problem(service.client.get(path, headers=sent), 401, "unauthorized")


# A key that is narrowed to resources


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    with (
        databases.one() as url,
        lectern(tmp_path_factory.mktemp("narrowed"), database_url=url, api_keys=f"registrar={KEY}") as running,
    ):
        yield running


@pytest.mark.parametrize("named", [["562931"], ["EXTRON-100-ABC"], ["extron-100-abc", "4711"]])
def test_an_encoder_s_key_reads_its_own_resource_only(campus: Lectern, named: list[str]) -> None:
    """However either is named, and whether it was asked for before or not."""
    mine = bearer(key(campus, "hall 1", "schedule:read", resources=named))
    other = {one["system_name"]: one["id"] for one in found(get(campus, "/resources", bearer(KEY)))["items"]}
    assert [one["system_name"] for one in found(get(campus, "/resources", mine))["items"]] == ["EXTRON-100-ABC"]
    for _ in range(2):
        for each in ("EXTRON-100-ABC", "extron-100-abc", "562931"):
            for more in ("", "/upcoming", "/upcoming.ics"):
                assert get(campus, f"/resources/{each}{more}", mine).status_code == 200
        for each in ("EXTRON-200-DEF", "extron-200-def", str(other["EXTRON-200-DEF"]), "no-such-resource"):
            for more in ("", "/upcoming", "/upcoming.ics"):
                shown = problem(get(campus, f"/resources/{each}{more}", mine), 404, "not_found")
                assert shown["detail"] == "Kaltura has no such resource."
            if each != "no-such-resource":
                assert get(campus, f"/resources/{each}/upcoming", bearer(KEY)).status_code == 200  # it is kept now


def test_what_is_kept_for_others_is_kept_from_an_encoder(campus: Lectern) -> None:
    mine = bearer(key(campus, "hall 1", "schedule:read", resources=["EXTRON-100-ABC"]))
    reader = bearer(key(campus, "library", "recordings:read"))
    path = "/resources/EXTRON-200-DEF/upcoming"
    tag = get(campus, path, bearer(KEY)).headers["ETag"]
    for headers, status in ((mine, 404), (reader, 403), ({}, 401)):
        for condition in ({}, {"If-None-Match": tag}, {"If-None-Match": "*"}):
            assert get(campus, path, headers | condition).status_code == status


def test_a_resource_is_not_mirrored_for_who_may_not_see_it(campus: Lectern) -> None:
    other = found(get(campus, "/resources/PEARL-300-GHI", bearer(KEY)))["id"]
    mine = bearer(key(campus, "hall 1", "schedule:read", resources=["EXTRON-100-ABC"]))
    for path in ("/resources/PEARL-300-GHI/upcoming", f"/resources/{other}/upcoming.ics"):
        problem(get(campus, path, mine), 404, "not_found")
    with campus.app.state.database.read() as session:
        row = session.get_one(Mirror, other)
    assert (row.as_of, row.asked_at) == (None, None)


def get(service: Lectern, path: str, headers: dict[str, str]) -> Response:
    return service.client.get(path, headers=headers)
