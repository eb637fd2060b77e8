"""When a key was last used: so that one nobody needs any more can be revoked.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_key", sa.Column("used_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("api_key", "used_at")
