"""What encoders have uploaded of each occurrence.

Revision ID: 0022
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "upload",
        sa.Column(
            "occurrence_id",
            sa.String(),
            sa.ForeignKey("occurrence.id", ondelete="CASCADE"),
            nullable=False,
            primary_key=True,
        ),
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False, unique=True),
        sa.Column("arrived", sa.Boolean(), nullable=False),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_upload_resource_id", "upload", ["resource_id"])


def downgrade() -> None:
    op.drop_table("upload")
