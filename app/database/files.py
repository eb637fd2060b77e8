"""Makes the database file readable for nobody but the user that runs the service."""

from contextlib import suppress
from pathlib import Path


def owners_alone(database: Path) -> None:
    """Makes the file with mode 0600, or takes the rights of others away from it and from SQLite's files beside it.

    It is never opened here while SQLite has it open: closing it would free SQLite's locks (POSIX).
    """
    with suppress(OSError):  # it is there; or it cannot be, which SQLite tells
        database.touch(0o600, exist_ok=False)
    for file in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
        with suppress(OSError):  # it is not there, or is somebody else's
            if file.is_file() and file.stat().st_mode & 0o077:
                file.chmod(0o600)
