"""How encoders are, since when somebody has been there for them to poll, and which findings have been told.

Revision ID: 0020
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "encoder",
        sa.Column("resource_id", sa.BigInteger(), sa.ForeignKey("resource.id"), autoincrement=False, nullable=False),
        sa.Column("polled_at", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("occurrence_id", sa.String(), nullable=True),
        sa.Column("said_at", UtcDateTime(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("resource_id"),
    )
    op.create_table(
        "listening",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "open_finding",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("finding", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def downgrade() -> None:
    op.drop_table("open_finding")
    op.drop_table("listening")
    op.drop_table("encoder")
