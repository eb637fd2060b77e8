"""How any action of Kaltura's is asked: under the shared session, its answer checked, its lists read whole."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import TypeAdapter

from app.kaltura.answers import Listed, Odd, Page, shaped
from app.kaltura.crowds import Crowds
from app.kaltura.errors import KalturaError, Refused, SessionRefused, Transient, harmless
from app.kaltura.observing import Observe, observed, unobserved
from app.kaltura.session import Sessions
from app.kaltura.transport import MAX_BYTES, TOTAL_SECONDS, Http, exchange
from app.kaltura.types import Category, Entry, Event, Link, Resource

PAGE_SIZE = 500
"""Kaltura cuts a larger one down to it."""

MAX_MATCHES = 10_000
"""No list goes further (exchange 290)."""

T = TypeVar("T")
M = TypeVar("M", Resource, Entry, Event, Category, Link)
Identified = TypeVar("Identified", Resource, Category, Entry, Event)


class Calls:
    """`http` is one thread's own; `sessions` with their gate, and `crowds`, are those of all."""

    def __init__(
        self,
        http: Http,
        sessions: Sessions,
        *,
        crowds: Crowds | None = None,
        observe: Observe = unobserved,
        total: float = TOTAL_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._http = http
        self._sessions = sessions
        self._crowds = crowds or Crowds()
        self._observe = observe
        self._total = total
        self._max_bytes = max_bytes

    def close(self) -> None:
        self._http.close()

    def _get(
        self, service: str, params: Mapping[str, int | str], shape: TypeAdapter[Identified], unknown: str
    ) -> Identified | None:
        try:
            found = self._ask(service, "get", params, shape)
        except Refused as refusal:
            if refusal.code == unknown:
                return None
            raise
        if found.id not in params.values():
            raise Transient(f"{service}.get: the answer is about another object", sent=True)
        return found

    def _list(self, service: str, wanted: Mapping[str, object], shape: TypeAdapter[Page[M]]) -> Listed[M]:
        return self._pages(service, "list", {"filter": wanted}, shape)

    def _pages(self, service: str, action: str, params: Mapping[str, object], shape: TypeAdapter[Page[M]]) -> Listed[M]:
        """Every object of every page, each once. Pages are counted by the total: a stale index leaves gaps in them."""
        found: dict[M, None] = {}
        odd: list[Odd] = []
        first_total = None
        for index in range(1, MAX_MATCHES // PAGE_SIZE + 1):
            pager = {"objectType": "KalturaFilterPager", "pageSize": PAGE_SIZE, "pageIndex": index}
            page = self._ask(service, action, {**params, "pager": pager}, shape)
            first_total = page.total if first_total is None else first_total
            if page.total != first_total:
                raise Transient(f"{service}.{action}: the list changed while it was read", sent=True)
            if page.total > MAX_MATCHES:
                break
            odd += page.odd
            found.update(dict.fromkeys(page.read))
            if index * PAGE_SIZE >= page.total:
                listed = Listed(found)
                listed.missing, listed.odd = max(0, page.total - len(found) - len(odd)), odd
                return listed
        raise Refused("QUERY_EXCEEDED_MAX_MATCHES_ALLOWED", f"more than {MAX_MATCHES} objects")

    def _ask(
        self,
        service: str,
        action: str,
        params: Mapping[str, object],
        shape: TypeAdapter[T],
        *,
        writes: bool = False,
    ) -> T:
        """The answer in its shape; without `writes`, what is unknown is transient."""
        with observed(self._observe, service, action):
            try:
                return shaped(f"{service}.{action}", self._call(service, action, params), shape)
            except KalturaError as error:
                raise (error if writes else harmless(error)) from None

    def _call(self, service: str, action: str, params: Mapping[str, object]) -> object:
        """Under the shared session; when Kaltura refuses that, once more under a new one."""
        ks = self._sessions.current()
        try:
            return self._exchange(service, action, params, ks)
        except SessionRefused:
            return self._exchange(service, action, params, self._sessions.renew(ks))

    def _exchange(self, service: str, action: str, params: Mapping[str, object], ks: str) -> object:
        return exchange(
            self._http,
            self._sessions.gate,
            service,
            action,
            {**params, "ks": ks},
            hide=(ks,),
            total=self._total,
            max_bytes=self._max_bytes,
        )


def filtered(object_type: str, values: Mapping[str, object]) -> dict[str, object]:
    """A filter of a list. Kaltura takes an empty value for no filter at all and answers everything (exchange 539)."""
    return {"objectType": object_type, **{name: given(name, value) for name, value in values.items()}}


def given(name: str, value: T) -> T:
    """`value`, unless Kaltura would take it for nothing."""
    if not value or (isinstance(value, str) and not value.strip(" ,\t\r\n")):
        raise ValueError(f"an empty {name} would match everything")
    return value
