"""Parties: chains of which either all come to their end, or none does.

Each of them makes what it makes, and comes to a step at which it waits for the others. There it is decided, once, for
all of them, whether they go on or are undone:

    one was refused, is asked to stop, or is stuck  ──▶ "back": each fails at that step, and is undone
    all have come to the step                       ──▶ "go":   from here on none is stopped or undone
    else                                            ──▶ not yet

The verdict stands in each chain's row, written for all in one transaction that holds all their rows: it is
`{"go": true, "at": epoch seconds}`, or `{"go": false, "subject": whose chain was the reason, "code": what for}`.
A chain that has not come to the step keeps the others from going, so what refuses it before that is never too late.

A party holds its lanes as one: a lane that one chain of it has is the others' too. So that no ring of waiting can
arise, each of its chains names all lanes of the party.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, or_, select, update
from sqlmodel import Session, SQLModel

from app.chains.models import ChainStatus, StepStatus
from app.database.types import database_now, utc_now
from app.http.errors import BatchRefused

_CHAIN, _STEP = (SQLModel.metadata.tables[name] for name in ("chain", "chain_step"))

Verdict = Mapping[str, Any]
Hinders = Callable[[Session, Sequence[str], int], Verdict | None]
"""Asked with the ids of the chains and an instant (epoch seconds): the verdict against going then, or None."""

SECONDARY = BatchRefused.code
"""The code of a chain that was refused because another one of its party was."""

_OWN = select(_CHAIN.c.party).where(_CHAIN.c.id == bindparam("of")).scalar_subquery()
_MEMBERS = (
    select(*(_CHAIN.c[name] for name in ("id", "subject", "status", "stop", "error", "verdict")))
    .where(_CHAIN.c.party == _OWN)
    .order_by(_CHAIN.c.id)
)
_COUNT = select(func.count()).select_from(_CHAIN).where(_CHAIN.c.party == _OWN)
_OPEN = select(_STEP.c.chain_id, _STEP.c.status).where(
    _STEP.c.chain_id.in_(bindparam("these", expanding=True)),
    or_(
        _STEP.c.status == StepStatus.FAILED, and_(_STEP.c.name == bindparam("at"), _STEP.c.status == StepStatus.PENDING)
    ),
)
_WRITE = update(_CHAIN).where(_CHAIN.c.party == _OWN)
_AT_ONCE = (
    update(_CHAIN)
    .where(
        _CHAIN.c.id.in_(bindparam("these", expanding=True)),
        _CHAIN.c.status == ChainStatus.WAITING,
        _CHAIN.c.lease_until <= database_now(),
    )
    .values(next_attempt_at=database_now())
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a party has come. `size`: how many chains it has. `refused`: the verdict that it must come to, if it has
    not come to one yet."""

    size: int
    verdict: Verdict | None
    refused: Verdict | None
    coming: frozenset[str]  # chains that have not come to the step

    @property
    def is_open(self) -> bool:
        """Whether there is nothing to decide yet."""
        return not self.verdict and not self.refused and bool(self.coming)


def standing_of(session: Session, chain_id: str, step: str) -> Standing:
    """How far the party of a chain has come, whose chains wait for each other at the step of that name."""
    return _standing(session, session.connection().execute(_MEMBERS, {"of": chain_id}).all(), step)


def decide(session: Session, chain_id: str, step: str, hinders: Hinders) -> Verdict | None:
    """The verdict on the party of a chain that has come to `step`; None if it cannot be told yet.

    A chain that another process writes just now is not waited for, because that one may wait for what is locked here:
    then the answer is None, and the caller asks again.
    """
    connection = session.connection()
    size = connection.execute(_COUNT, {"of": chain_id}).scalar_one()
    members = connection.execute(_MEMBERS.with_for_update(skip_locked=True), {"of": chain_id}).all()
    if len(members) < size:
        return None
    standing = _standing(session, members, step)
    if standing.verdict or standing.is_open:
        return standing.verdict
    at = int(utc_now().timestamp())
    verdict = standing.refused or hinders(session, [one.id for one in members], at) or {"go": True, "at": at}
    connection.execute(_WRITE.values(verdict=dict(verdict)), {"of": chain_id})
    connection.execute(_AT_ONCE, {"these": [one.id for one in members if one.id not in standing.coming]})
    return verdict


def _standing(session: Session, members: Sequence[Row[Any]], step: str) -> Standing:
    asked = {"these": [one.id for one in members], "at": step}
    rows = session.connection().execute(_OPEN, asked).all()
    failed = {row.chain_id for row in rows if row.status == StepStatus.FAILED}
    reasons = [
        {"go": False, "subject": one.subject, "code": _code(one)}
        for one in members
        if one.id in failed or one.stop or one.status in (ChainStatus.FAILED, ChainStatus.STUCK)
    ]
    reasons.sort(key=lambda one: one["code"] == SECONDARY)
    coming = {row.chain_id for row in rows} - failed
    verdict = members[0].verdict if members else None
    return Standing(len(members), verdict, reasons[0] if reasons else None, frozenset(coming))


def _code(member: Row[Any]) -> str:
    return str((member.error or {}).get("code", "cancelled"))


def may_stop(stop: bool, verdict: Verdict | None) -> bool:
    """Whether a chain that is asked to stop may stop: not after the verdict that all of its party go on."""
    return stop and not (verdict and verdict["go"])
