"""`lectern sandbox`: what it says, what it loads, what it forgets."""

import json
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from app.cli.main import main
from app.sandbox.simulator import Sandbox
from app.sandbox.trouble.faults import ALL_DONE, KINDS, NOTHING_DONE
from app.sandbox.trouble.modes import Modes
from app.sandbox.words import EXAMPLE, HELP
from tests.processes import SIGN_IN, Program, free_port, start_sandbox
from tests.sandbox.kaltura import Kaltura

CAMPUS: dict[str, list[Any]] = {
    "resources": [
        {"id": 4711, "name": "Lecture hall 1", "systemName": "HALL-1"},
        {"name": "Aula", "systemName": "AULA", "objectType": "KalturaLocationScheduleResource"},
    ],
    "categories": ["Physics", {"id": 77, "fullName": "Canvas>site>channels>5678"}],
    "events": [
        {
            "summary": "Choir",
            "startDate": "2027-01-12T18:00:00-05:00",
            "endDate": "2027-01-12T20:00:00-05:00",
            "recurrence": {"frequency": "weeks", "count": 12, "timeZone": "America/New_York"},
            "resources": ["aula", 4711],
        },
        {"summary": "In an hour", "startDate": 3600, "endDate": 5400},
    ],
}
RESTARTED = {"resources": 5, "categories": 7, "entries": 0, "events": 2}


@contextmanager
def started(folder: Path, *options: str) -> Iterator[Program]:
    port = free_port()
    environment = {"LECTERN_SANDBOX_DATABASE": "kept.db"}
    with Program(
        "sandbox", folder, ["sandbox", "--port", str(port), *options], port, "/_sandbox/requests", environment
    ) as program:
        yield program


def held(program: Program) -> dict[str, int]:
    """What it says that it holds, checked against what it does hold."""
    said = re.findall(r"(\d+) (\w+)", program.log.read_text().split("It holds ")[-1].split(", kept in")[0])
    state = httpx.get(f"{program.url}/_sandbox/state").json()
    found = {kind: int(count) for count, kind in said}
    assert found == {
        "resources": len(state["resources"]),
        "categories": len(state["categories"]),
        "entries": len(state["entries"]),
        "events": sum("parentId" not in event for event in state["events"]),
    }
    return found


def test_it_says_where_it_listens_what_it_holds_and_how_to_sign_in(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        assert held(program) == {"resources": 3, "categories": 5, "entries": 0, "events": 0}
        said = program.log.read_text()
        with httpx.Client(base_url=program.url) as client:
            kaltura = Kaltura(client)
            (secret,) = re.findall(r"admin secret +(\S+)", said)
            (partner,) = re.findall(r"partner id +(\S+)", said)
            kaltura.ks = kaltura("session", "start", secret=secret, partnerId=partner, type=2, userId="me")
            assert kaltura("schedule_scheduleResource", "list")["totalCount"] == 3
        assert program.url in said
        for name in ("state", "requests"):
            assert httpx.get(f"{program.url}/_sandbox/{name}").is_success
            assert f"{program.url}/_sandbox/{name}" in said
        assert program.stop() == 0


def test_the_line_for_a_service_is_one_that_works(tmp_path: Path) -> None:
    with start_sandbox(tmp_path) as program:
        said = program.log.read_text()
        variables = dict(re.findall(r"(LECTERN_\w+)=(\S+)", said))
        assert variables.pop("LECTERN_KALTURA_URL") == program.url
        assert variables == SIGN_IN


def test_a_file_is_loaded_beside_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "campus.json").write_text(json.dumps(CAMPUS))
    with started(tmp_path, "--seed", "campus.json") as program:
        assert held(program) == RESTARTED
        state = httpx.get(f"{program.url}/_sandbox/state").json()
    assert {(one["systemName"], one["objectType"]) for one in state["resources"]} >= {
        ("HALL-1", "KalturaCameraScheduleResource"),
        ("AULA", "KalturaLocationScheduleResource"),
        ("EXTRON-100-ABC", "KalturaCameraScheduleResource"),
    }
    assert {(one["id"], one["fullName"]) for one in state["categories"]} >= {(77, "Canvas>site>channels>5678")}
    choir = [one for one in state["events"] if one["summary"] == "Choir"]
    assert [one["startDate"] for one in choir[:2]] == [1799794800, 1799794800]  # the series and its first child
    assert len(choir) == 13
    aula = next(one["id"] for one in state["resources"] if one["systemName"] == "AULA")
    assert [(one["eventId"], one["resourceId"]) for one in state["event_resources"]] == [
        (choir[0]["id"], aula),
        (choir[0]["id"], 4711),
    ]


