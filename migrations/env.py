"""Alembic's entry: runs the migrations on the connection that `app.main.migrate` hands over."""

from typing import Any, Literal

from alembic import context
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import app.access.keys
import app.chains.models
import app.database.account
import app.findings.models
import app.recordings.models
import app.resources.models
import app.terms.models  # noqa: F401 - for their tables
from app.database.types import UtcDateTime


def _as_written(_kind: str, item: Any, _context: object) -> str | Literal[False]:
    """How a new migration writes our column types; False leaves it to Alembic."""
    names = {UtcDateTime: "UtcDateTime()", AutoString: "sa.String()"}
    return names.get(type(item), False)


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_item=_as_written,
    render_as_batch=True,  # SQLite alters a table by copying it
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
