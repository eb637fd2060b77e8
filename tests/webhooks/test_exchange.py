"""One exchange: a receiver that is not well costs ten seconds and 64 KiB at most, and leads nowhere else."""

from collections.abc import Iterator

import pytest

from app.notices.reading import NoticeView
from app.webhooks import exchange, receivers
from app.webhooks.address import read
from app.webhooks.exchange import Sender, Undeliverable
from app.webhooks.sending import of_no_meaning, send
from tests.webhooks.receiver import Receiver, receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SOON = Sender(seconds=0.5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver(SECRET)) as running:
        yield running


def sent(receiver: Receiver) -> NoticeView:
    notice = of_no_meaning("registrar")
    send(SOON, read(receiver.url), SECRET, notice)
    return notice


def refused(receiver: Receiver) -> str:
    with pytest.raises(Undeliverable) as told:
        sent(receiver)
    return str(told.value)


def test_what_is_sent_is_verified_by_the_official_library(receiver: Receiver) -> None:
    notice = sent(receiver)
    assert receiver.taken == [notice.model_dump(mode="json")]
    assert receiver.taken[0]["type"] == "webhook.test"


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("fail", "It answered 500."),
        ("redirect", "It answered 307, and no redirect is followed."),
        ("hold", "No answer within 0.5 seconds."),
        ("trickle", "No answer within 0.5 seconds."),  # each byte comes in time, the whole does not
        ("cut", "The connection failed (RemoteProtocolError)."),
    ],
)
def test_what_is_not_well_is_said_in_a_sentence(receiver: Receiver, behaviour: str, why: str) -> None:
    receiver.behaviour = behaviour
    assert refused(receiver) == why
    assert len(receiver.tries) == 1
    assert receiver.elsewhere == []


def test_nobody_at_its_address() -> None:
    with receiving(Receiver(SECRET)) as gone:
        pass
    assert refused(gone) == "Nothing listens at its address."


def test_no_certificate() -> None:
    with receiving(Receiver(SECRET)) as plain, pytest.raises(Undeliverable, match="does not speak TLS"):
        SOON.post(read(plain.url.replace("http://127.0.0.1", "https://localhost")), {}, b"{}")


def test_of_an_answer_that_does_not_end_no_more_is_read_than_64_kib(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it was taken is known by then."""
    read_bytes: list[int] = []
    real = exchange._Stream.read

    def counted(self: exchange._Stream, max_bytes: int, timeout: float | None = None) -> bytes:
        data = real(self, max_bytes, timeout)
        read_bytes.append(len(data))
        return data

    monkeypatch.setattr(exchange._Stream, "read", counted)
    receiver.behaviour = "flood"
    sent(receiver)
    assert sum(read_bytes) == exchange.MAX_BYTES


def test_a_head_that_does_not_end_is_no_answer(receiver: Receiver) -> None:
    receiver.behaviour = "flood_head"
    assert refused(receiver)


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    sent(receiver)
    assert len(receiver.taken) == 1


def test_there_are_three_days_and_ten_seconds() -> None:
    """As documented, whatever tests use."""
    assert (Sender().seconds, exchange.MAX_BYTES, receivers.MOST) == (10.0, 65_536, 50)
