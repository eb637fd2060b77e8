"""Kaltura's five-second reservations of resources, which it keeps in memcached (exchanges 365 to 379).

The key is the resource's id alone, not slot nor partner; the owner is the session's token. They don't outlive the
process, as memcached's don't.
"""

from collections.abc import Iterable

from app.sandbox.errors import KalturaError

SECONDS = 5.0


class Reservations:
    def __init__(self) -> None:
        self._held: dict[int, tuple[str, float]] = {}  # resource: (owner, until)

    def take(self, resources: Iterable[int], owner: str, now: float) -> None:
        """Reserve all for `owner`, or none and raise RESOURCE_IS_RESERVED; one's own are extended."""
        taken: list[int] = []
        for resource in resources:
            holder, until = self._held.get(resource, ("", 0.0))
            if holder != owner and until > now:
                self.release(taken)
                raise KalturaError("RESOURCE_IS_RESERVED", RESOURCE_ID=resource)
            self._held[resource] = (owner, now + SECONDS)
            taken.append(resource)

    def release(self, resources: Iterable[int]) -> None:
        for resource in resources:
            self._held.pop(resource, None)
