"""Every resource's version and name as this process knows it, so that nobody asks the database for one alone.

The versions of all resources are looked at together, at most every `LOOK_EVERY` seconds, by whoever wants to know first
after that. A look costs as much as there are resources that have changed since the one before.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import bindparam, select
from sqlmodel import SQLModel

from app.database.database import Database
from app.database.types import database_now
from app.resources.mirror.freshness import WANTED
from app.resources.naming import as_id, meant
from app.resources.rounds import RESOURCES

LOOK_EVERY = 0.25  # seconds
OVERLAP = 10.0  # seconds that a transaction may take from its change to its end, to be seen by the next look
SWEEP_EVERY = 60.0  # seconds between two looks at everything: for a transaction that took longer

_MIRROR, _RESOURCE, _ROUND = (SQLModel.metadata.tables[name] for name in ("mirror", "resource", "mirror_round"))
_CHANGED = (
    select(
        *(_MIRROR.c.resource_id, _MIRROR.c.version, _MIRROR.c.as_of, _MIRROR.c.failure.is_not(None)),
        *(_RESOURCE.c.system_name, _RESOURCE.c.name, _RESOURCE.c.gone_since),
    )
    .join(_RESOURCE, _RESOURCE.c.id == _MIRROR.c.resource_id)
    .where(_MIRROR.c.changed_at >= bindparam("since"))
)
_NOW = select(database_now(), select(_ROUND.c.as_of).where(_ROUND.c.name == RESOURCES).scalar_subquery().is_not(None))

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Known:
    """A resource as of the latest look. `as_of` is NEVER while it was not mirrored; `gone`: not in Kaltura any more.

    `failing`: the latest look at Kaltura came to nothing.
    """

    id: int
    version: int
    as_of: datetime
    failing: bool
    system_name: str | None
    name: str
    gone: bool
    told: float = float("-inf")  # when it was last noted that somebody asks for it (monotonic)


class Versions:
    """One a process, for its one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looker = ThreadPoolExecutor(1, "feed")  # behind nobody's work
        self._looking = asyncio.Lock()
        self._looked = self._swept = self._not_before = float("-inf")  # monotonic
        self._since = 0.0  # by the database's clock
        self.resources: dict[int, Known] = {}
        self.names: dict[str, list[int]] = {}  # a new one whenever one comes, goes, or is called otherwise
        self.wanted = 0  # how many are being asked for, as of the latest look at everything
        self._listed = False  # whether the list of all resources was ever read

    def close(self) -> None:
        self._looker.shutdown(wait=False)

    async def look(self, within: float = LOOK_EVERY) -> None:
        """Looks if need be: afterwards, what is known here was true less than `within` seconds ago."""
        if self._is_fresh(within):
            return
        async with self._looking:
            if self._is_fresh(within):
                return
            began = time.monotonic()
            sweep = began - self._swept >= SWEEP_EVERY
            loop = asyncio.get_running_loop()
            since = 0.0 if sweep else self._since
            now, self._listed, rows = await loop.run_in_executor(self._looker, self._read, since)
            if sweep:
                self.wanted = await loop.run_in_executor(self._looker, self._count)
            self._learn(rows)
            self._since, self._looked = now - OVERLAP, began
            self._swept = began if sweep else self._swept

    def expire(self) -> None:
        """Makes the next `look` ask the database, however young the last one is."""
        self._not_before = time.monotonic()

    def _is_fresh(self, within: float) -> bool:
        return self._looked > self._not_before and time.monotonic() - self._looked < within

    def named(self, reference: str) -> Sequence[Known]:
        """The resources that a path names; none where that is not known here, and Kaltura has to be asked."""
        return meant(reference, self._by_id, self._by_name)

    def is_id(self, reference: str) -> bool:
        """Whether `reference` is the id of a resource, or a number that may be one: not all are known here."""
        number = as_id(reference)
        if number is None:
            return False
        return self._by_id(number) is not None or not (self._listed or number in self.resources)

    def _by_id(self, number: int) -> Known | None:
        known = self.resources.get(number)
        return None if known is None or known.gone else known

    def _by_name(self, name: str) -> Sequence[Known]:
        return [] if self.is_id(name) else [self.resources[number] for number in self.names.get(name.lower(), ())]

    def _read(self, since: float) -> tuple[float, bool, list[Known]]:
        """The time, whether the list of all was read, and then what has changed since that other time and is not known
        here as it is now."""
        with self._database.read() as session:
            now, listed = session.connection().execute(_NOW).one()
            rows = session.connection().execute(_CHANGED, {"since": since}).all()
        found = (
            Known(of, version, as_of or NEVER, bool(failing), system_name, name, gone_since is not None)
            for of, version, as_of, failing, system_name, name, gone_since in rows
        )
        return now, bool(listed), [one for one in found if not self._is_known(one)]

    def _count(self) -> int:
        with self._database.read() as session:
            return session.connection().execute(WANTED).scalar_one()

    def _is_known(self, found: Known) -> bool:
        known = self.resources.get(found.id)
        return known is not None and (known.version, known.as_of, known.failing) == (
            found.version,
            found.as_of,
            found.failing,
        )

    def _learn(self, found: Iterable[Known]) -> None:
        renamed = False
        for one in found:
            before = self.resources.get(one.id)
            renamed |= before is None or (before.system_name, before.gone) != (one.system_name, one.gone)
            one.told = before.told if before else one.told
            self.resources[one.id] = one
        if renamed:
            names = defaultdict(list)
            for known in self.resources.values():
                if known.system_name is not None and not known.gone:
                    names[known.system_name.lower()].append(known.id)
            self.names = dict(names)
