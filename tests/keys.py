"""Keys for tests: made in a running service's database, and known to it at once."""

from collections.abc import Sequence

from app.access import keys
from tests.service import Lectern


def key(service: Lectern, name: str, *scopes: str, resources: Sequence[str] = ()) -> str:
    """A new key of a client, with these scopes."""
    with service.app.state.database.write() as session:
        _, made = keys.create(session, name, scopes, resources)
    service.app.state.keys.look()
    return made


def revoke(service: Lectern, made: str) -> None:
    with service.app.state.database.write() as session:
        keys.revoke(session, made.split("_")[1])
    service.app.state.keys.look()


def bearer(made: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {made}"}
