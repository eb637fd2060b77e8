"""The `lectern` command.

Each command imports what it needs: the sandbox starts in a fraction of a second, what has a database in one or two.
"""

import gc
import json
import signal
import sqlite3
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli import account, backups, keys, webhooks
from app.cli.database import opened
from app.cli.term.commands import app as term
from app.cli.trouble import Commands, in_a_sentence, stoppable
from app.cli.watch import watch
from app.sandbox.server import serve as serve_sandbox
from app.sandbox.simulator import Sandbox
from app.sandbox.words import HELP as SANDBOX_HELP
from app.sandbox.words import started as sandbox_started

if TYPE_CHECKING:
    from app.settings import Settings

main = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, help="Lectern: a small service in front of Kaltura."
)


def _settings(**given: Any) -> "Settings":
    """The settings, or an exit with what is wrong with them: names and rules, never values.

    `given` on the command line comes before the environment, unless it is None.
    """
    import structlog
    from pydantic import ValidationError

    from app.http import logs
    from app.settings import PREFIX, Settings, unknown_variables

    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except (OSError, UnicodeError) as error:
        typer.echo(f".env cannot be read: {error}", err=True)
        raise typer.Exit(2) from None
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            name = PREFIX + "_".join(map(str, wrong["loc"])).upper() + ": " if wrong["loc"] else ""
            typer.echo(f"{name}{wrong['msg'].removeprefix('Value error, ')}", err=True)
        raise typer.Exit(2) from None
    logs.configure_logs(settings.log_level)
    for name in unknown_variables():
        structlog.get_logger(__name__).warning("unknown_setting", name=name, detail="No such setting: is it misspelt?")
    return settings


main.add_typer(keys.commands(_settings), name="keys")
main.add_typer(account.commands(_settings), name="account")
main.add_typer(webhooks.commands(_settings), name="webhooks")
main.add_typer(term, name="term")
backups.add(main, _settings)
main.command()(watch)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"lectern {version('lectern')}")
        raise typer.Exit


@main.callback()
def lectern(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, and end.")
    ] = False,
) -> None:
    """What all commands have in common."""


@main.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; otherwise LECTERN_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; otherwise LECTERN_PORT.")
    ] = None,
) -> None:
    """Run the service, with the settings in LECTERN_* variables or `.env`."""
    gc.disable()  # nothing that is imported is garbage: a fifth of the time until the service is ready
    try:
        from app.http.serving.server import Server, bound
        from app.main import create_app
        from app.operations.cpu import keep_to_one_cpu

        settings = _settings(host=host, port=port)
        with in_a_sentence(2), ExitStack() as given_up:
            sockets = bound(settings.host, settings.port)  # first: where it cannot listen, nothing is touched
            for each in sockets:
                given_up.callback(each.close)
            app = create_app(settings)
            given_up.callback(app.state.database.close)
            app.state.prepare()
            given_up.pop_all()
    finally:
        gc.enable()
    gc.freeze()  # nor looked at again
    gc.set_threshold(10_000, 20, 20)  # not after each 700 new objects, which is many times in a request
    if settings.one_cpu:
        keep_to_one_cpu()
    # uvicorn raises the signal once more when it has shut down, which would make a stop asked for look like a crash.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(app, settings).run(sockets)


@main.command(name="sandbox", help=SANDBOX_HELP)
def run_sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    database: Annotated[str, typer.Option(envvar="LECTERN_SANDBOX_DATABASE", help="Where it keeps its state.")] = (
        "sandbox.db"
    ),
    seed: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="JSON file of resources, categories and events to add: docs/sandbox.md."
        ),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget first all that it holds.")] = False,
) -> None:
    try:
        document = seed and _json(seed)
        with closing(Sandbox(database, alone=True)) as kept, suppress(KeyboardInterrupt):

            def begin(url: str) -> None:
                if reset:
                    kept.reset()
                if seed:
                    kept.load(document)
                typer.echo(sandbox_started(url, database, kept.holds()))

            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            serve_sandbox(kept, host, port, begin)
    except BrokenPipeError:
        raise
    except (OSError, ValueError, sqlite3.Error) as error:
        typer.echo(f"The sandbox cannot start: {error}", err=True)
        raise typer.Exit(2) from None


def _json(file: Path) -> object:
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file} is not JSON: {error}") from None


@main.command()
def check(
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Also add an entry and a schedule event to Kaltura, and remove them, and those of a check that was "
            "killed.",
        ),
    ] = False,
) -> None:
    """Can it work? Asks the database and Kaltura for what a chain needs, and says what to do. Changes nothing."""
    from app.database.database import Database
    from app.database.migrating import MIGRATIONS
    from app.main import Kaltura
    from app.operations import checks

    settings = _settings()
    all_ok = True
    with in_a_sentence(), stoppable(), closing(Database(settings.database_url)) as database:
        kaltura = Kaltura(settings, None)
        with closing(kaltura.sessions), closing(kaltura.client()) as client:
            found = checks.check(
                database,
                MIGRATIONS,
                client,
                kaltura.account,
                write=write,
                per_second=settings.refreshes_per_second,
                confirms=settings.confirm_recordings,
            )
            for finding in found:
                all_ok = all_ok and finding.ok
                typer.echo(f"{'ok' if finding.ok else 'NOT OK':7} {finding.checked}")
                if finding.what_to_do:
                    typer.echo(f"        {finding.what_to_do}")
    if not all_ok:
        raise typer.Exit(1)


@main.command(name="migrate")
def run_migrations() -> None:
    """Bring the database's tables to this version's. `serve` does it too."""
    with opened(_settings()):
        pass  # they are there


@main.command()
def openapi(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; standard output if left out.")] = None,
) -> None:
    """Write the OpenAPI document."""
    from app.main import create_app
    from app.settings import Settings

    app = create_app(Settings.model_construct(sandbox_database=":memory:"))  # the same whatever the environment says
    document = json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"
    if file is None:
        sys.stdout.write(document)
        return
    with in_a_sentence():
        file.write_text(document, encoding="utf-8")
