"""`lectern webhooks`: who is sent notices."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.database import opened
from app.cli.tables import shown, write
from app.cli.trouble import in_a_sentence

if TYPE_CHECKING:  # its commands import what they need, as those in app/cli/main.py
    from app.settings import Settings
    from app.webhooks.models import Webhook

HEADINGS = ("id", "client", "address", "notices", "created", "waiting", "given up", "last error", "revoked")
UNDELIVERED = ("webhook", "notice", "type", "of", "tries", "last error", "is tried again")
MOST = 1000  # notices that are shown
Id = Annotated[str, typer.Argument(help="The webhook's id, as `lectern webhooks list` shows it.")]


def commands(settings: "Callable[[], Settings]") -> typer.Typer:
    """The sub-commands; `settings` reads the settings, or exits."""
    app = typer.Typer(no_args_is_help=True, help="Make, list, try and revoke webhooks. A running service notices soon.")

    @app.command()
    def create(
        url: Annotated[str, typer.Option(help="Where notices are sent: https://, or this machine's own http://.")],
        notices: Annotated[
            list[str],
            typer.Option(help="Which ones: recording.scheduled, recording.*, or * for all. Repeat it for several."),
        ],
        client: Annotated[str | None, typer.Option(help="The client whose notices they are.")] = None,
        all_clients: Annotated[bool, typer.Option("--all-clients", help="Everybody's notices.")] = False,
    ) -> None:
        """Make a webhook, and print the secret that its notices are signed with: this once."""
        from app.webhooks import receivers

        with opened(settings()) as found, found.write() as session:
            if (client is None) != all_clients:
                raise ValueError("Say whose notices they are: --client NAME, or --all-clients.")
            made = receivers.create(session, client, url, notices)
        typer.echo(f"Made webhook {made.id}. Try it: lectern webhooks test {made.id}", err=True)
        typer.echo("This is the secret that its notices are signed with. Keep it now, it is not shown again:", err=True)
        typer.echo(made.secret)

    @app.command(name="list")
    def show(
        undelivered: Annotated[
            bool, typer.Option("--undelivered", help="Show the notices that were not taken instead.")
        ] = False,
    ) -> None:
        """Every webhook that was ever made, and how it is; without its secret."""
        from app.webhooks import receivers

        with opened(settings()) as found, found.read() as session:
            if undelivered:
                rows = [_notice(row._mapping) for row in receivers.undelivered(session, MOST)]
            else:
                rows = [_webhook(*one) for one in receivers.every(session)]
        if rows:
            write([UNDELIVERED if undelivered else HEADINGS, *rows])
        elif undelivered:
            typer.echo("There is none: every receiver has taken what it was sent.")
        else:
            typer.echo("There is none. `lectern webhooks create` makes one.")

    @app.command()
    def test(id: Id) -> None:
        """Send it a notice of no meaning, now, and say what it answers."""
        from app.settings import networks_of
        from app.webhooks import receivers, sending
        from app.webhooks.address import read
        from app.webhooks.exchange import Sender, Undeliverable

        chosen = settings()
        with opened(chosen) as found, found.read() as session:
            webhook = receivers.working(session, id)
        sender = Sender(networks_of(chosen.webhook_networks))
        with in_a_sentence():
            try:
                sending.send(sender, read(webhook.url), webhook.secret, sending.of_no_meaning(webhook.client))
            except Undeliverable as error:
                raise ValueError(f"It was not taken. {error}") from None
        typer.echo("It was taken.")

    @app.command()
    def revoke(id: Id) -> None:
        """End a webhook: it is sent nothing more, and what it has not taken is forgotten."""
        from app.webhooks import receivers

        with opened(settings()) as found, found.write() as session:
            ended = receivers.revoke(session, id)
        typer.echo(f"Revoked webhook {ended.id}.")

    @app.command()
    def retry(id: Id) -> None:
        """Try again what was given up on, and at once what waits to be tried again."""
        from app.webhooks import receivers

        with opened(settings()) as found, found.write() as session:
            count = receivers.retry(session, id)
        typer.echo(f"{count} notice(s) will be tried again, by a service that runs.")

    return app


def _webhook(row: "Webhook", waiting: int, given_up: int) -> tuple[str, ...]:
    from app.webhooks.address import read

    address = read(row.url).shown if row.url else "LECTERN_NOTIFY"
    counts = str(waiting), str(given_up)
    times = shown(row.created_at), shown(row.revoked_at)
    return row.id, row.client or "(all)", address, ", ".join(row.notices), times[0], *counts, row.error or "", times[1]


def _notice(row: Any) -> tuple[str, ...]:
    again = "no" if row["next_attempt_at"] is None else shown(datetime.fromtimestamp(row["next_attempt_at"], UTC))
    told = shown(datetime.fromtimestamp(row["told_at"], UTC))
    return row["webhook_id"], row["id"], row["kind"], told, str(row["attempts"]), row["error"] or "", again
