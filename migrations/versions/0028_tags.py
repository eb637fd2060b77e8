"""Tags by which recordings are found are kept in lower case: their case makes no difference.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_TAG = sa.table("recording_tag", sa.column("tag", sa.String()))


def upgrade() -> None:
    """By Python: each database lowers other letters. No recording has a tag in two spellings."""
    connection = op.get_bind()
    for tag in connection.execute(sa.select(_TAG.c.tag).distinct()).scalars().all():
        if tag.casefold() != tag:
            connection.execute(sa.update(_TAG).where(_TAG.c.tag == tag).values(tag=tag.casefold()))


def downgrade() -> None:
    """What was in capitals is not known any more."""
