"""Lanes are lines: each chain has a place in those that it names, and the first has the lane. Withdrawn sessions.

Revision ID: 0011
Revises: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Not those that were left to chains which had ended.
HELD = sa.text(
    "SELECT key, chain_id, 1 AS place FROM lane JOIN chain ON chain.id = chain_id "
    "WHERE finished_at IS NULL AND status <> 'stuck'"
)
# Chains of one party share a place.
WAIT = sa.text(
    "SELECT key, chain_id, 1 + dense_rank() OVER (PARTITION BY key ORDER BY since, line) AS place FROM ("
    "SELECT waiting_for AS key, id AS chain_id, coalesce(party, id) AS line, "
    "min(next_attempt_at) OVER (PARTITION BY waiting_for, coalesce(party, id)) AS since "
    "FROM chain WHERE waiting_for IS NOT NULL) AS waiting"
)
FIRST = sa.text(
    "SELECT key, min(chain_id) AS chain_id FROM lane WHERE place = "
    "(SELECT min(place) FROM lane AS ahead WHERE ahead.key = lane.key) GROUP BY key"
)


def upgrade() -> None:
    places = [*_rows(HELD), *_rows(WAIT)]
    op.drop_table("lane")
    of = sa.Column("chain_id", sa.String(), nullable=False, primary_key=True)
    _create([of, sa.Column("place", sa.Integer(), nullable=False)], places)
    # Not by a copy of the table, whose triggers (0003) would go with the old one.
    op.add_column("occurrence", sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("occurrence", "withdrawn")
    held = _rows(FIRST)
    op.drop_table("lane")
    _create([sa.Column("chain_id", sa.String(), nullable=False)], held)


def _rows(statement: sa.TextClause) -> list[dict[str, object]]:
    return [dict(row) for row in op.get_bind().execute(statement).mappings()]


def _create(columns: list[sa.Column[Any]], rows: list[dict[str, object]]) -> None:
    key = sa.Column("key", sa.String(), nullable=False, primary_key=True)
    made = op.create_table("lane", key, *columns, sa.ForeignKeyConstraint(["chain_id"], ["chain.id"]))
    op.create_index("ix_lane_chain_id", "lane", ["chain_id"])
    op.bulk_insert(made, rows)
