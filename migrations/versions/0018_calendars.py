"""Calendars of campus days, and which version of them each recording follows.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar",
        sa.Column("name", sa.String(), nullable=False, primary_key=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "recording_calendar",
        sa.Column("recording_id", sa.String(), sa.ForeignKey("recording.id"), nullable=False, primary_key=True),
        sa.Column("calendar", sa.String(), nullable=False, primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("tried", sa.BigInteger(), nullable=True),
        sa.Column("chain_id", sa.String(), nullable=True),
    )
    op.create_index("ix_recording_calendar_version", "recording_calendar", ["calendar", "version"])
    # Not by a copy of the table, whose trigger (0005) would go with the old one.
    op.add_column("recording", sa.Column("campus", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("recording", "campus")
    op.drop_index("ix_recording_calendar_version", "recording_calendar")
    op.drop_table("recording_calendar")
    op.drop_table("calendar")
