"""The database of a command, which ends in a sentence when something is wrong with it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # imported when there is a command that needs it, as in app/cli/main.py
    from app.database.database import Database
    from app.settings import Settings


@contextmanager
def opened(settings: "Settings", *, with_tables: bool = True) -> "Iterator[Database]":
    """`with_tables`: this version's. A ValueError inside, or of the database, is said, and ends the command with 1."""
    from sqlalchemy.exc import SQLAlchemyError

    from app.database.database import Database
    from app.database.trouble import refuses
    from app.main import migrate

    with closing(Database(settings.database_url)) as database:
        try:
            if with_tables:
                migrate(database)
            yield database
        except (ValueError, SQLAlchemyError) as error:
            typer.echo(refuses(error) if isinstance(error, SQLAlchemyError) else str(error), err=True)
            raise typer.Exit(1) from None
