"""`lectern term plan|apply|sync|show`. Exit codes: docs/terms.md."""

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # its commands import what they need, as those in app/cli/main.py
    from app.cli.term.service import Json, Service

Url = Annotated[str, typer.Option(envvar="LECTERN_URL", help="The service, e.g. https://lectern.campus.example.")]
Key = Annotated[str, typer.Option(envvar="LECTERN_KEY", help="A key that writes recordings. Better in LECTERN_KEY.")]
Term = Annotated[str, typer.Argument(help="The term's name.")]
File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="The timetable: .csv, .json, .ndjson or .jsonl.")
]
Profile = Annotated[
    str | None, typer.Option(help="How a CSV file is read: kaltura, banner, syllabus-plus, or the term's own.")
]
Complete = Annotated[
    bool, typer.Option("--complete", help="Of a CSV file: it is all that the term has, so what is not in it is gone.")
]
Charset = Annotated[str | None, typer.Option(help="Of a CSV file that is neither UTF-8 nor Windows-1252.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON instead of lines.")]
Allow = Annotated[list[str] | None, typer.Option(help="A guard that is not to block it. Repeat it for several.")]

TOLD_AFTER = 30.0  # seconds without progress

app = typer.Typer(no_args_is_help=True, help="Plan and apply a whole timetable. Set LECTERN_URL and LECTERN_KEY.")


@app.command()
def plan(
    term: Term,
    file: File,
    url: Url,
    key: Key = "",
    profile: Profile = None,
    complete: Complete = False,
    charset: Charset = None,
    as_json: AsJson = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 3 if there is something to apply.")] = False,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="A file to write the plan's id to.")] = None,
) -> None:
    """Compare a timetable with what the term keeps, and show what would change. Changes nothing."""
    from app.cli.term.printing import is_to_apply, next_step
    from app.cli.term.service import BLOCKED, TO_APPLY

    with _asking(url, key, term) as service:
        made = service.plan(file, profile, complete, charset)
        if out is not None:
            out.write_text(made["id"] + "\n", encoding="utf-8")
        if as_json:
            _echo_json({**made, "items": list(_items(service, made))})
        else:
            _show(service, made)
            typer.echo(next_step(made))
    if made["status"] == "blocked":
        raise typer.Exit(BLOCKED)
    if exit_code and is_to_apply(made):
        raise typer.Exit(TO_APPLY)


