from collections.abc import Iterator

import pytest

from app.kaltura.gate import Gate
from app.kaltura.types import Resource
from tests.kaltura.campus import Campus
from tests.kaltura.upstream import Clock, Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    assert not upstream.replies
    upstream.client.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(1e6, clock=clock, sleep=clock.sleep)


@pytest.fixture
def campus() -> Iterator[Campus]:
    campus = Campus()
    assert all(isinstance(got, Resource) for got in campus.all_ask())
    yield campus
    for client in campus.clients:
        client.close()
    campus.sessions.close()
    campus.sandbox.close()
