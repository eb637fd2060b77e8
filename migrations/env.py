"""Alembic's entry: runs the migrations on the connection that `app.main.migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

import app.chains.models
import app.recordings.models
import app.resources.models  # noqa: F401 - for their tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
