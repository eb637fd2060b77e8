"""Notices, and the webhooks that they are sent to.

Revision ID: 0021
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(), nullable=False, unique=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("client", sa.String()),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("told_at", sa.Float(53), nullable=False),
    )
    op.create_index("ix_notice_client", "notice", ["client", "number"])
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("client", sa.String()),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("notices", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime()),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.Float(53)),
        sa.Column("error", sa.String()),
        sa.Column("owner", sa.String()),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Float(53), nullable=False),
        sa.Column("next_attempt_at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "undelivered",
        sa.Column("webhook_id", sa.String(), sa.ForeignKey("webhook.id"), primary_key=True),
        sa.Column("number", sa.BigInteger(), sa.ForeignKey("notice.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String()),
        sa.Column("since", sa.Float(53), nullable=False),
        sa.Column("next_attempt_at", sa.Float(53)),
    )
    op.create_index("ix_undelivered_subject", "undelivered", ["webhook_id", "subject", "number"])
    op.create_index("ix_undelivered_number", "undelivered", ["number"])


def downgrade() -> None:
    for table in ("undelivered", "webhook", "notice"):
        op.drop_table(table)
