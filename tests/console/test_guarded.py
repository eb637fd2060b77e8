"""Every page and form of the console is guarded, whichever it is: by session, word, site and scope."""

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from app.access.scopes import Scope
from app.console.site import ROUTERS
from tests.console.conftest import GIVEN, Person, somebody
from tests.service import Lectern

OPEN = {"/console/sign-in", "/console/axis.css"}
WRITES, CALENDARS, READS = Scope.RECORDINGS_WRITE, Scope.CALENDARS_WRITE, Scope.RECORDINGS_READ


def routes(method: str) -> Iterator[tuple[str, str]]:
    """Each route of the console, and an address of it, of which nothing is there."""
    for route in (each for router in ROUTERS for each in router.routes):
        if isinstance(route, APIRoute) and method in (route.methods or ()):
            yield route.path, re.sub(r"\{(number|id)\}", "7", re.sub(r"\{(?!number)[^}]+\}", "x", route.path))


def paths(method: str) -> list[str]:
    return [address for path, address in routes(method) if path not in OPEN]


def test_a_page_leads_whoever_is_not_signed_in_to_the_sign_in(service: Lectern) -> None:
    pages = paths("GET")
    assert len(pages) > 20
    for page in pages:
        answer = Person(service).get(page, Authorization=f"Bearer {GIVEN}")
        assert (answer.status_code, answer.headers["Location"][:16]) == (303, "/console/sign-in"), page


def test_a_form_of_another_site_or_session_or_of_nobody_changes_nothing(service: Lectern, registrar: Person) -> None:
    word = registrar.form("/console/new")["form"]
    forms = paths("POST")
    assert len(forms) > 12
    for form in forms:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://["},
            {"Sec_Fetch_Site": "cross-site"},
        ):
            assert registrar.post(form, {"form": word}, **headers).status_code == 403, form
        for wrong in ({"version": "x"}, {"form": ""}, {"form": "0" * 64}):
            assert registrar.post(form, wrong).status_code == 403, form
        assert Person(service).post(form, {"form": word}).status_code == 303, form
        as_json = service.client.post(form, json={"form": word}, headers={"Cookie": registrar.cookie})
        assert as_json.status_code == 415, form
        answer = registrar.get(form)
        assert answer.status_code != 500


SCOPES = {
    "/console/calendars": {"GET": READS, "POST": CALENDARS},
    "/console/calendars/{name}": {"GET": READS},
    **{
        f"/console/calendars/{{name}}/{act}": {"GET": CALENDARS, "POST": CALENDARS}
        for act in ("add", "again", "delete", "days/{number}/remove")
    },
    "/console/terms": {"GET": READS},
    "/console/terms/{term}": {"GET": READS},
    "/console/terms/{term}/plans/{plan_id}": {"GET": READS},
    **{
        f"/console/terms/{{term}}/{act}": {"GET": WRITES, "POST": WRITES}
        for act in (
            "plans/{plan_id}/apply",
            "applies/{apply_id}/stop",
            "applies/{apply_id}/resume",
            "opt-out",
            "opt-in",
        )
    },
}


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope != Scope.ADMIN])
def test_calendars_and_terms_take_the_scopes_of_their_operations(service: Lectern, scope: Scope) -> None:
    person = somebody(service, "registrar", scope.value)
    word = person.form("/console")["form"]
    there = {
        path: address
        for method in ("GET", "POST")
        for path, address in routes(method)
        if "calendars" in path or "/terms" in path
    }
    assert there.keys() == SCOPES.keys()
    for path, needed in SCOPES.items():
        for method, scopes in needed.items():
            answer = person.get(there[path]) if method == "GET" else person.post(there[path], {"form": word})
            assert (answer.status_code == 403) == (scope != scopes), (method, path, answer.status_code)
            assert answer.status_code < 500
    shown = person.get("/console").text
    for page in ("/console/calendars", "/console/terms"):
        assert (f'href="{page}"' in shown) == (scope == READS)
