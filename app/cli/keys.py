"""`lectern keys`: who may use the service."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from app.access.scopes import Scope
from app.cli.database import opened
from app.cli.tables import shown, write

if TYPE_CHECKING:  # its commands import what they need, as those in app/cli/main.py
    from sqlmodel import Session

    from app.access.keys import ApiKey
    from app.settings import Settings

HEADINGS = ("id", "name", "scopes", "resources", "created", "last used", "revoked")


def commands(settings: "Callable[[], Settings]") -> typer.Typer:
    """The sub-commands; `settings` reads the settings, or exits."""
    app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys. A running service notices soon.")

    @app.command()
    def create(
        name: Annotated[str, typer.Option(help="The client: recordings belong to this name, whichever key it uses.")],
        scope: Annotated[
            list[str], typer.Option(help=f"What it may be used for: {', '.join(Scope)}. Repeat it for several.")
        ],
        resource: Annotated[
            list[str] | None,
            typer.Option(help="Narrows schedule:read to this Kaltura id or system name. Repeat it for several."),
        ] = None,
    ) -> None:
        """Make a key, and print it: this once, it is not kept."""
        from app.access import keys

        with opened(settings()) as found, found.write() as session:
            where = found.address
            made, key = keys.create(session, name, scope, resource or [])
            doubts = [doubt for each in made.resources or () if (doubt := _doubt(session, each))]
        for doubt in doubts:
            typer.echo(f"Warning: {doubt}", err=True)
        typer.echo(f"Made key {made.id} of {made.name} in {where}. Keep it now, it is not shown again:", err=True)
        typer.echo(key)

    @app.command(name="list")
    def show() -> None:
        """Every key that was ever made with this command, and when it was last used; without the keys themselves."""
        from app.access import keys

        with opened(settings()) as found, found.read() as session:
            made = list(map(_row, keys.every(session)))
        if not made:
            typer.echo("There is none. `lectern keys create --name registrar --scope recordings:write` makes one.")
            return
        write([HEADINGS, *made])

    @app.command()
    def revoke(id: Annotated[str, typer.Argument(help="The key's id, as `lectern keys list` shows it.")]) -> None:
        """End a key. It does not work any more about a second later."""
        from app.access import keys

        with opened(settings()) as found, found.write() as session:
            ended = keys.revoke(session, id)
        typer.echo(f"Revoked key {ended.id} of {ended.name}.")

    return app


def _doubt(session: "Session", resource: str) -> str:
    """What may be wrong with a key's resource, as far as Lectern knows those of Kaltura; empty if nothing is."""
    from app.resources.lookup import known_resources
    from app.resources.rounds import RESOURCES, was_read

    if known_resources(session, resource):
        return ""
    if was_read(session, RESOURCES):
        return f"there is no resource {resource}. The key shows nothing until there is one. Is the name misspelt?"
    return f"whether there is a resource {resource} is not known: Lectern has not asked Kaltura for its resources yet."


def _row(key: "ApiKey") -> tuple[str, ...]:
    narrowed = ", ".join(key.resources) if key.resources else "all" if Scope.SCHEDULE_READ in key.scopes else ""
    times = shown(key.created_at), shown(key.used_at) or "never", shown(key.revoked_at)
    return key.id, key.name, ", ".join(key.scopes), narrowed, *times
