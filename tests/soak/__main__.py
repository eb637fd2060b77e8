"""``python -m tests.soak``: the storm, on PostgreSQL with three processes and on SQLite with one. Prints the counts.

Ends with 1 if anything is lost, there twice, stuck or nobody's.
"""

import secrets
import sys
import tempfile
from pathlib import Path

from tests.postgres import server
from tests.soak.accounts import Accounts
from tests.soak.storm import Plan, Story, soak

POSTGRESQL = Plan(documents=300, processes=3, storm=40, faults_end=65, limit=120)
SQLITE = Plan(documents=300, processes=1, storm=40, faults_end=65, limit=120)


def tell(name: str, plan: Plan, story: Story, accounts: Accounts) -> None:
    def counts(found: dict[str, int]) -> str:
        return ", ".join(f"{count} {what}" for what, count in sorted(found.items())) or "none"

    print(f"{name}: {plan.documents} documents, {plan.processes} process(es), {story.seconds:.0f} s")
    print(f"  kills        {story.kills}")
    print(f"  posts        {counts(story.posts)}")
    print(f"  Kaltura saw  {story.calls} calls, {plan.faults:.0%} of them with a fault")
    print(f"  recordings   {counts(accounts.statuses)} (refused: {counts(accounts.refusals)})")
    print(f"  steps that were tried more than once  {accounts.looked_twice}")
    print(f"  in Kaltura   {counts(accounts.objects)}")
    print(f"  wrong        {len(accounts.wrong)}")
    for line in accounts.wrong:
        print(f"    {line}")


def main() -> None:
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="lectern-soak-") as folder, server(secrets.token_hex(8)) as postgres:
        for name, plan, url in (
            ("PostgreSQL", POSTGRESQL, postgres.create()),
            ("SQLite", SQLITE, f"sqlite:///{folder}/lectern.db"),
        ):
            place = Path(folder) / name
            place.mkdir()
            story, accounts = soak(place, url, plan)
            tell(name, plan, story, accounts)
            wrong += len(accounts.wrong)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
