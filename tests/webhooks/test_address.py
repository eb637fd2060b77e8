"""Nothing is sent inside, however an address is spelt, whatever a name means, and whoever redirects."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import httpcore
import pytest

from app.webhooks.address import NotAllowed, allowed, is_outside, look_up, read
from app.webhooks.exchange import Sender, Undeliverable

PUBLIC = "https://campus.example/lectern"
INSIDE = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",  # of a provider's own network
    "169.254.169.254",  # where clouds keep their secrets
    "0.0.0.0",  # noqa: S104
    "255.255.255.255",
    "224.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.1.2.3",  # IPv4-mapped
    "::10.1.2.3",  # IPv4-compatible
    "64:ff9b::10.1.2.3",  # NAT64
    "2002:a01:203::1",  # 6to4
    "2001:0:4136:e378:8000:63bf:f5fe:fdfc",  # Teredo
)
# Spellings of addresses inside, as a URL: each is refused when it is read, or when it is looked up.
SPELLINGS = (
    "https://10.1.2.3/",
    "https://2130706433/",  # 127.0.0.1 as one number
    "https://0177.0.0.1/",  # octal
    "https://0x7f.1/",  # hexadecimal, and short
    "https://0/",
    "https://0.0.0.0/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a01:203]/",
    "https://[fe80::1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://127.1/",
)
REFUSED = (
    "http://campus.example/",
    "http://2130706433/",
    "http://127.0.0.2/",
    "http://[::ffff:127.0.0.1]/",
    "https://campus.example@10.1.2.3/",
    "https://user:password@campus.example/",
    "https://campus.example\\@10.1.2.3/",
    "https://10.1.2.3#@campus.example/",
    "https://campus.example/ x",
    "https://campus.example\r\n/",
    "https://ⓒampus.example/",
    "https://[fe80::1%25eth0]/",
    "https://",
    "https:///lectern",
    "https://campus.example:0/",
    "https://campus.example:99999/",
    "ftp://campus.example/",
    "file:///etc/passwd",
    "campus.example",
    "",
    "https://campus.example/" + "x" * 2000,
)


@pytest.mark.parametrize("url", REFUSED)
def test_an_address_that_nothing_may_be_sent_to_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"^The address .+\.$") as told:
        read(url)
    assert "campus" not in str(told.value).replace("campus.example/lectern", "")


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://campus.example/lectern?token=x", "campus.example", 443, "/lectern?token=x"),
        ("HTTPS://Campus.Example:8443", "campus.example", 8443, "/"),
        ("https://203.0.113.7/", "203.0.113.7", 443, "/"),
        ("https://[2606:4700::1]:444/a", "2606:4700::1", 444, "/a"),
        ("http://localhost:8080/", "localhost", 8080, "/"),
        ("http://[::1]/", "::1", 80, "/"),
    ],
)
def test_what_is_read_of_an_address(url: str, host: str, port: int, path: str) -> None:
    target = read(url)
    assert (target.host, target.port, target.path) == (host, port, path)


def test_what_is_shown_of_an_address_is_no_secret() -> None:
    assert read("https://campus.example/lectern?token=x").shown == "https://campus.example:443/lectern?…"


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_none_of_the_open_internet(address: str) -> None:
    assert not is_outside(ip_address(address))
    with pytest.raises(NotAllowed):
        allowed(read(PUBLIC), [address])
    with pytest.raises(NotAllowed):
        allowed(read(PUBLIC), ["8.8.8.8", address])  # one of several is enough


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_an_address_outside_is_one(address: str) -> None:
    assert allowed(read(PUBLIC), [address]) == [address]


def test_a_network_that_the_operator_names_is_allowed_and_no_other() -> None:
    named = [ip_network("10.20.0.0/16")]
    assert allowed(read(PUBLIC), ["10.20.1.1"], named) == ["10.20.1.1"]
    for address in ("10.21.1.1", "127.0.0.1", "::ffff:10.20.1.1"):
        with pytest.raises(NotAllowed):
            allowed(read(PUBLIC), [address], named)


def test_this_machine_s_own_name_leads_nowhere_else() -> None:
    assert allowed(read("http://localhost/"), ["::1", "127.0.0.1"]) == ["::1", "127.0.0.1"]
    for address in ("8.8.8.8", "10.1.2.3"):
        with pytest.raises(NotAllowed):
            allowed(read("http://localhost/"), [address])


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_leads_inside(url: str) -> None:
    """The system's own look-up says where it leads; nothing is connected to."""
    with pytest.raises((ValueError, NotAllowed)):
        allowed(read(url), look_up(read(url).host, 443))


def test_a_name_that_changes_its_address_is_looked_up_once_for_each_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is connected to is the address that was checked, not what the name means a moment later."""
    answers = iter([["8.8.4.4"], ["127.0.0.1"], ["8.8.8.8"]])
    connected: list[str] = []

    def connect(_self: object, host: str, *_given: object, **_more: object) -> None:
        connected.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)

    def changing(_host: str, _port: int) -> Sequence[str]:
        return next(answers)

    sender, target = Sender(look_up=changing), read("https://rebound.example/")
    for _ in range(3):
        with pytest.raises(Undeliverable):
            sender.post(target, {}, b"{}")
    assert connected == ["8.8.4.4", "8.8.8.8"]


def test_a_name_that_cannot_be_looked_up_is_said() -> None:
    def nowhere(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    with pytest.raises(Undeliverable, match="has no address"):
        Sender(look_up=nowhere).post(read(PUBLIC), {}, b"{}")
