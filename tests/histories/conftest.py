from collections.abc import Iterator

import pytest

from tests.recordings.changing.house import House, Moment, house

INDEX_LAG = ("app.recordings.scheduling.events.INDEX_LAG", 0.1)
"""Chains do not pause in a history, so what takes a minute to be believed would be asked for thousands of times."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Moment]]:
    with house(tmp_path_factory.mktemp("histories")) as running:
        yield running, running.keep()


@pytest.fixture(autouse=True)
def no_time_to_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*INDEX_LAG)
