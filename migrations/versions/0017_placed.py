"""Sessions that somebody put on another resource by hand are known as such.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not by a copy of the table, whose triggers (0003) would go with the old one.
    op.add_column("occurrence", sa.Column("placed", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("occurrence", "placed")
