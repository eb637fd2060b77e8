"""What the sandbox's own documents (faults, seed files) must be like; every refusal is a ValueError that names it."""

from collections.abc import Iterable
from typing import Any


def refuse_unknown(given: Iterable[str], known: tuple[str, ...], where: str) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"{where}{name} is not known; known are {', '.join(known)}")


def check_number(name: str, value: Any, *, whole: bool = False, at_most: float = 1e9) -> None:
    """None is fine: it was left out."""
    kinds = (int,) if whole else (int, float)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value <= at_most:
        raise ValueError(f"{name} must be a {'whole ' if whole else ''}number from 0 to {at_most:g}")


def check_switch(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
