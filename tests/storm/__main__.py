"""``python -m tests.storm [memory]``: the storms, on SQLite with one process and on PostgreSQL with two; then documents
that are cancelled while they are on their way (`lanes`), for LANES seconds.

Prints what was seen, and ends with 1 if something did not hold that must. How soon is answered is told beside what is
wanted, and the load of the machine with it; nothing fails on a clock but a stop that takes longer than a supervisor
waits. With `memory`: many polls and chains, and what they leave.
"""

import os
import secrets
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.postgres import server
from tests.storm import lanes, memory
from tests.storm.storm import Plan, Story, storm
from tests.storm.watch import percentiles

SECONDS = 18.0
LANES = 15.0  # seconds; what it is about came after four minutes: `make storm LANES=240`
WANTED = "wanted: p99 100 ms"


def tell(name: str, plan: Plan, story: Story) -> None:
    print(f"{name}: {plan.processes} process(es), {plan.chains} chains wait, Kaltura takes {plan.late:.0f} s")
    for probe in story.probes:
        print(f"  {probe.name:12} {percentiles(probe.seconds)} ({WANTED})")
    for what, ends in sorted(story.seen.ends.items()):
        print(f"  {what:12} {_counts(ends)}; {percentiles(story.seen.seconds.get(what, []))}")
    print(f"  at the stop  {_counts(story.seen.late)}")
    if leases := story.leases:
        print(f"  leases       {leases.held} at once, {leases.lost} lost in {leases.looks} looks")
    for moment, found in zip(("before", "half time", "at its end"), story.memory, strict=True):
        print(f"  memory       {moment}: {', '.join(f'{megabytes:.0f} MB' for megabytes in found)}")
    print(f"  stopped in   {', '.join(f'{seconds:.0f} s' for seconds in story.stops)} (30 s at most)")
    _tell_wrong(story.wrong)


def tell_memory(name: str, story: memory.Story) -> None:
    seconds, last, chains = story.memory[-1]
    print(f"{name}: {story.polls.total():,} polls ({_counts(story.polls)}), {chains:,} chains in {seconds:.0f} s")
    for moment, megabytes, over in story.memory[:: max(1, len(story.memory) // 10)]:
        print(f"  {moment:4.0f} s  {over:5} chains  {megabytes:.1f} MB")
    print(f"  {story.first:.1f} MB when it was warm, {last:.1f} MB at the end (20 MB more at most)")
    _tell_wrong(story.wrong)


def _tell_wrong(wrong: list[str]) -> None:
    print(f"  wrong        {len(wrong)}")
    for line in wrong:
        print(f"    {line}")


def _counts(found: Counter[str] | Counter[int]) -> str:
    return ", ".join(f"{many} {how}" for how, many in sorted(found.items(), key=str)) or "none"


def main(mode: str) -> int:
    """How much was wrong."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs, before anything is begun")
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="lectern-storm-") as folder, server(secrets.token_hex(8)) as postgres:
        for name, processes, url in (
            ("SQLite", 1, f"sqlite:///{folder}/lectern.db"),
            ("PostgreSQL", 2, postgres.create()),
        ):
            place = Path(folder) / name
            place.mkdir()
            if mode == "memory":
                repeated = memory.repeat(place, url, memory.Plan())
                tell_memory(name, repeated)
                wrong += len(repeated.wrong)
            else:
                plan = Plan(processes, SECONDS)
                story = storm(place, url, plan)
                tell(name, plan, story)
                wrong += len(story.wrong)
    if mode != "memory":
        wrong += lanes.main(float(os.environ.get("LANES") or LANES))
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f}")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(*(sys.argv[1:] or [""])) else 0)
