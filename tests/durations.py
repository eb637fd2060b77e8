"""How long each test takes, so that what one waits for is soon over: `tests/durations.txt`.

    python -m tests.durations REPORT.xml ...

writes that file anew, from what `pytest --junitxml=REPORT.xml` wrote; `make durations` does both. A test's duration is
the mean of its cases on one kind of database, in seconds. What is not in the file takes no longer than `NOTED`.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import fmean
from xml.etree import ElementTree

FILE = Path(__file__).with_suffix(".txt")
NOTED = QUICK = 0.2  # seconds: what takes longer is not for `make quick`
USUAL = 0.6  # and what takes longer than this, not for `make test`


def name_of(nodeid: str, kind: str | None) -> str:
    """What a test is called in the file: without its case, and with its database if that is PostgreSQL."""
    return nodeid.partition("[")[0] + (" postgresql" if kind == "postgresql" else "")


@cache
def durations() -> Mapping[str, float]:
    lines = (line.split(" ", 1) for line in FILE.read_text(encoding="utf-8").splitlines())
    return {name: float(seconds) for seconds, name in lines}


def _read(report: Path) -> Iterator[tuple[str, float]]:
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # our own
        name = case.attrib["name"]
        path = case.attrib["classname"].replace(".", "/") + ".py"
        kind = "postgresql" if re.search(r"[\[-]postgresql[-\]]", name) else None
        yield name_of(f"{path}::{name}", kind), float(case.attrib["time"])


def main(reports: list[Path]) -> None:
    found = defaultdict[str, list[float]](list)
    for name, seconds in chain.from_iterable(map(_read, reports)):
        found[name].append(seconds)
    means = {name: fmean(each) for name, each in found.items()}
    lines = [f"{seconds:.2f} {name}\n" for name, seconds in sorted(means.items()) if seconds > NOTED]
    FILE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main([Path(one) for one in sys.argv[1:]])
