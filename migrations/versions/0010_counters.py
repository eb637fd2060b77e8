"""Counters, and the number of a key's latest change: who has seen that number reads it no more.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    with op.batch_alter_table("api_key") as table:
        table.add_column(sa.Column("change", sa.BigInteger(), nullable=False, server_default="0"))
        table.create_index("ix_api_key_change", ["change"])


def downgrade() -> None:
    with op.batch_alter_table("api_key") as table:
        table.drop_index("ix_api_key_change")
        table.drop_column("change")
    op.drop_table("counter")
