"""Lists by start and by change, failed recordings that are listed no more, and what is needed to find what is old.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_recording_first_start": ("recording", ["first_start", "id"]),
    "ix_recording_updated_at": ("recording", ["updated_at", "id"]),
    "ix_recording_last_end": ("recording", ["last_end"]),
    "ix_idempotency_key_recording_id": ("idempotency_key", ["recording_id"]),
    "ix_idempotency_key_created_at": ("idempotency_key", ["created_at"]),
}


def upgrade() -> None:
    # Not by a copy of the table, whose trigger (0005) would go with the old one.
    op.add_column("recording", sa.Column("listed", sa.Boolean(), nullable=False, server_default=sa.true()))
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)
    op.create_table(
        "upkeep",
        sa.Column("name", sa.String(), nullable=False, primary_key=True),
        sa.Column("due_at", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("upkeep")
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
    op.drop_column("recording", "listed")
