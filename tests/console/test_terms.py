"""The pages of terms: a plan is reviewed, applied, stopped and resumed, and only its client knows of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy import event

from app.http.errors import InvalidDocument
from app.terms.comparing.items import Kind
from tests.console.conftest import GIVEN, Person, somebody
from tests.console.overfull.hostile import TITLES
from tests.console.overfull.test_crowd import LIGHT
from tests.console.test_pages import Tags
from tests.service import Json, Lectern, eventually, lectern
from tests.terms.campus import TERM, Registrar, add_rooms, but, section

ADDRESS = "/console/terms/2027S"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    with lectern(tmp_path, api_keys=f"registrar={GIVEN}") as running:
        running.client.headers["Authorization"] = f"Bearer {GIVEN}"
        add_rooms(running, [name for name in TERM["rooms"].values() if name])
        yield running


@pytest.fixture
def term(service: Lectern) -> Registrar:
    term = Registrar(service)
    term.set()
    return term


@pytest.fixture
def registrar(service: Lectern) -> Person:
    person = Person(service)
    person.sign_in(GIVEN)
    return person


def many(number: int) -> list[Json]:
    """Sections, one after the other in time."""
    return [section(f"{20000 + n}", start=f"{8 + n:02}:00", end=f"{8 + n:02}:50") for n in range(number)]


def page_of(plan: Json) -> str:
    return f"{ADDRESS}/plans/{plan['id']}"


def test_a_plan_is_reviewed_and_applied(service: Lectern, term: Registrar, registrar: Person) -> None:
    assert "lectern term plan 2027S" in registrar.get(ADDRESS).text
    plan = term.plan(many(2))
    page = registrar.get(ADDRESS).text
    assert "ready to be applied" in page
    assert "2 to create (sessions: 32 added)." in page
    assert "16 sessions, 12 Jan 2027 to 27 Apr 2027." in page
    asked = registrar.get(f"{page_of(plan)}/apply").text
    assert "This creates 2 recordings. Sessions: 32 added. What was recorded stays" in asked
    assert term.recordings() == []
    fields = registrar.form(f"{page_of(plan)}/apply")
    done = registrar.post(f"{page_of(plan)}/apply", fields)
    assert (done.status_code, done.headers["Location"]) == (303, f"{page_of(plan)}?said=applying")
    assert registrar.post(f"{page_of(plan)}/apply", fields).headers["Location"] == f"{page_of(plan)}?said=there"
    term.ended(term.shown(plan["id"])["apply_id"])
    page = registrar.get(done.headers["Location"]).text
    assert "2 of 2 items" in page
    assert "data-every" not in page
    assert len(term.recordings()) == 2
    listed = registrar.get("/console/terms").text
    assert "Spring 2027" in listed
    assert "2 recordings" in listed
    assert listed.count("✓</span> applied") == 2


def test_each_kind_is_told_in_sentences(term: Registrar, registrar: Person) -> None:
    rows = [*many(8), section("30000", room="SCI 210", days=["FR"], instructors=["mcurie"])]
    term.applied(rows)
    cancelled = term.recordings(reference_id="2027S/20003")[0]
    term.service.client.delete(f"/recordings/{cancelled['id']}", headers={"Prefer": "wait=20"})
    term.service.client.put(f"{term.path}/opt-outs/instructors/mcurie")
    plan = term.plan(
        [
            but(rows[0], start="20:00", end="20:50"),
            {**rows[1], "status": "cancelled"},
            but(rows[2], room="ATLANTIS 7"),
            rows[3],
            {**rows[4], "section": "20444"},
            rows[5],
            section("30001", room="ENG 404"),
            section("30002", start="13:10", end="13:40"),  # while 20005 is held
            rows[8],
        ],
        generated_at="2026-11-01T02:00:00-05:00",
    )
    told = {
        Kind.CHANGE: "Sessions: 16 moved.",
        Kind.CANCEL: "mcurie has opted out.",
        Kind.REJECTED: "is not among the term&#39;s rooms",
        Kind.HELD: "Somebody cancelled it by hand.",
        Kind.REKEY: "sections: 20004 → 20444",
        Kind.UNCHANGED: "20005",
        Kind.SKIPPED: "Nothing records in its room.",
        Kind.CONFLICT: "has the room from",
        Kind.MISSING: "It is cancelled once it has been missing for 20 hours.",
    }
    assert {kind for kind, number in plan["counts"].items() if number} == {str(kind) for kind in told}
    for kind, sentence in told.items():
        assert sentence in registrar.get(f"{page_of(plan)}?kind={kind}").text, kind
    first = registrar.get(ADDRESS).text
    assert "It is cancelled in the timetable." in first  # cancellations come first
    assert "opted out 1" in first
    of_one_reason = registrar.get(f"{ADDRESS}?kind=cancel&reason=cancelled").text
    assert "mcurie has opted out" not in of_one_reason
    everything = registrar.get(f"{page_of(plan)}?kind=all").text
    assert everything.count("<tr>") >= sum(plan["counts"].values())
    assert "2026-11-01 07:00 UTC" in everything  # when the export was made, whatever its offset


def test_a_guard_blocks_until_somebody_has_looked(term: Registrar, registrar: Person) -> None:
    plan = term.plan(many(2), expected_sections=5)
    page = registrar.get(ADDRESS).text
    assert "Not as many sections as were announced" in page
    assert "See whether the export is whole, or expected_sections is wrong." in page
    assert "allow:" not in page  # which is for programs
    apply = f"{page_of(plan)}/apply"
    fields = registrar.form(apply)
    refused = registrar.post(apply, fields)
    assert refused.status_code == 409
    assert page_of(plan) in refused.text
    assert registrar.post(apply, fields | {"allow": "nonsense"}).status_code == 422
    assert registrar.post(apply, fields | {"allow": "expected"}).status_code == 303
    term.ended(term.shown(plan["id"])["apply_id"])
    assert len(term.recordings()) == 2


def test_an_apply_is_stopped_and_resumed(service: Lectern, term: Registrar, registrar: Person) -> None:
    plan = term.plan(many(3))
    with mock.patch.object(service.app.state.terms.applier, "_begin_some"):  # nothing is begun meanwhile
        apply_id = term.begin(plan)
        page = registrar.get(ADDRESS).text
        assert "0 of 3 items" in page
        assert "data-every" in page
        assert '<noscript><meta http-equiv="refresh"' in page
        stop, resume = (f"{ADDRESS}/applies/{apply_id}/{act}" for act in ("stop", "resume"))
        assert stop in page
        assert "3 items stay as they are until it is resumed" in registrar.get(stop).text
        fields = registrar.form(stop)
        assert registrar.post(stop, fields).headers["Location"] == f"{page_of(plan)}?said=stopped"
        assert registrar.post(stop, fields).status_code == 412
        assert service.get(f"/terms/2027S/applies/{apply_id}")["status"] == "stopped"
        term.plan(many(3))
        assert "is stopped" in registrar.get(ADDRESS).text  # of another plan than the latest
    assert "It goes on with 3 items" in registrar.get(resume).text
    assert registrar.do(resume).headers["Location"] == f"{page_of(plan)}?said=resumed"
    assert term.ended(apply_id)["counts"]["done"] == 3


def test_a_plan_that_may_not_be_applied_says_why(term: Registrar, registrar: Person) -> None:
    first, second = term.plan(many(1)), term.plan(many(2))
    term.apply(second)
    page = registrar.get(page_of(first)).text
    assert "a later one was applied" in page
    assert f"{page_of(first)}/apply" not in page
    assert registrar.do(f"{page_of(first)}/apply").status_code == 409
    same = term.plan(many(2))
    assert "nothing to do" in registrar.get(page_of(same)).text
    assert f"{page_of(same)}/apply" not in registrar.get(page_of(same)).text


def test_a_plan_that_is_being_made_or_came_to_nothing_says_so(term: Registrar, registrar: Person) -> None:
    planner = term.service.app.state.terms.planner
    plan_id = planner.begin("registrar", "2027S")
    page = registrar.get(ADDRESS).text
    assert "being made" in page
    assert "data-every" in page
    planner._fail(plan_id, InvalidDocument("The body is not JSON."))
    page = registrar.get(ADDRESS).text
    assert "could not be read: The body is not JSON." in page
    assert "lectern term plan 2027S" in page  # there is none to review yet
    page = registrar.get(f"{ADDRESS}/plans/{plan_id}").text
    assert "No plan came of it." in page
    assert "unreadable" in registrar.get("/console/terms").text
    eventually(lambda: '<a href="/console/terms">Look</a>' in registrar.get("/console").text)  # the finding's


def test_somebody_is_opted_out_and_in_again(service: Lectern, term: Registrar, registrar: Person) -> None:
    asked = f"{ADDRESS}/opt-out?who=instructors&id=jdoe1"
    assert "From the next plan on, nothing of jdoe1 is recorded." in registrar.get(asked).text
    fields = registrar.form(asked)
    assert registrar.post(f"{ADDRESS}/opt-out", fields).headers["Location"].startswith(f"{ADDRESS}?said=opted-out")
    assert registrar.post(f"{ADDRESS}/opt-out", fields).status_code == 412
    assert service.get("/terms/2027S")["settings"]["opt_outs"]["instructors"] == ["jdoe1"]
    assert term.plan(many(2))["counts"]["skipped"] == 2
    (back,) = re.findall(rf'href="({ADDRESS}/opt-in[^"]*)"', registrar.get(ADDRESS).text)
    back = back.replace("&amp;", "&")
    assert "is recorded again" in registrar.get(back).text
    assert registrar.post(f"{ADDRESS}/opt-in", registrar.form(back)).status_code == 303
    assert service.get("/terms/2027S")["settings"]["opt_outs"]["instructors"] == []
    assert registrar.get(f"{ADDRESS}/opt-out?who=everybody&id=x").status_code == 422


def test_why_a_section_is_or_is_not_recorded(term: Registrar, registrar: Person) -> None:
    term.applied(many(2))
    term.plan([{**many(1)[0], "status": "cancelled"}, many(2)[1]])
    page = registrar.get(f"{ADDRESS}?section=20000").text
    assert "Course 20000" in page
    assert "The latest plan: " in page
    assert "knows no section “zzz”" in registrar.get(f"{ADDRESS}?section=zzz").text
    assert registrar.get(f"{ADDRESS}?section=%00").status_code == 200


def test_a_term_of_another_client_is_not_there(service: Lectern, term: Registrar, registrar: Person) -> None:
    plan = term.plan(many(1))
    apply_id = term.begin(plan)
    for other in (
        somebody(service, "library", "recordings:read", "recordings:write"),
        somebody(service, "av", "admin"),
    ):
        word = other.form("/console/new")["form"]
        assert f'href="{ADDRESS}"' not in other.get("/console/terms").text
        for path in (ADDRESS, page_of(plan), f"{page_of(plan)}/apply", f"{ADDRESS}/applies/{apply_id}/stop"):
            assert other.get(path).status_code == 404, path
        for path in (f"{page_of(plan)}/apply", f"{ADDRESS}/applies/{apply_id}/stop", f"{ADDRESS}/opt-out"):
            answer = other.post(path, {"form": word, "version": "running", "who": "sections", "id": "x"})
            assert answer.status_code == 404, path
    assert term.ended(apply_id)["counts"]["done"] == 1
    assert registrar.get(f"{ADDRESS}/plans/pln_{'0' * 26}").status_code == 404


def test_what_others_call_things_breaks_no_page(term: Registrar, registrar: Person) -> None:
    shapes = set()
    for text in TITLES:
        term.set(name=text)
        one = section("20000", title=text)
        plan = term.plan([one, section("30000", title=text, room="ENG 404"), section("30001", room=text[:50])])
        pages = [registrar.get(f"{page_of(plan)}?kind=all").text, registrar.get(f"{page_of(plan)}/apply").text]
        assert not [page for page in pages if "<script>alert" in page]
        shapes.add(frozenset(tag for page in pages for tag in Tags(page).seen))
    assert len(shapes) == 1
    assert "<script>alert" not in registrar.get("/console/terms").text


def test_a_plan_of_five_thousand_items_stays_light(service: Lectern, term: Registrar, registrar: Person) -> None:
    rooms = {f"Hall {n}": "EXTRON-SCI-101" for n in range(5_000)}
    term.set(rooms=rooms | TERM["rooms"], record_types=["LEC"])
    plan = term.plan([section(f"{n}", room="Hall 1", type="LAB", title="T" * 60) for n in range(5_000)])
    assert plan["counts"]["skipped"] == 5_000
    statements = list[str]()
    engine = service.app.state.database.engine

    def noted(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", noted)
    page = registrar.get(ADDRESS)
    event.remove(engine, "before_cursor_execute", noted)
    assert page.text.count("Sections of its type are not recorded.") == 100
    assert len(page.content) < LIGHT
    assert len(statements) < 60
    following = re.findall(r'href="([^"]+)" rel="next"', page.text)[0].replace("&amp;", "&")
    second = registrar.get(following.partition("#")[0]).text
    assert "First page" in second
    assert '<span class="muted">100</span>' in second
    assert '<span class="muted">99</span>' not in second


def test_an_installation_without_terms_says_what_comes_next(service: Lectern, registrar: Person) -> None:
    page = registrar.get("/console/terms").text
    assert "No term yet" in page
    assert "lectern term plan 2027S export.csv" in page
    reader = somebody(service, "registrar", "recordings:read")
    assert "recordings:write" in reader.get("/console/terms").text
