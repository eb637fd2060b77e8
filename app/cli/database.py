"""The database of a command, which ends in a sentence when something is wrong with it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from app.cli.trouble import in_a_sentence

if TYPE_CHECKING:  # imported when there is a command that needs it, as in app/cli/main.py
    from app.database.database import Database
    from app.settings import Settings


@contextmanager
def opened(settings: "Settings", *, with_tables: bool = True) -> "Iterator[Database]":
    """`with_tables`: this version's. A ValueError inside, or of the database, is said, and ends the command with 1."""
    from app.database.database import Database
    from app.database.migrating import migrate

    with in_a_sentence(), closing(Database(settings.database_url)) as database:
        if with_tables:
            migrate(database)
        yield database
