"""What changes need: slots of occurrences, recurrences of events, chains that are asked to stop.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("occurrence") as table:
        table.add_column(sa.Column("slot", sa.Date(), nullable=True))
        table.add_column(sa.Column("moved", sa.Boolean(), nullable=False, server_default=sa.false()))

    with op.batch_alter_table("chain") as table:
        table.add_column(sa.Column("stop", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("schedule_event") as table:
        table.add_column(sa.Column("recurrence", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("schedule_event") as table:
        table.drop_column("recurrence")
    with op.batch_alter_table("chain") as table:
        table.drop_column("stop")
    with op.batch_alter_table("occurrence") as table:
        table.drop_column("moved")
        table.drop_column("slot")
