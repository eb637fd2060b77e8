"""What two processes do with one apply in the same moment, as when one has lost its lease and does not know it yet."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlmodel import Session

from app.http.errors import Stale
from app.notices.telling import tell
from app.terms.applying import carrying
from app.terms.applying.applier import Applier
from app.terms.models import Apply, PlanItem
from tests.service import Json, found
from tests.terms.campus import Registrar, campus, section

WAITS = 0.5  # seconds after which somebody is taken to wait for a transaction to end

pytestmark = pytest.mark.both_databases


@pytest.fixture
def registrar(tmp_path: Path, database_url: str) -> Iterator[Registrar]:
    with campus(tmp_path, database_url=database_url) as registrar:
        registrar.set()
        yield registrar


class Meanwhile:
    """Does something once, in another thread, and goes on when that is done, or waits for who is asked for here."""

    def __init__(self) -> None:
        self._thread: Thread | None = None

    def does(self, act: Callable[[], object]) -> None:
        if self._thread is None:
            self._thread = Thread(target=act)
            self._thread.start()
            self._thread.join(WAITS)

    def is_over(self) -> None:
        assert self._thread is not None
        self._thread.join()


def ending(monkeypatch: pytest.MonkeyPatch, act: Callable[[str], object]) -> Meanwhile:
    """In the transaction in which an apply ends, `act` is done by somebody else, given the apply's id."""
    meanwhile = Meanwhile()

    def told(session: Session, kind: Any, client: str, subject: str, data: Json) -> None:
        meanwhile.does(lambda: act(data["apply_id"]))
        tell(session, kind, client, subject, data)

    monkeypatch.setattr("app.terms.applying.applier.tell", told)
    return meanwhile


def times_told(registrar: Registrar) -> int:
    notices = registrar.service.get("/notices", limit=100)["items"]
    return [one["type"] for one in notices].count("term.applied")


def test_an_apply_that_two_processes_end_is_told_once(registrar: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile = ending(monkeypatch, registrar.service.app.state.terms.applier._finish)
    registrar.applied([section("A")])
    meanwhile.is_over()
    assert times_told(registrar) == 1


def test_an_apply_that_ends_is_not_stopped_any_more(registrar: Registrar, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(apply_id: str) -> None:
        stopped.append(found(registrar.service.client.post(f"{registrar.path}/applies/{apply_id}/stop"))["status"])

    stopped = list[str]()
    meanwhile = ending(monkeypatch, stop)
    registrar.applied([section("A")])
    meanwhile.is_over()
    assert stopped == ["done"]
    assert times_told(registrar) == 1


def test_what_one_process_has_begun_another_does_not_refuse(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has found the same item stale, as its recording is not any more as the plan has seen it."""
    meanwhile, create = Meanwhile(), carrying.create
    applier: Applier = registrar.service.app.state.terms.applier

    def created(session: Session, store: Any, apply: Apply, item: PlanItem, *given: Any, **more: Any) -> Any:
        claim = create(session, store, apply, item, *given, **more)
        session.flush()
        meanwhile.does(lambda: applier._refuse(apply, [item], Stale()))
        return claim

    monkeypatch.setattr(carrying, "create", created)
    done = registrar.apply(registrar.plan([section("A")]))
    meanwhile.is_over()
    assert (done["counts"]["done"], done["items"]) == (1, [])
