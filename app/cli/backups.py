"""`lectern backup` and `lectern restore`: SQLite's database as one file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.trouble import in_a_sentence, stoppable

if TYPE_CHECKING:  # its commands import what they need, as those in app/cli/main.py
    from app.settings import Settings

AGAIN = "Keys, webhooks and calendar links that were revoked since the backup work again: revoke them once more."


def add(main: typer.Typer, settings: "Callable[[], Settings]") -> None:
    """Adds the commands; `settings` reads the settings, or exits."""

    @main.command()
    def backup(file: Annotated[Path, typer.Argument(help="Where to write it, over an older one.")]) -> None:
        """Write a copy of the database to FILE, also while the service runs. For SQLite; PostgreSQL has pg_dump."""
        from app.operations import backups

        chosen = settings()
        with in_a_sentence(), stoppable():
            database = _file(chosen)
            backups.back_up(database, file)
        typer.echo(f"{file} is a backup of {database}.")

    @main.command()
    def restore(
        file: Annotated[Path, typer.Argument(help="What `lectern backup` has written.")],
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether the database may be replaced.")] = False,
    ) -> None:
        """Put a backup in the database's place. For SQLite; PostgreSQL has pg_restore. Stop all services first."""
        from app.operations import backups

        chosen = settings()
        with in_a_sentence(), stoppable():
            database = _file(chosen)
            if database.exists() and not yes:
                typer.confirm(f"What {database} holds is lost. Put {file} in its place?", abort=True)
            backups.restore(database, file)
        typer.echo(f"{database} is as it was when {file} was made. {AGAIN}")


def _file(settings: "Settings") -> Path:
    """Raises ValueError for a database that is no file."""
    from sqlalchemy import make_url

    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        raise ValueError("LECTERN_DATABASE_URL is PostgreSQL's: use pg_dump and pg_restore.")
    return Path(url.database or "")
