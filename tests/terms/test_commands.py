"""`lectern term` as a registrar's nightly job calls it: what it prints, and what it ends with."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from app.cli.main import main
from tests.processes import start_sandbox, start_service
from tests.service import Json, eventually
from tests.terms.campus import TERM, section

KEY = "k" * 32
HEADER = "section,title,days,start,end,room,instructors"


@dataclass
class Desk:
    """A terminal, in a folder, in front of a service."""

    url: str
    folder: Path
    client: httpx.Client

    def term(self, *words: str, key: str = KEY) -> Result:
        environment = {"LECTERN_URL": self.url, "LECTERN_KEY": key}
        return CliRunner().invoke(main, ["term", *words], env=environment)

    def file(self, name: str, *rows: str) -> str:
        path = self.folder / name
        path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        return str(path)

    def json(self, name: str, sections: list[Json], *, complete: bool = True) -> str:
        path = self.folder / name
        path.write_text(json.dumps({"complete": complete, "sections": sections}), encoding="utf-8")
        return str(path)

    def new_term(self, name: str, **changes: object) -> str:
        assert self.client.put(f"/terms/{name}", json={**TERM, **changes}).status_code == 201
        return name


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    keys = {"LECTERN_API_KEYS": f"registrar={KEY}"}
    with (
        start_sandbox(folder) as sandbox,
        start_service(folder, sandbox.url, keys) as service,
        httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client,
    ):
        yield Desk(service.url, folder, client)


ROOMS = {"SCI 101": "EXTRON-100-ABC", "SCI 210": "EXTRON-200-DEF"}
A = "A,Algebra,MO|WE,09:00,09:50,SCI 101,jdoe1"


def test_a_plan_is_shown_applied_and_is_nothing_to_do_then(desk: Desk) -> None:
    term = desk.new_term("first", rooms=ROOMS)
    file = desk.file("first.csv", A, "B,Biology,XX,09:00,09:50,SCI 210,")
    kept = desk.folder / "plan.id"
    planned = desk.term("plan", term, file, "--complete", "--exit-code", "--out", str(kept))
    assert planned.exit_code == 3, planned.output
    lines = planned.stdout.splitlines()
    assert lines[0].startswith("? rejected  B  (line 3")
    assert "days_unreadable" in lines[0]
    assert lines[1].startswith("+ create    A  Algebra  [SCI 101]")
    assert "1 to create" in planned.stdout
    assert f"lectern term apply {term} {kept.read_text().strip()} --wait" in planned.stdout
    assert desk.term("plan", term, file).exit_code == 0
    applied = desk.term("apply", term, str(kept), "--wait")
    assert applied.exit_code == 5, "what was rejected is not applied"
    assert "is done: 1 done" in applied.stdout
    good = desk.file("good.csv", A)
    again = desk.term("sync", term, good)
    assert again.exit_code == 0, again.output
    assert "1 unchanged" in again.stdout
    changed = desk.term("sync", term, desk.file("changed.csv", A.replace("Algebra", "Algebra II")))
    assert changed.exit_code == 0, changed.output
    assert "~ change    A  Algebra II  [SCI 101]  (line 2, title: Algebra -> Algebra II)" in changed.stdout
    assert desk.term("sync", term, good).exit_code == 0
    assert desk.term("plan", term, good, "--exit-code").exit_code == 0
    shown = desk.term("show", term, "--section", "A")
    assert "Algebra  (scheduled)" in shown.stdout
    assert "1 recordings" in desk.term("show", term).stdout


def test_json_is_for_programs(desk: Desk) -> None:
    term = desk.new_term("programs", rooms=ROOMS)
    file = desk.json("programs.json", [section("P", start="12:00", end="12:50")])
    planned = json.loads(desk.term("plan", term, file, "--json").stdout)
    assert [(item["kind"], item["section"]) for item in planned["items"]] == [("create", "P")]
    synced = json.loads(desk.term("sync", term, file, "--json").stdout)
    assert synced["apply"]["counts"]["done"] == 1


def test_what_a_guard_blocks_changes_nothing_and_ends_with_4(desk: Desk) -> None:
    term = desk.new_term("guarded", rooms=ROOMS)
    body = {"expected_sections": 2, "sections": [section("G", start="14:00", end="14:50")]}
    path = desk.folder / "guarded.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    blocked = desk.term("sync", term, str(path))
    assert blocked.exit_code == 4
    assert "BLOCKED by expected: 1 sections" in blocked.stdout
    assert "This plan" not in blocked.stdout
    assert "Nothing was changed" in blocked.stderr
    assert desk.client.get("/recordings", params={"term": term}).json()["items"] == []
    assert desk.term("plan", term, str(path)).exit_code == 4
    allowed = desk.term("sync", term, str(path), "--allow", "expected")
    assert allowed.exit_code == 0, allowed.output


def test_a_superseded_plan_ends_with_4(desk: Desk) -> None:
    term = desk.new_term("twice", rooms=ROOMS)
    file = desk.json("twice.json", [section("T", start="16:00", end="16:50")])
    first = json.loads(desk.term("plan", term, file, "--json").stdout)["id"]
    assert desk.term("sync", term, file).exit_code == 0
    late = desk.term("apply", term, first, "--wait")
    assert late.exit_code == 4
    assert "later plan" in late.stderr


def test_what_its_user_can_mend_ends_with_2_and_what_may_pass_with_1(desk: Desk) -> None:
    term = desk.new_term("wrong")
    file = desk.json("wrong.json", [])
    unknown = desk.term("plan", "nobody", file)
    assert (unknown.exit_code, "no such term" in unknown.stderr) == (2, True)
    assert desk.term("plan", term, file, key="x" * 32).exit_code == 2
    assert desk.term("plan", term, file, "--profile", "nobody").exit_code == 2
    empty = desk.folder / "empty.csv"
    empty.write_text("nothing at all\n", encoding="utf-8")
    unreadable = desk.term("plan", term, str(empty))
    assert unreadable.exit_code == 2
    assert "header" in unreadable.stderr
    away = CliRunner().invoke(main, ["term", "plan", term, file], env={"LECTERN_URL": "http://127.0.0.1:9"})
    assert away.exit_code == 1
    assert "does not answer" in away.stderr
    assert desk.term("plan", term, str(desk.folder / "gone.csv")).exit_code == 2


def test_the_same_file_by_two_jobs_at_once_makes_one_of_each(desk: Desk) -> None:
    term = desk.new_term("race", rooms=ROOMS)
    file = desk.json("race.json", [section("R", start="18:00", end="18:50")])
    plans = [json.loads(desk.term("plan", term, file, "--json").stdout)["id"] for _ in range(2)]
    answers = [desk.client.post(f"/terms/{term}/plans/{plan}/apply", json={}) for plan in plans]
    assert answers[0].status_code == 202
    assert answers[1].status_code in (202, 409)
    address = answers[0].headers["Location"]
    eventually(lambda: desk.client.get(address).json()["status"] == "done", 30)
    assert len(desk.client.get("/recordings", params={"term": term}).json()["items"]) == 1
