"""Where chains are durable: claims, leases, fences, lanes and checkpoints. The only code that commits mid-flow.

A chain belongs to whoever's fencing number stands in its row. Claiming raises the number; each checkpoint names
it, so a checkpoint by an old owner changes no row and ends its run (`LeaseLost`).

Lanes are handed on: the chain that ends gives each lane it holds to the one that has waited longest. A chain
takes its lanes in ascending order and keeps those it has while it waits for the next, so none wait in a ring.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Update, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from app.chains.models import Chain, ChainStatus, ChainStep, Lane
from app.db import Database, database_now, new_id, utc_now


class LeaseLost(Exception):  # noqa: N818
    """Another owner has the chain now. Whoever meets this stops at once and changes nothing more."""


@dataclass(slots=True)
class Claim:
    """A chain that this process owns until `valid_until` (monotonic seconds), longer each time it is renewed."""

    chain_id: str
    fence: int
    valid_until: float

    def guard(self) -> None:
        """To be called right before anything is sent: a process that was stopped past its lease sends nothing."""
        if time.monotonic() >= self.valid_until:
            raise LeaseLost


class Store:
    def __init__(self, database: Database, owner: str, lease: float, patience: float = 24 * 3600.0) -> None:
        """`owner` names this process in the rows it holds; `lease` (seconds) is how long it may be silent;
        a chain that has been waiting for `patience` seconds is stuck."""
        self.database = database
        self.owner = owner
        self.lease = lease
        self.patience = patience
        self._claim = self._claim_statement()  # built once: it runs several times a second

    # Making and reading

    def create(
        self, session: Session, subject: str, operation: str, steps: Sequence[str], given: Mapping[str, Any]
    ) -> str:
        """A new chain in the caller's transaction, ready to be claimed once that commits. Returns its id."""
        chain_id = new_id("chn")
        now = utc_now()
        session.execute(
            insert(Chain).values(
                id=chain_id,
                subject=subject,
                operation=operation,
                status=ChainStatus.QUEUED,
                input=given,
                fence=0,
                lease_until=0.0,
                next_attempt_at=database_now(),
                deadline=database_now() + self.patience,
                created_at=now,
                updated_at=now,
            )
        )
        session.execute(
            insert(ChainStep),
            [{"chain_id": chain_id, "position": position, "name": name} for position, name in enumerate(steps)],
        )
        return chain_id

    def load(self, claim: Claim) -> tuple[Chain, list[ChainStep]]:
        with self.database.read() as session:
            chain = session.get_one(Chain, claim.chain_id)
            return chain, steps_of(session, claim.chain_id)

    # Owning

    def claim(self) -> Claim | None:
        """Takes over the chain that has been due longest, if there is one."""
        begun = time.monotonic()
        with self.database.write() as session:
            row = session.execute(self._claim).one_or_none()
        return Claim(row.id, row.fence, begun + self.lease) if row else None

    def _claim_statement(self) -> Update:
        now = database_now()
        due = (
            select(col(Chain.id))
            .where(
                col(Chain.next_attempt_at) <= now,
                col(Chain.lease_until) <= now,
                # The lane's disappearance frees a chain too, should its hand-over ever have been missed.
                or_(
                    col(Chain.waiting_for).is_(None),
                    ~select(col(Lane.key)).where(col(Lane.key) == col(Chain.waiting_for)).exists(),
                ),
            )
            .order_by(col(Chain.next_attempt_at), col(Chain.id))
            .limit(1)
            .with_for_update(skip_locked=True)
            # A CTE: a plain IN (SELECT … LIMIT 1) may be evaluated again and claim more than one.
            .cte("due")
        )
        return (
            update(Chain)
            .where(col(Chain.id).in_(select(due.c.id)))
            .values(owner=self.owner, fence=Chain.fence + 1, lease_until=now + self.lease)
            .returning(col(Chain.id), col(Chain.fence))
        )

    def renew(self, claims: Iterable[Claim]) -> None:
        """Says that this process is alive. A claim that was lost meanwhile is left to run into its fence."""
        for claim in claims:
            begun = time.monotonic()
            with self.database.write() as session:
                if _touched(session, self._fenced(claim)):
                    claim.valid_until = begun + self.lease

    def _fenced(self, claim: Claim) -> Update:
        return (
            update(Chain)
            .where(col(Chain.id) == claim.chain_id, col(Chain.fence) == claim.fence)
            .values(lease_until=database_now() + self.lease)
        )

    # Checkpoints

    @contextmanager
    def checkpoint(self, claim: Claim, **changes: Any) -> Iterator[Session]:
        """One durable moment of a chain: its row (`changes`), and what the caller writes, or nothing at all."""
        begun = time.monotonic()
        with self.database.write() as session:
            if not _touched(session, self._fenced(claim).values(updated_at=utc_now(), **changes)):
                raise LeaseLost
            yield session
        claim.valid_until = begun + self.lease

    def release(self, session: Session, claim: Claim, delay: float | None, **changes: Any) -> None:
        """Within a checkpoint: gives the chain back, to be taken up in `delay` seconds, or never (None)."""
        session.execute(
            update(Chain)
            .where(col(Chain.id) == claim.chain_id)
            .values(
                owner=None,
                lease_until=0.0,
                next_attempt_at=None if delay is None else database_now() + delay,
                **changes,
            )
        )

    def patience_is_over(self, session: Session, claim: Claim) -> bool:
        over = select(col(Chain.id)).where(col(Chain.id) == claim.chain_id, col(Chain.deadline) <= database_now())
        return session.execute(over).one_or_none() is not None

    def take_up(self, session: Session, chain_id: str) -> bool:
        """A stuck or waiting chain is due at once, with new patience. Whether there was one to take up."""
        return _touched(
            session,
            update(Chain)
            .where(
                col(Chain.id) == chain_id,
                col(Chain.lease_until) <= database_now(),
                col(Chain.finished_at).is_(None),
            )
            .values(next_attempt_at=database_now(), deadline=database_now() + self.patience),
        )

    # Lanes

    def take_lanes(self, session: Session, claim: Claim, keys: Iterable[str]) -> str | None:
        """Takes the lanes, in ascending order, within a checkpoint. The first that another chain holds, or None."""
        dialect = sqlite if self.database.is_sqlite else postgresql
        for key in sorted(keys):
            holder = None
            while holder is None:  # it may be given up between our try and our look
                session.execute(dialect.insert(Lane).values(key=key, chain_id=claim.chain_id).on_conflict_do_nothing())
                # Locked, so that the holder's hand-over either sees us waiting or has happened already.
                holder = session.execute(
                    select(col(Lane.chain_id)).where(col(Lane.key) == key).with_for_update()
                ).scalar_one_or_none()
            if holder != claim.chain_id:
                return key
        return None

    def hand_on_lanes(self, session: Session, claim: Claim) -> None:
        """Gives each lane of a chain that ends to the one that has waited longest for it, or up."""
        held = session.execute(
            select(col(Lane.key)).where(col(Lane.chain_id) == claim.chain_id).with_for_update()
        ).scalars()
        for key in held.all():
            heir = session.execute(
                select(col(Chain.id))
                .where(col(Chain.waiting_for) == key)
                .order_by(col(Chain.next_attempt_at), col(Chain.id))
                .limit(1)
            ).scalar_one_or_none()
            if heir is None:
                session.execute(delete(Lane).where(col(Lane.key) == key))
            else:
                session.execute(update(Lane).where(col(Lane.key) == key).values(chain_id=heir))
                session.execute(update(Chain).where(col(Chain.id) == heir).values(waiting_for=None))


def _touched(session: Session, statement: Update) -> bool:
    return session.connection().execute(statement).rowcount == 1


def steps_of(session: Session, chain_id: str) -> list[ChainStep]:
    """A chain's steps in order."""
    statement = select(ChainStep).where(col(ChainStep.chain_id) == chain_id)
    return list(session.execute(statement.order_by(col(ChainStep.position))).scalars())


def latest_chains(session: Session, subjects: Iterable[str]) -> dict[str, Chain]:
    """Each subject's latest chain."""
    statement = select(Chain).where(col(Chain.subject).in_(list(subjects))).order_by(col(Chain.id))
    return {chain.subject: chain for chain in session.execute(statement).scalars()}
