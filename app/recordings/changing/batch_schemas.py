"""What a batch is, and how it is answered."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from app.http.fields import In, Line, Out, Words, broken_at, each_once
from app.recordings.document.document import RecordingDocument
from app.recordings.reading.views import ProblemView, RecordingView
from app.recordings.whose import Reference


class BatchChange(In):
    """What is to become of one recording: a patch of it, or a whole document, which makes it if it is not there."""

    id: Line | None = Field(
        None,
        description="The recording's id. Each change has this, or `reference_id`, or `document`.",
        examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"],
    )
    reference_id: Annotated[str, Words(255)] | None = Field(
        None, description="Your id of the recording, in place of ours.", examples=["SIS-2026F-MATH123-01"]
    )
    patch: dict[str, Any] | None = Field(
        None,
        description="A merge patch (RFC 7396) of the document of that recording.",
        examples=[{"resource": "EXTRON-200-DEF"}],
    )
    document: RecordingDocument | None = Field(
        None,
        description="All of it, with its `reference_id`: the recording that has this one is changed, or a new one is "
        "made, as `PUT` does.",
    )

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        named = [name for name in ("id", "reference_id", "document") if getattr(self, name) is not None]
        if not named:
            raise broken_at(("id",), "is required, unless reference_id or document is given")
        if len(named) > 1:
            raise broken_at((named[1],), f"must be left out where {named[0]} is given")
        if self.document is None and self.patch is None:
            raise broken_at(("patch",), f"is required with {named[0]}")
        if self.document is not None and self.patch is not None:
            raise broken_at(("patch",), "must be left out where document is given")
        if self.document is not None and self.document.reference_id is None:
            raise broken_at(("document", "reference_id"), "is required in a batch")
        return self

    @property
    def named(self) -> str | Reference:
        """Of which recording."""
        if self.id is not None:
            return self.id
        return Reference((self.document.reference_id if self.document else self.reference_id) or "")


def _of_whom(change: BatchChange) -> str | Reference:
    return change.named


class Batch(In):
    """Changes that are made together, or not at all if their final state has a conflict."""

    changes: Annotated[list[BatchChange], Field(min_length=1, max_length=100), each_once(_of_whom)] = Field(
        description="At most 100, each of another recording.",
        examples=[
            [
                {"id": "rec_01kantf3wq5m2c7j8e9g0h1k3p", "patch": {"resource": "EXTRON-200-DEF"}},
                {"reference_id": "SIS-2026F-MATH124-01", "patch": {"resource": "EXTRON-100-ABC"}},
            ]
        ],
    )


class Outcome(StrEnum):
    APPLIED = "applied"
    REFUSED = "refused"
    NOT_APPLIED = "not_applied"
    PENDING = "pending"


class BatchItemView(RecordingView):
    """A recording of a batch as it is now, and what became of its change; `chain` tells how far that has come."""

    outcome: Outcome = Field(
        description="`applied`; `refused` (`problem` says why; the recording is as it was, and a new one failed); "
        "`not_applied` (a change that it depends on was not done; else the same); `pending` (it goes on, or is stuck "
        "and can be resumed).",
        examples=["applied"],
    )
    problem: ProblemView | None = Field(
        description="Why its change was refused or not applied, or what the recording is stuck at; null when all is "
        "well.",
        examples=[None],
    )


class BatchView(Out):
    """The recordings of a batch, each with the outcome of its change."""

    items: list[BatchItemView] = Field(description="In the order of the changes.")
