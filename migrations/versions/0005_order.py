"""Order by numbers that the database gives: of chains, of events, of a recording's versions; time under trial.

Revision ID: 0005
Revises: 0004
"""

# ruff: noqa: S608 - no value in these statements comes from outside
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# In the result of a chain's `state` step.
LAST_NUMBER = "CAST(calls -> 0 -> 'result' ->> 'last_number' AS INTEGER)"
VERSION = {
    "sqlite": [
        "CREATE TRIGGER recording_version AFTER UPDATE ON recording WHEN NEW.version = OLD.version BEGIN "
        "UPDATE recording SET version = OLD.version + 1 WHERE id = NEW.id; END",
    ],
    "postgresql": [
        "CREATE FUNCTION recording_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "NEW.version = OLD.version + 1; RETURN NEW; END $$",
        "CREATE TRIGGER recording_version BEFORE UPDATE ON recording FOR EACH ROW EXECUTE FUNCTION recording_version()",
    ],
}


def upgrade() -> None:
    with op.batch_alter_table("chain") as chain:
        chain.add_column(sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
        chain.add_column(sa.Column("tried", sa.Float(precision=53), nullable=False, server_default="0"))
        chain.drop_column("deadline")
    op.execute(
        "UPDATE chain SET number = (SELECT count(*) FROM chain AS other "
        "WHERE other.subject = chain.subject AND other.id <= chain.id)"
    )
    op.drop_index("ix_chain_subject", "chain")
    op.create_index("ix_chain_number", "chain", ["subject", "number"], unique=True)

    with op.batch_alter_table("recording") as recording:
        recording.add_column(sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"))
        recording.add_column(sa.Column("last_number", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE recording SET last_number = coalesce((SELECT max(last) FROM ("
        f"SELECT {LAST_NUMBER} AS last FROM chain_step JOIN chain ON chain.id = chain_step.chain_id "
        "WHERE chain.subject = recording.id AND chain_step.name = 'state' "
        "UNION ALL SELECT number FROM schedule_event WHERE recording_id = recording.id"
        ") AS numbers), 0)"
    )
    for statement in VERSION[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    on = " ON recording" if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(f"DROP TRIGGER recording_version{on}")
    if on:
        op.execute("DROP FUNCTION recording_version()")
    with op.batch_alter_table("recording") as recording:
        recording.drop_column("last_number")
        recording.drop_column("version")
    op.drop_index("ix_chain_number", "chain")
    op.create_index("ix_chain_subject", "chain", ["subject"])
    with op.batch_alter_table("chain") as chain:
        chain.add_column(sa.Column("deadline", sa.Float(precision=53), nullable=True))
        chain.drop_column("tried")
        chain.drop_column("number")
