"""What is said of single occurrences: a title, an end that was moved, and what is in the way of one that is left out.

Revision ID: 0019
Revises: 0018
"""

# ruff: noqa: S608 - no value in these statements comes from outside
import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

SHOWN = ("booking_id", "resource_id", "start", '"end"', "status")  # in calendars, as in 0016
KEPT = (*SHOWN, "id", "event_id", "series_id", "withdrawn")  # whose change raises the mirror's version, as in 0016
URGENT = 3600  # as in 0003
NOW = "((julianday('now') - 2440587.5) * 86400.0)"


def upgrade() -> None:
    # Not by a copy of the table, whose triggers (0003) would go with the old one.
    op.add_column("occurrence", sa.Column("title", sa.String(), nullable=True))
    op.add_column("occurrence", sa.Column("planned_end", UtcDateTime(), nullable=True))
    op.add_column("occurrence", sa.Column("in_the_way", sa.Text(), nullable=True))
    _watch("title")


def _watch(*more: str) -> None:
    """The triggers of 0016, which see these columns change as well."""
    statements = _sqlite(more) if op.get_bind().dialect.name == "sqlite" else [_postgresql(more)]
    for statement in statements:
        op.execute(statement)


def _sqlite(more: tuple[str, ...]) -> list[str]:
    shown = (*SHOWN, *more)
    return [
        "DROP TRIGGER mirror_occurrence_update",
        "DROP TRIGGER shown_occurrence",
        f"CREATE TRIGGER mirror_occurrence_update AFTER UPDATE OF {', '.join((*KEPT, *more))} ON occurrence "
        "WHEN 'scheduled' IN (OLD.status, NEW.status) BEGIN "
        f"UPDATE mirror SET version = version + 1, changed_at = {NOW}, "
        f"due_at = min(coalesce(due_at, {NOW} - {URGENT}), {NOW} - {URGENT}) WHERE resource_id IN "
        "(OLD.resource_id, NEW.resource_id); END",
        f"CREATE TRIGGER shown_occurrence AFTER UPDATE OF {', '.join(shown)} ON occurrence "
        f"WHEN {' OR '.join(f'OLD.{column} IS NOT NEW.{column}' for column in shown)} BEGIN "
        "UPDATE occurrence SET changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now') || '000' WHERE id = NEW.id; END",
    ]


def _postgresql(more: tuple[str, ...]) -> str:
    """There the mirror's trigger sees every column."""
    old, new = (", ".join(f"{row}.{column}" for column in (*SHOWN, *more)) for row in ("OLD", "NEW"))
    return (
        "CREATE OR REPLACE FUNCTION shown_occurrence() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF ({old}) IS DISTINCT FROM ({new}) THEN NEW.changed_at = clock_timestamp(); END IF; RETURN NEW; END $$"
    )


def downgrade() -> None:
    _watch()
    for column in ("in_the_way", "planned_end", "title"):
        op.drop_column("occurrence", column)
