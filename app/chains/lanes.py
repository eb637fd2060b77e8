"""Lanes: a chain stands in line for each lane that it names, and whoever is first in line has the lane.

    place   1          2           3
           holder     waits       waits          a chain that passes (below) has a place, and waits for nobody

A chain takes its place itself, and leaves it itself, in its own checkpoints: nobody is handed anything, so that no lane
is left to a chain which has ended meanwhile. It takes its lanes in ascending order and keeps those that it has while it
waits for the next, so none wait in a ring.

Who takes a place, or looks at who is before it, is alone at that lane until it commits. Who leaves, need not be: it
lets others come sooner, and never two at a time.

Chains of one party (app/chains/parties.py) share a place: what one of them has, the others have. Each of them names all
lanes of the party; where these are many, it stands beside one that has them, in all of them at once.
"""

from collections.abc import Iterable

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
)
from sqlmodel import SQLModel

from app.chains.models import ChainStatus
from app.database.types import database_now

_CHAIN, _LANE = (SQLModel.metadata.tables[name] for name in ("chain", "lane"))
_MINE, _AHEAD, _THEIRS = _LANE.alias("mine"), _LANE.alias("ahead"), _CHAIN.alias("theirs")
_ME, _MEMBER = _CHAIN.alias("me"), _CHAIN.alias("member")

FEW = 8  # lanes: more than a chain by itself names

_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended('lane ' || :lane, 0))")
_TURNS = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('lane ' || lane, 0)) FROM unnest(CAST(:lanes AS text[])) AS lane"
)
_OVER = or_(_THEIRS.c.finished_at.is_not(None), _THEIRS.c.status == ChainStatus.STUCK)
_BEFORE = (_AHEAD.c.key == _MINE.c.key, _AHEAD.c.place < _MINE.c.place, _THEIRS.c.id == _AHEAD.c.chain_id)

_LANE_ID = bindparam("lane", type_=_LANE.c.key.type)
_OF = bindparam("of", type_=_LANE.c.chain_id.type)
_OF_PARTY = (
    select(func.min(_LANE.c.place))
    .select_from(_LANE)
    .join(_MEMBER, _MEMBER.c.id == _LANE.c.chain_id)
    .join(_ME, _ME.c.party == _MEMBER.c.party)
    .where(_LANE.c.key == _LANE_ID, _ME.c.id == _OF)
    .scalar_subquery()
)
_LAST = select(func.coalesce(func.max(_LANE.c.place), 0) + 1).where(_LANE.c.key == _LANE_ID).scalar_subquery()
_STANDS = exists().where(_MINE.c.key == _LANE_ID, _MINE.c.chain_id == _OF)
_STAND = (
    insert(_LANE)
    .from_select(["key", "chain_id", "place"], select(_LANE_ID, _OF, func.coalesce(_OF_PARTY, _LAST)).where(~_STANDS))
    .returning(_LANE.c.place)
)
# No chain that has ended has a lane. Should one ever have, whoever wants that lane next frees it.
_FREE = delete(_LANE).where(
    _LANE.c.key == _LANE_ID,
    _LANE.c.chain_id.in_(
        select(_THEIRS.c.id).join(_AHEAD, _AHEAD.c.chain_id == _THEIRS.c.id).where(_AHEAD.c.key == _LANE_ID, _OVER)
    ),
)
_LOOK = select(_OVER.label("over")).where(*_BEFORE, _MINE.c.key == _LANE_ID, _MINE.c.chain_id == _OF).distinct()
_LEAVE = delete(_LANE).where(_LANE.c.chain_id == _OF, _LANE.c.key != bindparam("but")).returning(_LANE.c.key)
_WAITING = select(literal(1)).where(_CHAIN.c.waiting_for.in_(bindparam("lanes", expanding=True))).limit(1)

