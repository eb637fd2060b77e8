"""A finding, as it is shown, and what it is about."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from app.http.fields import Out, Page
from app.http.times import Instant
from app.resources.schemas import ResourceName


class Severity(StrEnum):
    """The worst first."""

    NOW = "now"
    SOON = "soon"
    NOTICE = "notice"


class Kind(StrEnum):
    """`app/findings/kinds.py` says of each when it is raised, and what to do."""

    SIGN_IN_REFUSED = "sign_in_refused"
    KALTURA_AWAY = "kaltura_away"
    ENCODER_SILENT = "encoder_silent"
    ENCODER_ERROR = "encoder_error"
    CHAIN_STUCK = "chain_stuck"
    NOT_RECORDED = "not_recorded"
    RECORDING_FAILED = "recording_failed"
    RESOURCE_GONE = "resource_gone"
    RESOURCE_REPLACED = "resource_replaced"
    TEMPLATE_ENTRY_GONE = "template_entry_gone"
    DRIFT = "drift"
    SESSIONS_OVERLAP = "sessions_overlap"
    MIRROR_STALE = "mirror_stale"
    CALENDAR_BEHIND = "calendar_behind"
    TERM_REFUSED = "term_refused"
    CHAIN_WAITING = "chain_waiting"
    WEBHOOK_FAILING = "webhook_failing"


class Subject(Out):
    """What a finding is about. What is about the whole service has none of them."""

    recording_id: str | None = Field(
        default=None, description="The recording.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"]
    )
    occurrence_id: str | None = Field(
        default=None, description="The session, or the first of several.", examples=["occ_01kantf3wqz6t4s8w2v1x0y9ab"]
    )
    resource: ResourceName | None = Field(default=None, description="The resource.")


class Action(Out):
    """A request that does something about it."""

    rel: str = Field(description="What it does.", examples=["resume"])
    method: Literal["POST", "PATCH", "DELETE"] = Field(description="Its method.", examples=["POST"])
    href: str = Field(
        description="Its address, below the service's.", examples=["/recordings/rec_01kantf3wq5m2c7j8e9g0h1k3p/resume"]
    )


class FindingView(Out):
    """Something that a person should look at."""

    kind: Kind = Field(description="Stable, for programs: docs/findings.md.", examples=["chain_stuck"])
    severity: Severity = Field(
        description="`now`: lectures are being missed, or will be within the hour; `soon`: they will be, unless "
        "somebody acts; `notice`: it may mend itself.",
        examples=["now"],
    )
    since: Instant = Field(description="Since when it is so.", examples=["2027-01-13T13:58:02Z"])
    subject: Subject = Field(description="What it is about.")
    detail: str = Field(
        description="A sentence for people.",
        examples=["The encoder of EXTRON-100-ABC has not polled since 08:52, and a session begins at 09:00."],
    )
    what_to_do: str = Field(
        description="What to do about it, in a sentence.", examples=["Look whether the encoder has power and network."]
    )
    actions: list[Action] = Field(description="The requests that do it, if there are any.")


class FindingPage(Page[FindingView]):
    """A page of findings, the worst first, and of those the oldest."""
