"""What a reference to a resource means, the same in paths, documents, keys and filters, in SQL and in Kaltura."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from app.http.errors import AmbiguousResource, NotFound

NO_RESOURCE = "Kaltura has no such resource."
SEVERAL = "Kaltura has several resources with this system name. Name one by its id: GET /resources lists them."
"""Without the ids: a recording's problem is there for every key of its client, also for one narrowed to other
resources."""
UNKNOWN = f"{NO_RESOURCE} An object here would make it."
UNKNOWN_NUMBER = f"{UNKNOWN} It is no id, and no system name either; ids go without quotes."
MAX_ID = 2**31 - 1  # Kaltura's ids are 32-bit

T = TypeVar("T")


def as_id(reference: int | str) -> int | None:
    """The id that a reference may be: a number without leading zeros; None for anything else."""
    text = str(reference)
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or text.startswith("0"):
        return None
    return int(text) if int(text) <= MAX_ID else None


def unknown(reference: int | str) -> str:
    """The sentence that refuses a document's reference."""
    return UNKNOWN_NUMBER if isinstance(reference, str) and as_id(reference) else UNKNOWN


def meant(reference: int | str, by_id: Callable[[int], T | None], by_name: Callable[[str], Sequence[T]]) -> Sequence[T]:
    """The resources that a reference means. A number is an id if there is such a resource, and else a name."""
    number = as_id(reference)
    found = by_id(number) if number else None
    return by_name(str(reference)) if found is None else [found]


def only(found: Iterable[tuple[int, str | None]], may_see: Callable[[int, str | None], bool]) -> int:
    """The id of the only one of `found` (id, system name) that may be seen; the others are as if they were not there.

    Raises NotFound and AmbiguousResource.
    """
    ids = sorted(number for number, system_name in found if may_see(number, system_name))
    if not ids:
        raise NotFound(NO_RESOURCE)
    if len(ids) > 1:
        raise AmbiguousResource(resource_ids=ids)
    return ids[0]
