"""The way in, as somebody walks it who has only the pages: each block is pasted as it stands, in order, in one folder.

Blocks that are tagged `sh` are pasted; those tagged `console` need another machine (systemd, Docker, a PostgreSQL), and
each test says which of them it left out. A block that a page follows up with "It runs until Ctrl+C" gets a window of
its own. Ports are other ones than the pages name, as something may listen there; the account is the sandbox's.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from app.sandbox.seed.seed import ADMIN_SECRET
from tests.processes import free_port

ROOT = Path(__file__).parents[2]
SECONDS = 90.0  # for one block, or until a service is ready: two cores, and the suite beside it
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```\n(\s*It runs until Ctrl\+C)?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    stays: bool


def blocks(page: str, *, until: str = "") -> list[Block]:
    """Those of a page before the heading `until`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if until:
        text = text[: text.index(f"\n{until}\n") + 1]
    return [
        Block(kind, re.sub(f"^{indent}", "", inner, flags=re.MULTILINE), bool(stays))
        for indent, kind, inner, stays in BLOCK.findall(text)
    ]


class Window:
    """A shell in the folder. What is pasted is its standard input, as in a terminal: `read` reads from it, too."""

    def __init__(self, folder: Path, environment: Mapping[str, str], out: IO[bytes], errors: IO[bytes]) -> None:
        self._out, self._errors = Path(out.name), Path(errors.name)
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=errors,
            start_new_session=True,
        )
        self.type("trap 'echo FAILED: $BASH_COMMAND' ERR")

    def type(self, text: str) -> None:
        assert self._shell.stdin
        self._shell.stdin.write(text.rstrip("\n").encode() + b"\n")
        self._shell.stdin.flush()

    def said(self) -> str:
        return self._out.read_text(encoding="utf-8", errors="replace")

    def complained(self) -> str:
        return self._errors.read_text(encoding="utf-8", errors="replace")

    def paste(self, text: str, typed: str = "") -> str:
        """What comes of it. Fails if it does not come to its end, if a command fails, or if an answer is an error."""
        before = len(self.said())
        self.type(text)
        if typed:
            self.type(typed)
        self.type("echo THE END")
        deadline = time.monotonic() + SECONDS
        while "THE END" not in (said := self.said()[before:]):
            assert self._shell.poll() is None, self.complained()
            assert time.monotonic() < deadline, f"it does not end: {text}\n{said}\n{self.complained()}"
            time.sleep(0.05)
        assert "FAILED: " not in said, said + self.complained()
        assert re.findall(r"^HTTP/\S+ ([45]\d\d)", said, re.MULTILINE) == [], said
        return said.partition("THE END")[0]

    def leave(self) -> None:
        """Ctrl+C, and the window is closed."""
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGINT)
        assert self._shell.stdin
        self._shell.stdin.close()
        try:
            self._shell.wait(SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._shell.pid, signal.SIGKILL)


@dataclass
class Desk:
    """A folder as a clone of the project is, without a network: what `make run` would install is there."""

    folder: Path
    ports: dict[int, int] = field(default_factory=lambda: {8000: free_port(), 8100: free_port()})
    account: str = "https://www.kaltura.com"
    windows: list[Window] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("Makefile", "pyproject.toml", "requirements.lock", ".env.example"):
            shutil.copy2(ROOT / name, self.folder)
        programs = self.folder / ".venv/bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(sys.executable)
        script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from app.cli.main import main; main()"
        (programs / "lectern").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{script}" "$@"\n')
        (programs / "lectern").chmod(0o755)
        (self.folder / ".venv/ready").touch()

    def here(self, text: str) -> str:
        for port, other in self.ports.items():
            text = re.sub(rf"(127\.0\.0\.1:|--port ){port}\b", rf"\g<1>{other}", text)
        return text.replace("https://www.kaltura.com", self.account)

    def window(self) -> Window:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LECTERN_", "MAKE"))}
        environment |= {"LECTERN_PORT": str(self.ports[8000]), "PYTHONDONTWRITEBYTECODE": "1"}
        name = self.folder / f"window-{len(list(self.folder.glob('*.out')))}"
        with name.with_suffix(".out").open("wb") as out, name.with_suffix(".err").open("wb") as errors:
            self.windows.append(Window(self.folder, environment, out, errors))
        return self.windows[-1]

    def stays(self, text: str) -> Window:
        """A block that runs on, in a window of its own; returns when somebody listens."""
        port = self.ports[8100 if "lectern sandbox" in text else 8000]
        window = self.window()
        window.type(self.here(text))
        deadline = time.monotonic() + SECONDS
        while not listens(port):
            assert time.monotonic() < deadline, window.complained()
            time.sleep(0.05)
        return window

    def leave(self) -> None:
        while self.windows:
            self.windows.pop().leave()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        found = Desk(folder)
        stack.callback(found.leave)
        yield found


