"""The measurement of polls measures what it says, with few of them."""

import asyncio

import pytest

from tests.bench import feed


def test_a_small_state_is_filled_and_measured(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "ROUNDS", 1)
    monkeypatch.setattr(feed, "POLLS", 20)
    feed.fill(database_url, 3, 60)
    found = asyncio.run(feed.measure(database_url, 3))
    assert set(found) == {
        *("bare", "unchanged", "full", "first"),
        *("polls_cpu", "signs_cpu"),
        *("unchanged_ratio", "full_ratio", "bytes", "megabytes"),
    }
    assert all(value > 0 for value in found.values())
    assert 15_000 < found["bytes"] < 40_000  # fifty of them
