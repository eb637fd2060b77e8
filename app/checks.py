"""What a person has to know or do: chains that were given up on, and whether Kaltura lets Lectern work.

Used by `/readyz` and by `lectern check`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from app.chains.models import Chain
from app.chains.store import stuck_chains
from app.db import Database
from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError, Refused, SignInFailed
from app.telemetry import Part

MOST = 20  # stuck recordings that are named; the number says how many there are


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. `what_to_do` is empty where nothing is."""

    ok: bool
    checked: str
    what_to_do: str = ""


def stuck_part(database: Database) -> Part:
    """`/readyz`: degraded while recordings wait for a person, with their ids."""
    try:
        with database.read() as session:
            chains = stuck_chains(session)
    except SQLAlchemyError as error:
        return Part(state="degraded", detail=f"not known: the database does not answer ({type(error).__name__})")
    if not chains:
        return Part(state="ok", detail="none is stuck")
    named = ", ".join(f"{chain.subject} ({chain.operation})" for chain in chains[:MOST])
    more = f" and {len(chains) - MOST} more" if len(chains) > MOST else ""
    return Part(state="degraded", detail=f"{len(chains)} stuck, to be resumed: {named}{more}")


def check(database: Database, kaltura: KalturaClient) -> Iterator[Finding]:
    """Whether Lectern can work, each with what to do about it. Changes nothing in Kaltura."""
    yield from _check_kaltura(kaltura)
    with database.read() as session:
        chains = stuck_chains(session)
    yield from map(_stuck, chains)
    if not chains:
        yield Finding(True, "no recording is stuck")


def _check_kaltura(kaltura: KalturaClient) -> Iterator[Finding]:
    try:
        kaltura.ping()
        yield Finding(True, "Kaltura answers, and accepts the sign-in")
        found = kaltura.list_resources()
        yield Finding(True, f"the schedule feature is enabled; it knows {len(found)} resources")
    except SignInFailed as error:
        yield Finding(False, f"Kaltura refuses the sign-in: {error.reason}", "Check LECTERN_KALTURA_*.")
    except Refused as refusal:
        todo = "Ask your Kaltura account manager to enable the schedule feature for this account and sign-in."
        yield Finding(False, f"Kaltura refuses to list resources ({refusal.code})", todo)
    except KalturaError as error:
        yield Finding(False, f"Kaltura does not answer: {error}", "Check LECTERN_KALTURA_URL and the network.")


def _stuck(chain: Chain) -> Finding:
    error = chain.error or {}
    at = f"{chain.operation}, step {error.get('step')}: {error.get('detail')}"
    todo = f"Mend what is wrong there, then: POST /recordings/{chain.subject}/resume"
    return Finding(False, f"{chain.subject} is stuck ({at})", todo)
