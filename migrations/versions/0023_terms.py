"""Terms: whole timetables, their meetings, plans and applies; recordings know their term.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("term", "section", "meeting"):
        op.add_column("recording", sa.Column(name, sa.String(), nullable=True))
    op.create_index("ix_recording_term", "recording", ["client", "term"])
    op.create_table(
        "term",
        sa.Column("client", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("applied", sa.BigInteger(), nullable=False),
        sa.Column("sections", sa.Integer(), nullable=True),
        sa.Column("generated_at", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "term_meeting",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("recording_id", sa.String(), nullable=False),
        sa.Column("sections", sa.JSON(), nullable=False),
        sa.Column("meeting", sa.String(), nullable=True),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("slot", sa.String(), nullable=False),
        sa.Column("times", sa.String(), nullable=False),
        sa.Column("days", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("missing_since", UtcDateTime, nullable=True),
        sa.Column("ended_at", UtcDateTime, nullable=True),
    )
    op.create_index("ix_term_meeting_term", "term_meeting", ["client", "term", "ended_at"])
    op.create_index("ix_term_meeting_recording_id", "term_meeting", ["recording_id"])
    op.create_table(
        "term_plan",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("head", sa.JSON(), nullable=False),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_term_plan_term", "term_plan", ["client", "term", "number"])
    op.create_table(
        "term_item",
        sa.Column("plan_id", sa.String(), sa.ForeignKey("term_plan.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("n", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("section", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("work", sa.JSON(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("party", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("recording_id", sa.String(), nullable=True),
        sa.Column("chain_id", sa.String(), nullable=True),
        sa.Column("problem", sa.JSON(), nullable=True),
    )
    op.create_index("ix_term_item_kind", "term_item", ["plan_id", "kind", "n"])
    op.create_index("ix_term_item_outcome", "term_item", ["plan_id", "outcome", "rank", "n"])
    op.create_table(
        "term_apply",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column(
            "plan_id", sa.String(), sa.ForeignKey("term_plan.id", ondelete="CASCADE"), nullable=False, unique=True
        ),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("allowed", sa.JSON(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.Float(53), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime, nullable=True),
    )
    op.create_index("ix_term_apply_term", "term_apply", ["client", "term", "status"])


def downgrade() -> None:
    for name in ("term_apply", "term_item", "term_plan", "term_meeting", "term"):
        op.drop_table(name)
    op.drop_index("ix_recording_term", "recording")
    for name in ("meeting", "section", "term"):
        op.drop_column("recording", name)
