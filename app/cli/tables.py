"""What a command lists, on a screen."""

from collections.abc import Sequence
from datetime import datetime

import typer


def write(rows: Sequence[Sequence[str]]) -> None:
    """Each column as wide as its longest cell. The first row is its headings."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def shown(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
