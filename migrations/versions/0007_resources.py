"""Resources that are gone, lists that are doubted, and what is asked of Kaltura in rounds.

Revision ID: 0007
Revises: 0006
"""

# ruff: noqa: S608 - no value in these statements comes from outside
import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(extract(epoch from clock_timestamp()) AS double precision)",
}


def upgrade() -> None:
    op.add_column("resource", sa.Column("gone_since", UtcDateTime(), nullable=True))
    op.add_column("drift", sa.Column("template_entry_id", sa.String(), nullable=True))
    for name in ("failures", "doubts", "odd"):
        op.add_column("mirror", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("mirror", sa.Column("doubted_at", sa.Float(precision=53), nullable=True))
    op.create_table(
        "mirror_round",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("as_of", sa.Float(precision=53), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("asked_at", sa.Float(precision=53), nullable=True),
        sa.Column("due_at", sa.Float(precision=53), nullable=True),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _shown_of_a_resource("name", "system_name", "gone_since")


def downgrade() -> None:
    _shown_of_a_resource("name", "system_name")
    op.drop_table("mirror_round")
    for name in ("doubted_at", "odd", "doubts", "failures"):
        op.drop_column("mirror", name)
    op.drop_column("drift", "template_entry_id")
    op.drop_column("resource", "gone_since")


def _shown_of_a_resource(*columns: str) -> None:
    """The trigger of migration 0003: a change of any of these raises its mirror's version."""
    dialect = op.get_bind().dialect.name
    raised = f"UPDATE mirror SET version = version + 1, changed_at = {NOW[dialect]} WHERE resource_id"
    if dialect == "sqlite":
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        op.execute("DROP TRIGGER mirror_resource_update")
        op.execute(
            f"CREATE TRIGGER mirror_resource_update AFTER UPDATE ON resource WHEN {changed} BEGIN "
            f"{raised} IN (NEW.id); END"
        )
        return
    changed = " OR ".join(f"gone.{column} IS DISTINCT FROM come.{column}" for column in columns)
    op.execute(
        "CREATE OR REPLACE FUNCTION mirror_resource_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"{raised} IN (SELECT come.id FROM gone JOIN come USING (id) WHERE {changed}); RETURN NULL; END $$"
    )
