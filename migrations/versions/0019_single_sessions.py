"""What is said of single sessions: what is in the way of one that is left out.

Revision ID: 0019
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not by a copy of the table, whose triggers (0003) would go with the old one.
    op.add_column("occurrence", sa.Column("in_the_way", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("occurrence", "in_the_way")
