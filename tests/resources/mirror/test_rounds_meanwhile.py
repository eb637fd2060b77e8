"""What happens while a round is made."""

from typing import Any

import pytest
from sqlalchemy import update

from app.database.database import Database
from app.database.types import database_now
from app.resources.models import Round
from app.resources.rounds import RESOURCES, Rounds


@pytest.mark.both_databases
def test_what_is_asked_for_while_a_round_is_made_is_asked_again(database: Database) -> None:
    """Somebody has met a resource that is called otherwise by now: what the round has read may be older than that."""

    def read(*_given: Any) -> Any:
        with database.write() as session:
            session.execute(update(Round).values(due_at=database_now()))
        return lambda _session: None

    busy = Rounds(database, "one", {RESOURCES: (60.0, read)})
    busy.ask()
    claim = busy.claim()
    assert claim is not None
    busy.run(None, claim)  # type: ignore[arg-type]
    assert busy.claim() is not None
