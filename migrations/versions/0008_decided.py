"""Sessions that somebody restored by hand are known as such.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CHAIN = sa.table("chain", sa.column("operation"), sa.column("status"), sa.column("input", sa.JSON()))
_OCCURRENCE = sa.table(
    "occurrence", sa.column("id", sa.String()), sa.column("status"), sa.column("restored", sa.Boolean())
)


def upgrade() -> None:
    # Not by a copy of the table, whose triggers (0003) would go with the old one.
    op.add_column("occurrence", sa.Column("restored", sa.Boolean(), nullable=False, server_default=sa.false()))
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """Whoever restored a session did so by a chain, which tells of which session."""
    done = sa.select(_CHAIN.c.input).where(_CHAIN.c.operation == "restore_occurrence", _CHAIN.c.status == "succeeded")
    for given in connection.execute(done).scalars():
        connection.execute(
            sa.update(_OCCURRENCE)
            .where(_OCCURRENCE.c.id == given["change"]["occurrence"]["id"], _OCCURRENCE.c.status == "scheduled")
            .values(restored=True)
        )


def downgrade() -> None:
    op.drop_column("occurrence", "restored")
