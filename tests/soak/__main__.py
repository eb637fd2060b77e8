"""``python -m tests.soak``: the storm, on PostgreSQL with three processes and on SQLite with one; and new histories.

    --histories N   so many of them (200)
    --first N       from this number on; else from a number that is drawn, and told
    --again N       nothing but this one history, with all that happens in it

Prints the counts. Ends with 1 if anything is lost, there twice, stuck or nobody's, or if what others have is changed.
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests import processes
from tests.forks import Fork
from tests.postgres import server
from tests.soak.accounts import Accounts
from tests.soak.clients import Story
from tests.soak.storm import Plan, soak
from tests.soak.tales import failing, told

POSTGRESQL = Plan(families=12, clocks=(0, 60, 0), storm=30, faults_end=40, limit=240)
SQLITE = Plan(families=6, clocks=(0,), storm=20, faults_end=30, limit=180)
HISTORIES = 200
NUMBERS = 1_000_000_000  # that a first one is drawn from


def counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(found.items())) or "none"


def show(name: str, plan: Plan, story: Story, accounts: Accounts) -> None:
    clocks = ", ".join(f"{seconds:+.0f} s" for seconds in plan.clocks)
    print(f"{name}: {plan.documents} documents, {len(plan.clocks)} process(es), {story.seconds:.0f} s")
    print(f"  kills        {story.kills}; clocks {clocks}; seed {plan.seed}")
    for request, answers in sorted(story.answers.items()):
        print(f"  {request:<12} {counts(answers)}")
    print(f"  Kaltura saw  {story.calls} calls, {plan.faults:.0%} of them with a fault for {plan.faults_end:.0f} s")
    print(f"  bad days     {counts(story.weather)}")
    print(f"  recordings   {counts(accounts.statuses)} (refused: {counts(accounts.refusals)})")
    print(f"  in batches   {counts(accounts.changes)}")
    print(f"  steps that were tried more than once  {accounts.looked_twice}")
    print(f"  in Kaltura   {counts(accounts.objects)}; of others {story.others} rows, compared byte for byte")
    print(f"  entries that no search finds, left behind  {accounts.never_found}")
    print(f"  wrong        {len(accounts.wrong)}")
    for line in accounts.wrong:
        print(f"    {line}")


def storms() -> int:
    """How much is wrong after them."""
    wrong = 0
    processes.launch = Fork  # whose clocks can be off
    with tempfile.TemporaryDirectory(prefix="lectern-soak-") as folder, server(secrets.token_hex(8)) as postgres:
        for name, plan, url in (
            ("PostgreSQL", POSTGRESQL, postgres.create()),
            ("SQLite", SQLITE, f"sqlite:///{folder}/lectern.db"),
        ):
            place = Path(folder) / name
            place.mkdir()
            story, accounts = soak(place, url, plan)
            show(name, plan, story, accounts)
            sys.stdout.flush()
            wrong += len(accounts.wrong)
    return wrong


def histories(first: int, count: int) -> int:
    """How many of them did not end well."""
    began, wrong = time.monotonic(), 0
    print(f"Histories {first} to {first + count - 1}:", flush=True)
    for story in failing(first, count):
        print(story)
        wrong += 1
    print(f"  {count} told in {time.monotonic() - began:.0f} s, wrong {wrong}")
    if wrong:
        print("  Each can be told again: python -m tests.soak --again NUMBER")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.soak")
    parser.add_argument("--histories", type=int, default=HISTORIES)
    parser.add_argument("--first", type=int, default=secrets.randbelow(NUMBERS))
    parser.add_argument("--again", type=int)
    given = parser.parse_args()
    if given.again is not None:
        stories = told([given.again])
        print(*stories or [f"History {given.again} ended well."])
        sys.exit(1 if stories else 0)
    wrong = histories(given.first, given.histories) if given.histories else 0
    wrong += storms()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
