from collections.abc import Iterator

import pytest

from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import Clock, Kaltura, embedded


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    sandbox = Sandbox(clock=clock)
    yield sandbox
    sandbox.close()


@pytest.fixture
def kaltura(sandbox: Sandbox) -> Iterator[Kaltura]:
    """Signed in as an administrator."""
    caller = embedded(sandbox).sign_in()
    yield caller
    caller.client.close()
