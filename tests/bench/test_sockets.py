"""The measurement of polls over sockets measures what it says, with few of them."""

import asyncio

import pytest

from tests.bench import sockets
from tests.bench.feed import fill


@pytest.mark.parametrize("key", ["", "k" * 32], ids=["open", "key"])
def test_a_few_polls_are_measured(database_url: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"ROUNDS": 1, "REQUESTS": 20, "CONNECTIONS": 4, "RESOURCES": 3}.items():
        monkeypatch.setattr(sockets, name, few)
    fill(database_url, sockets.RESOURCES, sockets.OCCURRENCES)
    with sockets.running(database_url, key) as (port, pid):
        found = asyncio.run(sockets.measure(port, pid, key))
    assert set(found) == {"bare", "unchanged", "full", "unchanged_ratio", "full_ratio", "cpu"}
    assert all(value > 0 for name, value in found.items() if name != "cpu"), "its clock ticks a hundred times a second"


def test_signs_of_life_are_measured(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"ROUNDS": 2, "ENCODERS": 5}.items():
        monkeypatch.setattr(sockets, name, few)
    assert sockets.signs_of_life(database_url) > 0
