"""`lectern watch`: drives a command by a resource's schedule."""

import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from app.cli.trouble import in_a_sentence, stoppable


def watch(
    resource: Annotated[str, typer.Argument(metavar="ROOM", help="The resource: its system name, or its Kaltura id.")],
    on_start: Annotated[str, typer.Option(help="What a shell runs when a session starts. It is ended with SIGTERM.")],
    url: Annotated[str, typer.Option(envvar="LECTERN_URL", help="The service, e.g. https://lectern.campus.example.")],
    key: Annotated[
        str, typer.Option(envvar="LECTERN_KEY", help="A key that reads the resource's schedule. Better in LECTERN_KEY.")
    ] = "",
    on_stop: Annotated[str, typer.Option(help="What a shell runs when a session has ended.")] = "",
    before: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds before a session's start at which it is started.")
    ] = 0.0,
    cache: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="What it keeps over a restart; lectern-watch-ROOM.json if left out."),
    ] = None,
) -> None:
    """Start and end a command at each session's time, as an encoder does. The session is in its environment.

    LECTERN_TITLE, LECTERN_START, LECTERN_END, LECTERN_UID and others: docs/encoders.md.
    """
    from concurrent.futures import ThreadPoolExecutor

    from app.settings import for_commands
    from app.watch import cache as caches
    from app.watch.clock import steady
    from app.watch.runs import Runs
    from app.watch.service import Service
    from app.watch.watching import Host, Watch

    path = cache or Path(f"lectern-watch-{quote(resource, safe='')}.json")
    wake = threading.Event()

    def say(what: str) -> None:
        typer.echo(what, err=True)

    with in_a_sentence():
        service = Service(url, key, resource, steady)
        with closing(service), caches.alone(path), stoppable(), ThreadPoolExecutor(1) as executor:
            kept = caches.load(path, f"{resource} at {url}")
            watching = Watch(
                service,
                executor,
                Host(steady, time.time),
                path,
                kept,
                Runs(on_start, on_stop, for_commands(), say),
                before=timedelta(seconds=before),
                say=say,
                wake=wake.set,
            )
            say(f"I start and end commands by the schedule of {resource} at {url}. What I keep is in {path}.")
            try:
                while True:
                    wake.wait(watching.turn())
                    wake.clear()
            except (KeyboardInterrupt, SystemExit):
                watching.leave()
