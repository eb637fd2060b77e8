"""The scripts of docs/encoders.md do what the page says, with something in ffmpeg's place."""

import re
import signal
import subprocess
from pathlib import Path

from app.watch.commands import hold, release
from app.watch.schedule import environment, read_occurrence
from tests.service import eventually

PAGE = (Path(__file__).parents[2] / "docs/encoders.md").read_text(encoding="utf-8")
CAPTURE = """#!/bin/sh
for file; do :; done
trap 'echo end >> "$file"; exit 255' TERM
echo begin > "$file"
while :; do sleep 0.02; done
"""
SESSION = {
    "uid": "occ_1",
    "title": "Optics & $(light)",
    "start": "2027-01-13T09:00:00Z",
    "end": "2027-01-13T10:00:00Z",
    "template_entry_id": "1_abc",
}


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_session_is_captured_and_handed_over_once(tmp_path: Path) -> None:
    found = re.findall(r"```bash\n(#!/bin/sh\n.*?)```", PAGE, re.DOTALL)
    captures, outbox, programs = (tmp_path / name for name in ("captures", "outbox", "bin"))
    for folder in (captures, outbox, programs):
        folder.mkdir()
    start, stop = (
        script(programs / name, text.replace("/captures", str(captures)).replace("/outbox", str(outbox)))
        for name, text in zip(("start.sh", "stop.sh"), found, strict=True)
    )
    script(programs / "ffmpeg", CAPTURE)
    words = environment(read_occurrence(SESSION), {}) | {"PATH": f"{programs}:/usr/bin:/bin"}

    command = hold(str(start), words)
    release(command)
    eventually(lambda: [path for path in captures.iterdir() if path.read_text()])
    command.end(signal.SIGTERM)
    eventually(lambda: not command.alive)
    for _ in range(2):  # the second time there is nothing left to do
        subprocess.run([stop], env=words, check=True)
    assert list(captures.iterdir()) == []
    recorded, said = sorted(outbox.iterdir())
    assert recorded.read_text() == "begin\nend\n"
    assert (said.name, said.read_text()) == (f"{recorded.name}.words", "1_abc\nOptics & $(light)\n")
