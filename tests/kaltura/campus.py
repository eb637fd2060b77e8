"""Many who ask one Kaltura at once, on a clock of their own."""

from concurrent.futures import ThreadPoolExecutor

from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError, Transient
from app.kaltura.gate import Gate
from app.kaltura.session import Credentials, Sessions
from app.kaltura.transport import http_client
from app.kaltura.types import Resource
from app.sandbox.seed.seed import ADMIN_SECRET, PARTNER_ID, RESOURCE_ID
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport

THREADS = 20


class Campus:
    """Twenty clients of one sandbox behind one gate, on a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sandbox = Sandbox()
        self.transport = SandboxTransport(self.sandbox)
        gate = Gate(1e6, clock=lambda: self.now, sleep=self.passes)
        http = [http_client("http://sandbox", transport=self.transport) for _ in range(THREADS + 1)]
        credentials = Credentials(PARTNER_ID, admin_secret=ADMIN_SECRET)
        self.sessions = Sessions(http.pop(), credentials, gate=gate, clock=lambda: self.now)
        self.clients = [KalturaClient(own, self.sessions) for own in http]

    def passes(self, seconds: float) -> None:
        self.now += seconds

    def ask(self, client: KalturaClient) -> Resource | KalturaError | None:
        """Each asks something else: what one call meets again and again is its own trouble."""
        try:
            return client.list_resources(ids=[RESOURCE_ID, 1_000_000 + self.clients.index(client)])[0]
        except KalturaError as error:
            return error

    def all_ask(self) -> list[Resource | KalturaError | None]:
        """What each of the twenty gets when all ask at once."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self.ask, self.clients))

    def all_keep_asking(self, seconds: float) -> int:
        """Each asks whenever it is told to come again, for a while or until it is answered. How many were."""
        until, due, answered = self.now + seconds, [(self.now, n) for n in range(THREADS)], 0
        while due and (first := min(due))[0] < until:
            due.remove(first)
            self.now, number = first
            got = self.ask(self.clients[number])
            if isinstance(got, Transient):
                due.append((self.now + (got.retry_after if got.retry_after and got.outage else 1.0), number))
            else:
                answered += isinstance(got, Resource)
        self.now = until if due else self.now
        return answered

    @property
    def calls(self) -> int:
        return len(self.sandbox.requests())

    def fault(self, name: str, service: str = "*", **more: object) -> None:
        self.sandbox.set_faults({"faults": [{"fault": name, "service": service, **more}]})

    def heal(self) -> None:
        self.sandbox.set_faults({})