def test_what_a_file_holds_is_loaded_once_however_often_it_is_given(sandbox: Sandbox) -> None:
    assert sandbox.load(CAMPUS) == {"resources": 2, "categories": 2, "events": 2}
    before = sandbox.state()
    assert sandbox.load(CAMPUS) == {"resources": 0, "categories": 0, "events": 0}
    assert sandbox.state() == before
    more = CAMPUS["events"][0] | {"summary": "Orchestra"}
    assert sandbox.load(CAMPUS | {"events": [*CAMPUS["events"], more]})["events"] == 1


def test_a_reset_forgets_all_but_sessions_and_what_is_loaded_now(tmp_path: Path) -> None:
    (tmp_path / "campus.json").write_text(json.dumps(CAMPUS))
    with started(tmp_path) as program, httpx.Client(base_url=program.url) as client:
        kaltura = Kaltura(client).sign_in()
        kaltura.add_event()
    with started(tmp_path, "--reset", "--seed", "campus.json") as program:
        assert held(program) == RESTARTED
        with httpx.Client(base_url=program.url) as client:
            again = Kaltura(client)
            again.ks = kaltura.ks
            assert again.events(recurrenceTypeIn="0,1")["totalCount"] == RESTARTED["events"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "JSON object"),
        ({"rooms": []}, "rooms is not known"),
        ({"resources": {}}, "resources must be a list"),
        ({"resources": ["HALL-1"]}, "resources/0: must be an object"),
        ({"resources": [{"name": "x"}]}, "resources/0: needs a systemName"),
        ({"resources": [{"systemName": "x"}]}, "resources/0: PROPERTY_VALIDATION_CANNOT_BE_NULL"),
        ({"resources": [{"name": "x", "systemName": "x", "room": 1}]}, "resources/0: room is not known"),
        (
            {"resources": [{"name": "x", "systemName": "x", "objectType": "Camera"}]},
            "objectType must be one of Kaltura",
        ),
        ({"resources": [{"name": "x", "systemName": "x", "objectType": []}]}, "objectType must be one of Kaltura"),
        ({"resources": [{"name": "x", "systemName": "x", "id": 562931}]}, "the id 562931 is taken"),
        (
            {"resources": [{"name": "x", "systemName": "extron-100-abc", "id": 7}]},
            "is there already, with the id 562931",
        ),
        ({"resources": [{"name": "x", "systemName": "x", "id": 2**40}]}, "id must be a whole number"),
        ({"categories": [7]}, "categories/0: must be an object"),
        ({"categories": ["Physics", "a > b"]}, "categories/1: needs a fullName"),
        ({"categories": [{"id": 7}]}, "categories/0: needs a fullName"),
        ({"events": [{"summary": "x", "startDate": 60}]}, "events/0: PROPERTY_VALIDATION_CANNOT_BE_NULL"),
        ({"events": [{"summary": "x", "start": 60}]}, "events/0: start is not known"),
        (
            {"events": [{"summary": "x", "startDate": "2027-01-12T18:00:00"}]},
            "startDate must be a number, or a time with",
        ),
        ({"events": [{"summary": "x", "startDate": "soon"}]}, "startDate must be a number, or a time with"),
        ({"events": [{"summary": "x", "startDate": 60, "endDate": 90, "resources": ["X"]}]}, "no resource is called X"),
        ({"events": [{"summary": "x", "startDate": 60, "endDate": 90, "resources": "X"}]}, "resources must be a list"),
        ({"events": [{"summary": "x", "recurrence": {"freq": "weeks"}}]}, "freq is not known"),
        (
            {
                "events": [
                    {
                        "summary": "x",
                        "startDate": 60,
                        "endDate": 90,
                        "recurrence": {"frequency": "months", "count": 2, "byMonthDay": "1,15"},
                    }
                ]
            },
            "events/0: a real Kaltura dies of this",
        ),
    ],
)
def test_what_cannot_be_loaded_is_named_and_nothing_else_is_loaded(sandbox: Sandbox, document: Any, says: str) -> None:
    before = sandbox.state()
    whole = CAMPUS | document if isinstance(document, dict) else document
    with pytest.raises(ValueError, match=re.escape(says)):
        sandbox.load(whole)
    assert sandbox.state() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--seed", "broken.yaml"], "broken.yaml is not JSON"),
        (["--seed", "wrong.json"], "events/0: start is not known"),
        (["--seed", "missing.json"], "does not exist"),
        (["--database", "lectern.db"], "not a sandbox's"),
        (["--database", "no/such/folder.db"], "unable to open"),
        (["--port", "65536"], "65535"),
        (["--host", "203.0.113.1"], "assign requested address"),
    ],
)
def test_a_start_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text("resources: []")
    Path("wrong.json").write_text('{"events": [{"start": 1}]}')
    with closing(sqlite3.connect("lectern.db")) as connection:
        connection.execute("CREATE TABLE resources (id INTEGER)")
    result = CliRunner().invoke(main, ["sandbox", "--port", "0", *options])
    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert says in " ".join(result.output.split())
    with closing(sqlite3.connect("lectern.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("resources",)]


def test_an_address_in_use_leaves_what_is_there_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with started(tmp_path) as program, httpx.Client(base_url=program.url) as client:
        Kaltura(client).sign_in().add_event()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(main, ["sandbox", "--reset", "--database", "kept.db", "--port", port])
        assert (result.exit_code, "Address already in use" in result.output) == (2, True)
    with started(tmp_path) as program:
        assert held(program)["events"] == 1


@pytest.mark.parametrize("embedded", [False, True], ids=["alone", "embedded"])
def test_a_file_that_another_process_uses_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded: bool
) -> None:
    """It would be changed behind that one's back. Of a process that is killed no lock stays."""
    monkeypatch.chdir(tmp_path)
    port = free_port()
    environment = {"LECTERN_SANDBOX_DATABASE": "kept.db"}
    words, ready = (["serve"], "/healthz") if embedded else (["sandbox"], "/_sandbox/state")
    with Program("user", tmp_path, [*words, "--port", str(port)], port, ready, environment) as user:
        result = CliRunner().invoke(main, ["sandbox", "--reset", "--database", "kept.db", "--port", "0"])
        assert result.exit_code == 2
        assert result.output == "The sandbox cannot start: another process uses kept.db\n"
        user.kill()
    with started(tmp_path) as program:
        assert held(program)["resources"] == 3


def test_the_help_names_every_fault_and_mode_and_its_example_works(sandbox: Sandbox) -> None:
    shown = CliRunner().invoke(main, ["sandbox", "--help"], terminal_width=200).output
    for name in (*KINDS, *(mode.name for mode in fields(Modes))):
        assert re.search(rf"^[ │]*{name} +\S", shown, re.MULTILINE), name
    assert EXAMPLE in HELP
    sandbox.set_faults(json.loads(EXAMPLE.split("'")[1]))


@pytest.fixture(scope="module")
def page() -> str:
    return (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")


def test_the_page_s_faults_and_modes_are_those_that_there_are(page: str, sandbox: Sandbox) -> None:
    documents = [json.loads(sent) for sent in re.findall(r"_sandbox/faults -d '(.*?)'", page, re.DOTALL)]
    for document in documents:
        sandbox.set_faults(document)
    modes = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", page, re.MULTILINE))
    assert modes.keys() == {one.name for one in fields(Modes)}
    sandbox.set_faults({"modes": {name: json.loads(value) for name, value in modes.items()}})
    table = re.findall(r"^\| `(\w+)` \| (yes|no) \|", page, re.MULTILINE)
    assert table == [*((kind, "no") for kind in NOTHING_DONE), *((kind, "yes") for kind in ALL_DONE)]


def test_the_page_s_campus_is_loaded(page: str, sandbox: Sandbox) -> None:
    (campus,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert sandbox.load(json.loads(campus)) == {"resources": 2, "categories": 2, "events": 3}
