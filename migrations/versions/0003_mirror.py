"""What Kaltura has on each resource: the mirror, drift, and the triggers that keep a mirror's version.

Revision ID: 0003
Revises: 0002
"""

# ruff: noqa: S608 - no value in these statements comes from outside
import sqlalchemy as sa
from alembic import op

from app.database.types import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

URGENT = 3600  # seconds: what is due so long already comes before all that is merely refreshed every minute

NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(extract(epoch from clock_timestamp()) AS double precision)",
}


def upgrade() -> None:
    op.create_table(
        "mirror",
        sa.Column("resource_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.Float(precision=53), nullable=False),
        sa.Column("as_of", UtcDateTime(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("asked_at", sa.Float(precision=53), nullable=True),
        sa.Column("due_at", sa.Float(precision=53), nullable=True),
        sa.Column("claimed_at", sa.Float(precision=53), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("resource_id"),
    )
    op.create_index("ix_mirror_changed_at", "mirror", ["changed_at"])
    op.create_index("ix_mirror_due_at", "mirror", ["due_at"])
    op.create_index("ix_mirror_claimed_at", "mirror", ["claimed_at"])
    op.create_table(
        "drift",
        sa.Column("resource_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("booking_id", sa.String(), nullable=False),
        sa.Column("occurrence_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("found_start", UtcDateTime(), nullable=True),
        sa.Column("found_end", UtcDateTime(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "key"),
    )
    op.create_index("ix_drift_booking_id", "drift", ["booking_id"])
    before = sa.text("'2026-01-01 00:00:00.000000'")
    with op.batch_alter_table("booking") as booking:
        booking.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="recording"))
        booking.add_column(sa.Column("changed_at", UtcDateTime(), nullable=False, server_default=before))
    with op.batch_alter_table("occurrence") as occurrence:
        occurrence.add_column(sa.Column("changed_at", UtcDateTime(), nullable=False, server_default=before))
        occurrence.create_index("ix_occurrence_upcoming", ["resource_id", "start"])

    dialect = op.get_bind().dialect.name
    now = NOW[dialect]
    op.execute(
        "INSERT INTO mirror (resource_id, version, changed_at, claimed_at, fence, lease_until) "
        f"SELECT id, 0, {now}, 0, 0, 0 FROM resource"
    )
    for statement in _sqlite(now) if dialect == "sqlite" else _postgresql(now):
        op.execute(statement)


def _raise(now: str, resources: str, due: bool = True) -> str:
    """The statement that raises the version of all `resources` (a list or a SELECT) and makes them due."""
    least = {NOW["sqlite"]: "min", NOW["postgresql"]: "least"}[now]
    urgent = f"{now} - {URGENT}"
    soon = f", due_at = {least}(coalesce(due_at, {urgent}), {urgent})" if due else ""
    return f"UPDATE mirror SET version = version + 1, changed_at = {now}{soon} WHERE resource_id IN ({resources})"


def _sqlite(now: str) -> list[str]:
    return [
        "CREATE TRIGGER mirror_resource_insert AFTER INSERT ON resource BEGIN "
        "INSERT INTO mirror (resource_id, version, changed_at, claimed_at, fence, lease_until) "
        f"VALUES (NEW.id, 0, {now}, 0, 0, 0); END",
        "CREATE TRIGGER mirror_resource_update AFTER UPDATE ON resource "
        "WHEN OLD.name IS NOT NEW.name OR OLD.system_name IS NOT NEW.system_name BEGIN "
        f"{_raise(now, 'NEW.id', due=False)}; END",
        "CREATE TRIGGER mirror_booking_update AFTER UPDATE ON booking BEGIN "
        + _raise(now, "SELECT resource_id FROM occurrence WHERE booking_id = NEW.id AND status = 'scheduled'")
        + "; END",
        "CREATE TRIGGER mirror_occurrence_insert AFTER INSERT ON occurrence WHEN NEW.status = 'scheduled' BEGIN "
        f"{_raise(now, 'NEW.resource_id')}; END",
        "CREATE TRIGGER mirror_occurrence_update AFTER UPDATE ON occurrence "
        "WHEN 'scheduled' IN (OLD.status, NEW.status) BEGIN "
        f"{_raise(now, 'OLD.resource_id, NEW.resource_id')}; END",
        "CREATE TRIGGER mirror_occurrence_delete AFTER DELETE ON occurrence WHEN OLD.status = 'scheduled' BEGIN "
        f"{_raise(now, 'OLD.resource_id')}; END",
    ]


def _postgresql(now: str) -> list[str]:
    """Once for each statement, not for each row: a thousand updates of one row in a transaction are slow there."""
    gone = _raise(now, "SELECT resource_id FROM gone WHERE status = 'scheduled'")
    come = _raise(now, "SELECT resource_id FROM come WHERE status = 'scheduled'")
    either = _raise(
        now,
        "SELECT unnest(ARRAY[gone.resource_id, come.resource_id]) FROM gone JOIN come USING (id) "
        "WHERE 'scheduled' IN (gone.status, come.status)",
    )
    words = _raise(
        now,
        "SELECT occurrence.resource_id FROM occurrence JOIN come ON occurrence.booking_id = come.id "
        "WHERE occurrence.status = 'scheduled'",
    )
    names = _raise(
        now,
        "SELECT come.id FROM gone JOIN come USING (id) WHERE gone.name IS DISTINCT FROM come.name "
        "OR gone.system_name IS DISTINCT FROM come.system_name",
        due=False,
    )
    made = (
        "INSERT INTO mirror (resource_id, version, changed_at, claimed_at, fence, lease_until) "
        f"SELECT id, 0, {now}, 0, 0, 0 FROM come"
    )
    tables = {
        "INSERT": "NEW TABLE AS come",
        "UPDATE": "OLD TABLE AS gone NEW TABLE AS come",
        "DELETE": "OLD TABLE AS gone",
    }
    statements = []
    for table, action, what in (
        ("resource", "INSERT", made),
        ("resource", "UPDATE", names),
        ("booking", "UPDATE", words),
        ("occurrence", "INSERT", come),
        ("occurrence", "UPDATE", either),
        ("occurrence", "DELETE", gone),
    ):
        name = f"mirror_{table}_{action.lower()}"
        statements += [
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NULL; END $$",
            f"CREATE TRIGGER {name} AFTER {action} ON {table} REFERENCING {tables[action]} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
        ]
    return statements


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    for table, action in (
        *(("resource", "insert"), ("resource", "update"), ("booking", "update")),
        *(("occurrence", "insert"), ("occurrence", "update"), ("occurrence", "delete")),
    ):
        on = f" ON {table}" if dialect == "postgresql" else ""
        op.execute(f"DROP TRIGGER mirror_{table}_{action}{on}")
        if dialect == "postgresql":
            op.execute(f"DROP FUNCTION mirror_{table}_{action}()")
    with op.batch_alter_table("occurrence") as occurrence:
        occurrence.drop_index("ix_occurrence_upcoming")
        occurrence.drop_column("changed_at")
    with op.batch_alter_table("booking") as booking:
        booking.drop_column("changed_at")
        booking.drop_column("kind")
    op.drop_table("drift")
    op.drop_table("mirror")
