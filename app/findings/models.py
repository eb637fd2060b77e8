"""Which findings are open, as far as somebody was told: app/findings/watch.py."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field, SQLModel

from app.database.types import UtcDateTime


class OpenFinding(SQLModel, table=True):
    """No truth: what is found is computed anew. `number` says which was raised later; `finding` is it as it was then,
    so that its end can be told when nothing of it is left."""

    __tablename__ = "open_finding"

    key: str = Field(primary_key=True)
    kind: str
    number: int = Field(sa_type=BigInteger)
    raised_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    finding: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
