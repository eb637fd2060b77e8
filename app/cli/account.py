"""`lectern account`: which Kaltura the database belongs to."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.database import opened

if TYPE_CHECKING:  # its commands import what they need, as those in app/cli/main.py
    from app.settings import Settings


def commands(settings: "Callable[[], Settings]") -> typer.Typer:
    """The sub-commands; `settings` reads the settings, or exits."""
    app = typer.Typer(no_args_is_help=True, help="Show the Kaltura account that the database belongs to, or move it.")

    @app.command()
    def show() -> None:
        """Which account the database belongs to, and which one the settings name. Changes nothing."""
        from app.database import account

        chosen = settings()
        with opened(chosen, with_tables=False) as database:
            kept = account.kept_account(database)
        belongs = str(kept) if kept else "no account yet: it takes the one that `lectern serve` is first started with"
        typer.echo(f"This database belongs to {belongs}.")
        typer.echo(f"The settings name {account.account_of(chosen)}.")

    @app.command()
    def move(
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is the same account.")] = False,
    ) -> None:
        """The account has another address, which LECTERN_KALTURA_URL names now: keep that. Stop all services first.

        It must be the same account: the partner id stays, and so does all that Lectern knows by ids.
        """
        from app.database import account

        chosen = settings()
        new = account.account_of(chosen)
        with opened(chosen, with_tables=False) as database:
            kept = account.kept_account(database)
            account.refuse_move(kept, new)
            if not yes:
                typer.confirm(f"This database belongs to {kept}. Is {new} that same account?", abort=True)
            account.move(database, new)
        typer.echo(f"This database belongs to {new} now.")

    return app