# Whoever stands in the last of a party's lanes has come to all of them.
_ONE_OF_PARTY = (
    select(func.min(_LANE.c.chain_id))
    .select_from(_LANE)
    .join(_MEMBER, _MEMBER.c.id == _LANE.c.chain_id)
    .join(_ME, _ME.c.party == _MEMBER.c.party)
    .where(_LANE.c.key == _LANE_ID, _LANE.c.chain_id != _OF, _ME.c.id == _OF)
    .scalar_subquery()
)
_LANES = bindparam("lanes", expanding=True, type_=_LANE.c.key.type)
_ITS = _LANE.alias("its")
_IS_FIRST = ~exists().where(_AHEAD.c.key == _ITS.c.key, _AHEAD.c.place < _ITS.c.place)
_STANDS_THERE = exists().where(_MINE.c.key == _ITS.c.key, _MINE.c.chain_id == _OF)
_BESIDE = insert(_LANE).from_select(
    ["key", "chain_id", "place"],
    select(_ITS.c.key, _OF, _ITS.c.place).where(
        _ITS.c.chain_id == _ONE_OF_PARTY, _ITS.c.key.in_(_LANES), _IS_FIRST, ~_STANDS_THERE
    ),
)
_FIRST = select(_ITS.c.key).where(_ITS.c.chain_id == _OF, _ITS.c.key.in_(_LANES), _IS_FIRST)

_WAITS = _CHAIN.alias("waits")
_HOLD_UP = (
    select(_THEIRS.c.id, _THEIRS.c.subject, _THEIRS.c.operation)
    .distinct()
    .where(
        _WAITS.c.next_attempt_at <= database_now() - bindparam("seconds", type_=Float(53)),
        *(_MINE.c.key == _WAITS.c.waiting_for, _MINE.c.chain_id == _WAITS.c.id),
        *_BEFORE,
        _THEIRS.c.waiting_for.is_distinct_from(_AHEAD.c.key),
    )
    .order_by(_THEIRS.c.id)
)

MUST_WAIT: ColumnElement[bool] = exists().where(
    _MINE.c.key == _CHAIN.c.waiting_for, _MINE.c.chain_id == _CHAIN.c.id, *_BEFORE, ~_OVER
)
"""Of a chain that waits for a lane: whether somebody is before it still."""


def subject_lane(subject: str) -> str:
    """The key of the lane of all chains of one subject, which a chain keeps also when it steps aside."""
    return f"recording:{subject}"


def take(connection: Connection, chain_id: str, keys: Iterable[str], passing: Iterable[str] = ()) -> str | None:
    """Takes a chain's place in these lanes, in ascending order. The first that it has to wait for, or None.

    Those that are `passing` it takes without waiting: those behind it wait until it has ended.
    """
    patient = set(keys)
    every = patient.union(passing)
    there = _stand_beside(connection, chain_id, every) if len(every) > FEW else set()
    for key in sorted(every - there):
        of = {"lane": key, "of": chain_id}
        if connection.dialect.name == "postgresql":  # SQLite has one writer
            connection.execute(_TURN, {"lane": key})
        if connection.execute(_STAND, of).scalar() == 1:
            continue  # nobody is before the first place
        before = connection.execute(_LOOK, of).scalars().all()
        if any(before):
            connection.execute(_FREE, {"lane": key})
        if key in patient and not all(before):
            return key
    return None


def _stand_beside(connection: Connection, chain_id: str, keys: Iterable[str]) -> set[str]:
    """Stands beside another one of its party wherever that one is the first. In which lanes it is the first itself."""
    lanes = sorted(keys)
    if connection.dialect.name == "postgresql":
        connection.execute(_TURNS, {"lanes": lanes})
    connection.execute(_BESIDE, {"of": chain_id, "lanes": lanes, "lane": lanes[-1]})
    return set(connection.execute(_FIRST, {"of": chain_id, "lanes": lanes}).scalars())


def leave(connection: Connection, chain_id: str, *, but: str = "") -> bool:
    """Leaves all its lanes, or all `but` one. Returns whether anybody waits for one of those that it left."""
    left = connection.execute(_LEAVE, {"of": chain_id, "but": but}).scalars().all()
    return bool(left) and connection.execute(_WAITING, {"lanes": left}).first() is not None


def holding_up(connection: Connection, seconds: float) -> list[str]:
    """The chains for whose lanes others have waited for so many seconds: `<id> (<operation> of <subject>)` each."""
    rows = connection.execute(_HOLD_UP, {"seconds": seconds})
    return [f"{chain_id} ({operation} of {subject})" for chain_id, subject, operation in rows]
