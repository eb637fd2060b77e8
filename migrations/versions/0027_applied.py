"""Which version of each calendar was told to have come to everybody, and who said it.

Revision ID: 0027
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calendar", sa.Column("said_by", sa.String(), nullable=True))
    op.add_column("calendar", sa.Column("applied", sa.BigInteger(), nullable=True))
    op.execute("UPDATE calendar SET applied = version")  # what came true before is told to nobody


def downgrade() -> None:
    op.drop_column("calendar", "applied")
    op.drop_column("calendar", "said_by")
