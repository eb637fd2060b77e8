"""What is wrong, in one sentence: whoever runs a command is not helped by a traceback."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup


class Commands(TyperGroup):
    """The commands. Where nobody reads on (`lectern check | head -3`), each ends without a word, as Unix has it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be written goes nowhere
            sys.exit(128 + signal.SIGPIPE)
        return result


@contextmanager
def in_a_sentence(code: int = 1) -> Iterator[None]:
    """What its user can mend ends the command with `code`: a database or a file that fails, and every ValueError.

    A pipe that nobody reads is no trouble (`Commands`).
    """
    from sqlalchemy.exc import SQLAlchemyError  # imported when there is a command that needs it, as in app/cli/main.py

    from app.database.trouble import refuses

    try:
        yield
    except BrokenPipeError:
        raise
    except (SQLAlchemyError, OSError, ValueError) as error:
        typer.echo(refuses(error) if isinstance(error, SQLAlchemyError) else _said(error), err=True)
        raise typer.Exit(code) from None


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl+C does, by an exception: what it has to tidy up is tidied up."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be used: {error.strerror}."
    return str(error)
