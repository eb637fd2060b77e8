"""Calls through a gate, and how they end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.kaltura.errors import KalturaError, Transient
from app.kaltura.gate import OUTAGES, Gate


def away(pause: float | None = None) -> Transient:
    return Transient("Kaltura cannot be reached", pause, outage=True)


def call(gate: Gate, end: BaseException | None = None) -> None:
    with gate.turn():
        if end:
            raise end


def failure(gate: Gate, end: KalturaError) -> KalturaError:
    """What the caller sees of a call that ends so."""
    with pytest.raises(type(end)) as caught:
        call(gate, end)
    assert caught.value is end
    return end


def turned_away(gate: Gate) -> Transient:
    """What one is told who is not let through."""
    with pytest.raises(Transient) as caught:
        call(gate, AssertionError("it was let through"))
    assert not caught.value.sent
    assert caught.value.outage
    return caught.value


def opened(gate: Gate) -> None:
    for _ in range(OUTAGES):
        failure(gate, away())
    assert gate.state().name == "open"


@contextmanager
def under_way(gate: Gate, ends: list[KalturaError | None]) -> Iterator[Callable[[], None]]:
    """Calls that have begun, and what makes them end so, one after another."""
    turns = [gate.turn() for _ in ends]
    for turn in turns:
        turn.__enter__()

    def end() -> None:
        for turn, error in zip(turns, ends, strict=True):
            assert not turn.__exit__(type(error) if error else None, error, None)

    yield end
