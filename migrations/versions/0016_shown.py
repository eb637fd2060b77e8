"""What calendars show: more of a booking's words, when what is shown last changed, and links for calendar programs.

Revision ID: 0016
Revises: 0014
"""

# ruff: noqa: S608 - no value in these statements comes from outside
import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

WORDS = ("location", "organizer", "contact", "owner")
SHOWN = {  # in calendars, by table
    "booking": ("title", "description", "tags", "location", "contact"),
    "occurrence": ("booking_id", "resource_id", "start", '"end"', "status"),
}
URGENT = 3600  # as in 0003
NOW = "((julianday('now') - 2440587.5) * 86400.0)"

_RECORDING = sa.table("recording", sa.column("id"), sa.column("document", sa.JSON()))
_BOOKING = sa.table("booking", sa.column("id"), *map(sa.column, WORDS))


def upgrade() -> None:
    # Not by a copy of the table, whose triggers (0003) would go with the old one.
    for word in WORDS:
        op.add_column("booking", sa.Column(word, sa.String(), nullable=True))
    op.create_table(
        "calendar_link",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("recording_id", sa.String(), nullable=True),
        sa.Column("resource_id", sa.BigInteger(), nullable=True),
        sa.Column("resource", sa.String(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_calendar_link_recording_id", "calendar_link", ["recording_id"])
    op.create_index("ix_calendar_link_resource_id", "calendar_link", ["resource_id"])
    for statement in _sqlite() if op.get_bind().dialect.name == "sqlite" else _postgresql():
        op.execute(statement)
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """The words that recordings have; those of others come with the next look at Kaltura."""
    for recording_id, document in connection.execute(sa.select(_RECORDING.c.id, _RECORDING.c.document)).all():
        said = {word: document[word] for word in WORDS if document.get(word)}
        if said:
            connection.execute(sa.update(_BOOKING).where(_BOOKING.c.id == recording_id).values(said))


def _sqlite() -> list[str]:
    """A trigger's own change of `changed_at` is none that raises a version."""
    kept = {
        "booking": 'id, source, kind, title, description, tags, time_zone, template_entry_id, "location", '
        "organizer, contact, owner",
        "occurrence": 'id, booking_id, resource_id, start, "end", status, event_id, series_id, withdrawn',
    }
    return [
        *_raising({table: f"OF {columns} " for table, columns in kept.items()}),
        *(
            f"CREATE TRIGGER shown_{table} AFTER UPDATE OF {', '.join(columns)} ON {table} "
            f"WHEN {' OR '.join(f'OLD.{column} IS NOT NEW.{column}' for column in columns)} BEGIN "
            f"UPDATE {table} SET changed_at = strftime('%Y-%m-%d %H:%M:%f', 'now') || '000' WHERE id = NEW.id; END"
            for table, columns in SHOWN.items()
        ),
    ]


def _raising(of: dict[str, str]) -> list[str]:
    """The triggers of 0003 for updates, with the columns that they are about."""
    raised = (
        f"UPDATE mirror SET version = version + 1, changed_at = {NOW}, "
        f"due_at = min(coalesce(due_at, {NOW} - {URGENT}), {NOW} - {URGENT}) WHERE resource_id IN"
    )
    return [
        "DROP TRIGGER mirror_booking_update",
        "DROP TRIGGER mirror_occurrence_update",
        f"CREATE TRIGGER mirror_booking_update AFTER UPDATE {of['booking']}ON booking BEGIN {raised} "
        "(SELECT resource_id FROM occurrence WHERE booking_id = NEW.id AND status = 'scheduled'); END",
        f"CREATE TRIGGER mirror_occurrence_update AFTER UPDATE {of['occurrence']}ON occurrence "
        "WHEN 'scheduled' IN (OLD.status, NEW.status) BEGIN "
        f"{raised} (OLD.resource_id, NEW.resource_id); END",
    ]


def _postgresql() -> list[str]:
    statements = []
    for table, columns in SHOWN.items():
        old, new = (
            ", ".join(f"{row}.{column}{'::text' if column == 'tags' else ''}" for column in columns)
            for row in ("OLD", "NEW")
        )
        statements += [
            f"CREATE FUNCTION shown_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF ({old}) IS DISTINCT FROM ({new}) THEN NEW.changed_at = clock_timestamp(); END IF; RETURN NEW; END $$",
            f"CREATE TRIGGER shown_{table} BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION shown_{table}()",
        ]
    return statements


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in SHOWN:
        op.execute(f"DROP TRIGGER shown_{table}{f' ON {table}' if is_postgresql else ''}")
        if is_postgresql:
            op.execute(f"DROP FUNCTION shown_{table}()")
    if not is_postgresql:
        for statement in _raising({"booking": "", "occurrence": ""}):
            op.execute(statement)
    op.drop_table("calendar_link")
    for word in WORDS:
        op.drop_column("booking", word)