@app.command()
def apply(
    term: Term,
    plan_id: Annotated[str, typer.Argument(help="The plan's id, or a file that has it (plan --out).")],
    url: Url,
    key: Key = "",
    allow: Allow = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all of it is done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Carry a plan out, as it was reviewed. What somebody has changed meanwhile is left alone."""
    with _asking(url, key, term) as service:
        done = service.begin(_plan_id(plan_id), allow or [])
        if wait:
            done = _wait(service, done)
        _end(done, service.shown_plan(done["plan_id"]), {"apply": done}, as_json=as_json, waited=wait)


@app.command()
def sync(
    term: Term,
    file: File,
    url: Url,
    key: Key = "",
    profile: Profile = None,
    complete: Complete = False,
    charset: Charset = None,
    allow: Allow = None,
    as_json: AsJson = False,
) -> None:
    """Plan and apply, for cron. What a guard blocks is shown, and nothing is changed."""
    from app.cli.term.service import Trouble

    with _asking(url, key, term) as service:
        made = service.plan(file, profile, complete, charset)
        if not as_json:
            _show(service, made)
        try:
            begun = service.begin(made["id"], allow or [])
        except Trouble:
            if as_json:
                _echo_json({"plan": made, "apply": None})
            raise
        done = _wait(service, begun)
        _end(done, made, {"plan": made, "apply": done}, as_json=as_json, waited=True)


@app.command()
def show(
    term: Term,
    url: Url,
    key: Key = "",
    section: Annotated[str | None, typer.Option(help="Why this section is, or is not, recorded.")] = None,
    plan_id: Annotated[str | None, typer.Option("--plan", help="A plan, instead of the term.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a term, one of its plans, or why a section is recorded or not."""
    with _asking(url, key, term) as service:
        if plan_id is not None:
            made = service.shown_plan(_plan_id(plan_id))
            if as_json:
                _echo_json({**made, "items": list(_items(service, made))})
            else:
                _show(service, made)
        elif section is not None:
            _section(service.section(section), as_json=as_json)
        else:
            found = service.term()
            if as_json:
                _echo_json(found)
            else:
                settings = found["settings"]
                typer.echo(f"{term}: {settings['name']}, {settings['first_date']} to {settings['last_date']}")
                typer.echo(f"{found['recordings']} recordings; latest plan: {found['plan_id'] or 'none'}")


def _section(found: "Json", *, as_json: bool) -> None:
    from app.cli.term import printing

    if as_json:
        _echo_json(found)
        return
    for one in found["recordings"]:
        missing = f", missing since {one['missing_since']}" if one["missing_since"] else ""
        typer.echo(f"{one['recording_id']}  {one['title']}  ({one['status']}{missing})")
    for item in found["items"]:
        kind = item["kind"]
        typer.echo(printing.line(item) if kind in printing.MARKS else f"{kind}: {item['reason'] or 'as declared'}")


@contextmanager
def _asking(url: str, key: str, term: str) -> "Iterator[Service]":
    """What goes wrong is said in a sentence, and ends the command with the code that it means."""
    from app.cli.term.service import Service, Trouble
    from app.cli.trouble import in_a_sentence

    try:
        with in_a_sentence(), closing(Service(url, key, term)) as service:
            yield service
    except Trouble as trouble:
        typer.echo(trouble.detail, err=True)
        for guard in trouble.problem.get("guards", ()):
            typer.echo(f"{guard['guard']}: {guard['found']}, and the limit is {guard['limit']}.", err=True)
        raise typer.Exit(trouble.code) from None


def _plan_id(said: str) -> str:
    file = Path(said)
    return file.read_text(encoding="utf-8").strip() if not said.startswith("pln_") and file.is_file() else said


def _items(service: "Service", made: "Json") -> "Iterator[Json]":
    from app.cli.term.printing import MARKS

    for kind in MARKS:
        if made["counts"].get(kind):
            yield from service.items(made["id"], kind)


def _show(service: "Service", made: "Json") -> None:
    from app.cli.term import printing

    kind = ["skipped"] if made["counts"].get("skipped") else []
    skipped = Counter(item["reason"] for one in kind for item in service.items(made["id"], one))
    for item in _items(service, made):
        _say(printing.line(item))
    for line in printing.about_plan(made, skipped):
        _say(line)


def _say(text: str) -> None:
    """In a terminal within its columns."""
    from app.cli.term.printing import fitted

    typer.echo(fitted(text, shutil.get_terminal_size().columns if sys.stdout.isatty() else None))


def _wait(service: "Service", begun: "Json") -> "Json":
    """Until it is done, or somebody stops it; in a terminal with a bar. If nothing happens for long, says why."""
    from rich.console import Console
    from rich.progress import Progress

    from app.cli.term.printing import waits_for
    from app.cli.term.service import LOOK_EVERY

    with Progress(console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal) as bar:
        task = bar.add_task("applying", total=sum(begun["counts"].values()))
        before, since, told = -1, 0.0, set[str]()
        while begun["status"] == "running":
            counts = begun["counts"]
            ended = sum(counts.values()) - counts["pending"] - counts["waiting"]
            bar.update(task, completed=ended)
            if ended != before:
                before, since = ended, time.monotonic()
            elif time.monotonic() - since > TOLD_AFTER and (why := waits_for(begun) or "") not in {"", *told}:
                told.add(why)
                typer.echo(f"It waits, and goes on by itself: {why}", err=True)
            time.sleep(LOOK_EVERY)
            begun = service.apply(begun["id"])
    return begun


def _end(done: "Json", made: "Json", shown: Any, *, as_json: bool, waited: bool) -> None:
    from app.cli.term.printing import about_apply
    from app.cli.term.service import NOT_ALL

    if as_json:
        _echo_json(shown)
    else:
        for line in about_apply(done):
            _say(line)
    counts, planned = done["counts"], made["counts"]
    missed = counts["stale"] + counts["conflict"] + counts["failed"] + planned["conflict"] + planned["rejected"]
    if waited and (missed or done["status"] != "done"):
        raise typer.Exit(NOT_ALL)


def _echo_json(shown: Any) -> None:
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
