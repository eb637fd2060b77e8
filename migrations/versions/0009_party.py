"""Chains that are done together, or not at all: the party that a chain belongs to, and the verdict on it.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("chain") as table:
        table.add_column(sa.Column("party", sa.String(), nullable=True))
        table.add_column(sa.Column("verdict", sa.JSON(none_as_null=True), nullable=True))
        table.create_index("ix_chain_party", ["party"])


def downgrade() -> None:
    with op.batch_alter_table("chain") as table:
        table.drop_index("ix_chain_party")
        table.drop_column("verdict")
        table.drop_column("party")
