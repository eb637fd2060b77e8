"""What is raised and cleared is told once, by one process of several, in the transaction that makes it known."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlmodel import Session, SQLModel, col

from app.database.database import Database
from app.findings import watch as watching
from app.findings.finding import Finding, finding
from app.findings.models import OpenFinding
from app.findings.schemas import Kind, Severity
from app.findings.watch import Watch
from tests.findings.world import hear, soon
from tests.service import Lectern, eventually, lectern

pytestmark = pytest.mark.both_databases

UPKEEP = SQLModel.metadata.tables["upkeep"]


class Found:
    """Stands in for `Findings`: what is there is what a test puts in."""

    def __init__(self) -> None:
        self.there: list[Finding] = []

    def now(self, _session: Session) -> list[Finding]:
        return self.there


def silent(number: int, severity: Severity | None = None) -> Finding:
    return finding(Kind.ENCODER_SILENT, str(number), soon(0), "It is silent", severity=severity)


def watch_of(database: Database, found: Found) -> Watch:
    return Watch(database, found, raised=lambda *_: None, cleared=lambda *_: None)  # type: ignore[arg-type]


@pytest.fixture
def there() -> Found:
    return Found()


def test_one_of_two_tells_and_it_is_the_same_one_as_before(database: Database, there: Found) -> None:
    one, other = watch_of(database, there), watch_of(database, there)
    told, told_too = hear(one), hear(other)
    there.there = [silent(1)]
    assert [each.look() for each in (one, other, one, other)] == [True, False, True, False]
    there.there = []
    assert [each.look() for each in (other, one)] == [False, True]
    assert (told, told_too) == ([("raised", "encoder_silent"), ("cleared", "encoder_silent")], [])


def take_over(database: Database) -> None:
    """As if its holder had been silent for long."""
    with database.write() as session:
        session.execute(update(UPKEEP).where(UPKEEP.c.name == watching.NAME).values(due_at=1.0))


def test_whoever_takes_over_tells_nothing_twice(database: Database, there: Found) -> None:
    one, other = watch_of(database, there), watch_of(database, there)
    hear(one)
    told = hear(other)
    there.there = [silent(1)]
    assert one.look()
    take_over(database)
    there.there = [silent(1), silent(2)]
    assert other.look()
    assert not one.look()
    assert told == [("raised", "encoder_silent")]


def test_a_holder_that_slept_through_its_time_writes_nothing(database: Database, there: Found) -> None:
    one, other = watch_of(database, there), watch_of(database, there)
    told, told_too = hear(one), hear(other)

    class Sleeping(Found):
        def now(self, _session: Session) -> list[Finding]:
            take_over(database)
            assert other.look()
            return [silent(1)]

    one._findings = Sleeping()  # type: ignore[assignment]
    assert not one.look()
    assert (told, told_too) == ([], [])
    with database.read() as session:
        assert session.execute(select(OpenFinding)).first() is None


def test_what_cannot_be_told_is_not_known_as_told(database: Database, there: Found) -> None:
    one = watch_of(database, there)
    there.there = [silent(1)]

    def broken(_session: Session, _finding: Finding) -> None:
        raise RuntimeError

    one._raised = broken
    with pytest.raises(RuntimeError):
        one.look()
    told = hear(one)
    assert one.look()
    assert told == [("raised", "encoder_silent")]


def test_the_end_is_told_as_the_finding_was_and_numbers_say_what_came_later(database: Database, there: Found) -> None:
    one = watch_of(database, there)
    seen: list[Finding] = []
    one._cleared = lambda _session, found: seen.append(found)
    there.there = [silent(2)]
    one.look()
    there.there = [silent(1), silent(2)]
    one.look()
    with database.read() as session:
        rows = session.execute(select(OpenFinding).order_by(col(OpenFinding.number))).scalars().all()
    assert [row.key for row in rows] == ["encoder_silent:2", "encoder_silent:1"]
    kept, there.there = there.there, []
    one.look()
    assert [each.key for each in seen] == ["encoder_silent:2", "encoder_silent:1"]
    assert seen[1].model_dump(exclude={"since"}) == kept[0].model_dump(exclude={"since"})


def test_what_grows_worse_is_told_once_more(database: Database, there: Found) -> None:
    """A technician who left a warning until later has to hear that it can't wait any more; of the rest, nothing."""
    one = watch_of(database, there)
    told: list[tuple[str, str]] = []
    one._raised = lambda _session, found: told.append(("raised", found.severity))
    one._cleared = lambda _session, found: told.append(("cleared", found.severity))
    for severity in ("notice", "soon", "soon", "notice", "soon", "now", "notice"):
        there.there = [silent(1, Severity(severity)), silent(2)]
        one.look()
    there.there = []
    one.look()
    of_the_other = ("raised", "now")
    assert told == [
        *(("raised", "notice"), of_the_other, ("raised", "soon"), ("raised", "now")),
        *(("cleared", "now"), ("cleared", "now")),
    ]


@pytest.fixture
def hurried(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lectern]:
    monkeypatch.setattr(watching, "EVERY", 0.05)
    with lectern(tmp_path, database_url=database_url) as service:
        yield service


def test_the_service_looks_by_itself(hurried: Lectern) -> None:
    hurried.client.put("/resources/EXTRON-100-ABC/state", json={"state": "error"})

    def noticed() -> bool:
        with hurried.app.state.database.read() as session:
            return session.execute(select(OpenFinding)).first() is not None

    assert eventually(noticed)
    hurried.client.put("/resources/EXTRON-100-ABC/state", json={"state": "idle"})
    assert eventually(lambda: not noticed())
