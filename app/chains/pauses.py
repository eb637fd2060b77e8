"""How long a chain waits between two attempts."""

import random
from dataclasses import dataclass

LONGEST = 300.0


@dataclass(frozen=True, slots=True)
class Pauses:
    """All in seconds. Between attempts: `first`, doubling to LONGEST, with jitter. `look`: between two look-ups of
    what was not found. `sweep`: until the last of them. `aside`: for how long a chain waits before it steps aside."""

    first: float = 1.0
    look: float = 3.0
    sweep: float = 180.0
    aside: float = 60.0

    def after(self, failures: int) -> float:
        """The pause after so many failures in a row, at least one."""
        grown = min(LONGEST, self.first * 2.0 ** min(failures - 1, 30))
        return grown * random.uniform(0.75, 1.25)  # noqa: S311 - so that chains don't come back in step
