"""Where a webhook may be sent to: nowhere inside, however the address is spelt.

The address must be https, or this machine's own by its plain name (`localhost`, `127.0.0.1`, `[::1]`). The host's name
is looked up at each delivery; every address that it has must be one of the open internet, or lie in a network that the
operator has named; and the connection goes to an address that was checked (app/webhooks/exchange.py). So nothing
depends on what a name meant yesterday, nor on how an address can be written: what counts is where it leads.
"""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

LONGEST = 2000  # characters
DEFAULT_PORTS = {"https": 443, "http": 80}
OWN = frozenset({"localhost", "127.0.0.1", "::1"})

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LookUp = Callable[[str, int], Sequence[str]]

_PLAIN = re.compile(r"[!-\[\]-~]+")  # printable ASCII without space and backslash, which parsers differ about
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f.:]+")  # a name, or an address without a zone
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits


class NotAllowed(Exception):  # noqa: N818
    """Nothing is sent there. The text says why, in words that show no address."""


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook's address, read once: what is checked is what is connected to."""

    scheme: str
    host: str
    port: int
    path: str  # with the query
    is_own: bool  # this machine, by its plain name

    @property
    def shown(self) -> str:
        """Without the query, which may hold a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = self.path.partition("?")
        return f"{self.scheme}://{host}:{self.port}{path[0]}{'?…' if path[1] else ''}"


def read(url: str) -> Target:
    """Raises ValueError, in a sentence that does not repeat the address, for one that nothing may be sent to."""
    if not _PLAIN.fullmatch(url) or len(url) > LONGEST:
        raise ValueError(f"The address must be at most {LONGEST} plain characters, without spaces and backslashes.")
    try:
        parts = httpx.URL(url)
        host = parts.raw_host.decode("ascii").strip("[]").lower()
        port = DEFAULT_PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except (httpx.InvalidURL, ValueError):
        raise ValueError("The address is none: it must look like https://campus.example/lectern.") from None
    if parts.scheme not in DEFAULT_PORTS or not _HOST.fullmatch(host) or not 0 < port < 65536:
        raise ValueError("The address must begin with https:// and name a host.")
    if parts.userinfo or parts.fragment or "@" in parts.netloc.decode("ascii"):
        raise ValueError("The address must have no user, no password and no fragment.")
    is_own = host in OWN
    if parts.scheme == "http" and not is_own:
        raise ValueError("The address must be https://, but for this machine's own (localhost, 127.0.0.1 or [::1]).")
    return Target(parts.scheme, host, port, parts.raw_path.decode("ascii"), is_own)


def look_up(host: str, port: int) -> list[str]:
    """Every address of the host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def allowed(target: Target, found: Sequence[str], networks: Sequence[Network] = ()) -> list[str]:
    """The addresses that were found for the target, all of which may be connected to.

    One that may not is enough to refuse all of them: a name that leads both in and out is a trick, or a mistake.
    Raises NotAllowed.
    """
    addresses = [ip_address(each.partition("%")[0]) for each in found]
    if not addresses:
        raise NotAllowed("its host has no address")
    if target.is_own:
        if not all(each.is_loopback for each in addresses):
            raise NotAllowed("its host is not this machine")
    elif not all(is_outside(each) or _in(each, networks) for each in addresses):
        raise NotAllowed("its host has an address inside, of a network that LECTERN_WEBHOOK_NETWORKS does not name")
    return list(found)


def is_outside(address: Address) -> bool:
    """Whether it is one of the open internet; of what wraps an IPv4 address, whether that is."""
    if isinstance(address, IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or _nat64(address)
        if wrapped:
            return is_outside(wrapped)
        if address in IPv6Network("::/96"):  # IPv4-compatible, long abandoned (RFC 4291, 2.5.5.1)
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _nat64(address: IPv6Address) -> IPv4Address | None:
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in each for each in networks)