def walk(at: Desk, found: list[Block], typed: str = "") -> list[str]:
    """Pastes all that can be pasted here, and answers what came of each. `typed`: at what asks for it."""
    window, outcomes = at.window(), []
    for block in found:
        if block.kind == "sh" and block.stays:
            at.stays(block.text)
        elif block.kind == "sh":
            outcomes.append(window.paste(at.here(block.text), typed if "read -rs" in block.text else ""))
        elif block.kind == "ini":
            fill_in(at, block.text, outcomes[-1])
    return outcomes


def fill_in(at: Desk, settings: str, token: str) -> None:
    """What the page says to write into `.env`, with the id and the token that Kaltura has answered."""
    made = json.loads(token)
    named = at.here(settings).replace("1_x2y3z4", made["id"]).replace("0f1e2d3c…", made["token"])
    env = (at.folder / ".env").read_text(encoding="utf-8")
    for line in named.splitlines():
        name = line.partition("=")[0]
        assert len(re.findall(f"^{name}=.*$", env, re.MULTILINE)) == 1, name
        env = re.sub(f"^{name}=.*$", line, env, flags=re.MULTILINE)
    (at.folder / ".env").write_text(env, encoding="utf-8")


def test_every_block_works_in_order(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    with desk(tmp_path) as at:
        readme = blocks("README.md")
        made, feed, encoder = walk(at, readme)
        assert f'"address": "http://127.0.0.1:{at.ports[8000]}"' in at.windows[1].complained()
        assert "HTTP/1.1 201 Created" in made
        assert '"occurrence_count":36' in made
        assert len(json.loads(feed)["occurrences"]) == 36
        assert encoder.count("HTTP/1.1 200 OK") == 2
        assert "BEGIN:VCALENDAR" in encoder
        assert "Warning" not in at.windows[0].complained(), "the resource of the key is there"
        at.leave()

        sandbox = blocks("docs/sandbox.md")
        _, lost, count, *_ = walk(at, sandbox)
        assert "HTTP/1.1 201 Created" in lost
        assert count.strip() == "11", "one series and its ten sessions"
        at.leave()

        at.stays("PATH=$PWD/.venv/bin:$PATH\nlectern sandbox --port 8100 --database account.db")
        at.account = f"http://127.0.0.1:{at.ports[8100]}"
        operating = blocks("docs/operating.md", until="### One database, one account")
        *_, check, key, first = walk(at, operating, typed=ADMIN_SECRET)
        assert check.splitlines()[0] == f"ok      the Kaltura that is asked is {at.account}, partner 101"
        assert "NOT OK" not in check
        assert re.search(r"^lct_", key, re.MULTILINE)
        assert "HTTP/1.1 201 Created" in first
        assert '"title":"Lectern says hello"' in first

    for page in ("README.md", "docs/sandbox.md", "docs/operating.md"):
        for block in blocks(page):
            assert block.kind in {"sh", "console", "ini", "json", "yaml"}
            if block.kind == "console":
                record_property(f"not pasted, of {page}", block.text.splitlines()[0])
