"""The locks that media.add takes on what several entries share: its categories, and users that it makes.

Kept in memory: they don't outlive the process. The keys are (partner, kind, id).
"""

from collections.abc import Iterable

Key = tuple[int, str, object]


class Locks:
    def __init__(self) -> None:
        self._held: dict[Key, float] = {}  # until when

    def take(self, needed: Iterable[Key], held_on: Iterable[Key], now: float, seconds: float) -> bool:
        """Whether none of `needed` is held by another; then `held_on` are held for so many seconds."""
        self._held = {key: until for key, until in self._held.items() if until > now}
        if any(key in self._held for key in needed):
            return False
        self._held |= dict.fromkeys(held_on, now + seconds)
        return True
