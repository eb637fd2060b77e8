"""Pages and orders of lists (exchanges 273 to 290)."""

from typing import Any

from app.sandbox.errors import KalturaError
from app.sandbox.wire.reading import Given

DEFAULT_PAGE_SIZE = 30
MAX_PAGE_SIZE = 500
MAX_MATCHES = 10_000


def limits(pager: Given | None) -> tuple[int, int]:
    """(limit, offset) of a pager, limit -1 for none; raises QUERY_EXCEEDED_MAX_MATCHES_ALLOWED."""
    size = pager.get("pageSize") if pager else None
    page = pager.get("pageIndex") if pager else None
    if size is None:
        size = DEFAULT_PAGE_SIZE
    if size <= 0:
        return -1, 0
    size = min(size, MAX_PAGE_SIZE)
    offset = (max(page or 1, 1) - 1) * size
    if offset + size > MAX_MATCHES:
        raise KalturaError("QUERY_EXCEEDED_MAX_MATCHES_ALLOWED")
    return size, offset


def page_of(found: list[Any], pager: Given | None) -> list[Any]:
    limit, offset = limits(pager)
    return found if limit < 0 else found[offset : offset + limit]


def order_keys(order: str | None, columns: dict[str, str]) -> list[tuple[str, bool]]:
    """(column, descending) for each known key of "+startDate,-endDate"; no sign is ascending, others are ignored."""
    keys = []
    for key in (order or "").split(","):
        name = key.strip().lstrip("+-")
        if name in columns:
            keys.append((columns[name], key.strip().startswith("-")))
    return keys
