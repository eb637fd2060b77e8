"""What outlives the process: the schedule, what runs, what was recorded, and how wrong the host's clock is.

The file is written whole, under another name, and then put in the old one's place: it is never half there.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Kept:
    """In terms of JSON. `of` is whose schedule it is, `offset` the service's time minus the host's, in seconds.

    `running`: by uid, `{"occurrence": …, "phase", "released", "pid", "born", "code"}`; `done`: by uid, until when.
    """

    of: str
    offset: float | None = None
    resource: dict[str, Any] = field(default_factory=dict)
    occurrences: list[dict[str, Any]] | None = None
    running: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)


def load(path: Path, of: str) -> Kept:
    """What was kept, or nothing yet. Raises ValueError for a file of something else, OSError if it cannot be read."""
    try:
        kept = Kept(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Kept(of)
    except (ValueError, TypeError):
        raise ValueError(f"{path} is not what `lectern watch` keeps. Delete it, or name another one.") from None
    if kept.of != of:
        raise ValueError(f"{path} is of {kept.of}, and not of {of}. Name another file with --cache.")
    return kept


def save(path: Path, kept: Kept) -> None:
    """Returns when it is on disk. Raises OSError."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(asdict(kept), file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else uses this file meanwhile: two would start everything twice. Raises ValueError."""
    with path.with_name(path.name + ".lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"Another `lectern watch` uses {path}. End it, or name another file with --cache."
            ) from None
        yield
