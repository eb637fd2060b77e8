"""Each receiver gets each notice at least once, in order for each recording, whatever it or its neighbours do."""

import threading
from collections.abc import Callable
from time import monotonic

import pytest

from app.database.database import Database
from app.webhooks import receivers
from app.webhooks.exchange import Sender
from app.webhooks.store import TROUBLE
from tests.service import eventually
from tests.webhooks.conftest import Post
from tests.webhooks.receiver import Receiver, in_order, receiving

pytestmark = pytest.mark.both_databases

A, B = "rec_a", "rec_b"


@pytest.mark.parametrize("behaviour", ["fail", "redirect", "hold", "trickle", "cut", "flood_head"])
def test_a_receiver_that_is_ill_for_a_while_gets_each_notice_in_order(post: Post, behaviour: str) -> None:
    receiver = post.receiver(behaviour=behaviour)
    post.tell(A, B, A, B, A)
    post.deliver()
    eventually(lambda: len(receiver.tries) > TROUBLE, 30.0)
    receiver.behaviour = "take"
    receiver.free.set()
    eventually(lambda: len(receiver.told()) == 5, 30.0)
    assert receiver.of(A) == [1, 3, 5]
    assert receiver.of(B) == [2, 4]
    assert receiver.elsewhere == []
    eventually(lambda: post.undelivered() == [] and post.webhook().failures == 0)


def test_a_receiver_that_is_away_for_a_while_gets_each_notice_in_order(post: Post) -> None:
    receiver = Receiver()
    with receiving(receiver):
        post.subscribe(receiver)
        post.deliver()
        post.tell(A)
        eventually(lambda: receiver.of(A) == [1])
    post.tell(B, A, A, B)
    eventually(lambda: post.webhook().failures > TROUBLE)
    with receiving(receiver):
        eventually(lambda: len(receiver.told()) == 5)
        eventually(lambda: post.undelivered() == [])
    assert (receiver.of(A), receiver.of(B)) == ([1, 3, 4], [2, 5])


def test_a_receiver_that_is_ill_delays_no_other(post: Post, record_property: Callable[[str, object], None]) -> None:
    """One is in the middle of an exchange, and stays there, while the other gets all of its own."""
    ill, well = post.receiver(behaviour="hold"), post.receiver()
    post.tell(A)
    post.deliver(Sender(seconds=20.0))
    eventually(lambda: ill.tries != [])
    begun = monotonic()
    post.tell(B, A, B)
    eventually(lambda: len(well.taken) == 4)
    record_property("three notices beside a receiver that hangs", f"{monotonic() - begun:.2f} s")
    assert ill.taken == []


def test_a_notice_that_is_refused_holds_up_its_own_recording_alone(post: Post) -> None:
    receiver = post.receiver()
    receiver.refuses = lambda notice: notice["data"]["subject"] == A
    post.deliver()
    post.tell(A, B, A, B, B)
    eventually(lambda: receiver.of(B) == [2, 4, 5])
    assert post.undelivered() == [(1, False), (3, False)]
    receiver.refuses = lambda _notice: False
    eventually(lambda: receiver.of(A) == [1, 3])
    assert len(receiver.taken) == 5, "each once: nothing was ever lost"


def test_recordings_that_are_refused_for_ever_hold_up_no_other(post: Post) -> None:
    """As many as make a receiver one in trouble, each of them due again before anything else is."""
    receiver = post.receiver()
    receiver.refuses = lambda notice: notice["data"]["subject"] != B
    post.deliver(pauses=(0.0,))
    post.tell(*(f"refused_{number}" for number in range(TROUBLE + 1)), B)
    eventually(lambda: receiver.of(B) == [TROUBLE + 2])
    post.tell(B)
    eventually(lambda: receiver.of(B) == [TROUBLE + 2, TROUBLE + 3])


def test_a_notice_waits_for_the_one_before_it_though_it_would_be_taken_itself(post: Post) -> None:
    receiver = post.receiver()
    receiver.refuses = lambda notice: notice["data"]["number"] == 1
    post.deliver()
    post.tell(A, B, A, B)
    eventually(lambda: receiver.of(B) == [2, 4])
    assert receiver.of(A) == []
    receiver.refuses = lambda _notice: False
    eventually(lambda: receiver.of(A) == [1, 3])


def test_after_a_few_tries_in_vain_it_is_one_try_now_and_then(post: Post) -> None:
    """A receiver that is away is not asked for each of a thousand notices."""
    receiver = post.receiver(behaviour="fail")
    post.tell(*(f"rec_{number}" for number in range(20)))
    post.deliver(pauses=(3600.0,))
    eventually(lambda: post.webhook().failures == TROUBLE)
    eventually(lambda: post.webhook().owner is None)
    assert len(receiver.tries) == TROUBLE
    assert len(post.undelivered()) == TROUBLE, "the others wait without a row"
    receiver.behaviour = "take"
    with post.database.write() as session:
        receivers.retry(session, post.webhook().id)
    eventually(lambda: len(receiver.told()) == 20)


def test_what_is_tried_for_too_long_is_given_up_on_and_kept_for_retry(post: Post) -> None:
    receiver = post.receiver(behaviour="fail")
    post.tell(A, A, B, "rec_c")
    post.deliver(patience=0.0)
    eventually(lambda: post.undelivered() == [(number, True) for number in (1, 2, 3, 4)])
    receiver.behaviour = "take"
    post.tell(A)
    eventually(lambda: receiver.of(A) == [5])
    with post.database.write() as session:
        assert receivers.retry(session, post.webhook().id) == 4
    eventually(lambda: post.undelivered() == [])
    assert sorted(receiver.of(A)) == [1, 2, 5]
    assert receiver.of(B) == [3]


def test_what_waited_for_too_long_while_its_receiver_rested_is_given_up_on_too(post: Post) -> None:
    """Not each by a try of its own, which would take as many rests as there are notices."""
    receiver = post.receiver(behaviour="fail")
    post.tell(*(f"rec_{number}" for number in range(20)))
    post.deliver(patience=0.0, pauses=(3600.0,))
    eventually(lambda: len(post.undelivered()) == 20)
    assert all(given_up for _, given_up in post.undelivered())
    assert len(receiver.tries) == TROUBLE


def test_a_client_s_receiver_is_told_of_what_it_wants_of_its_own(post: Post) -> None:
    mine, stuck = post.receiver("recording.*"), post.receiver("recording.stuck,finding.raised")
    every, other = post.receiver(client=None), post.receiver(client="library")
    post.deliver()
    for kind in ("recording.scheduled", "recording.stuck", "finding.raised", "calendar.applied"):
        post.tell(A, kind=kind)
    post.tell(B, kind="recording.stuck", client="library")
    post.tell("mirror", kind="finding.raised", client=None)
    post.tell(A, kind="recording.cancelled")
    eventually(lambda: len(every.taken) == 7)
    assert [one["client"] for one in every.taken].count(None) == 1
    eventually(lambda: mine.told() == ["recording.scheduled", "recording.stuck", "recording.cancelled"])
    eventually(lambda: stuck.told() == ["recording.stuck", "finding.raised"])
    eventually(lambda: other.told() == ["recording.stuck"])
    assert {one["client"] for one in (*mine.taken, *stuck.taken)} == {"registrar"}


def test_a_new_receiver_is_told_of_nothing_older(post: Post) -> None:
    post.tell(A)
    receiver = post.receiver()
    post.deliver()
    post.tell(A)
    eventually(lambda: receiver.of(A) == [2])


def test_a_revoked_receiver_is_told_nothing_more_and_its_secret_is_forgotten(post: Post) -> None:
    receiver = post.receiver(behaviour="fail")
    delivering = post.deliver()
    post.tell(A)
    eventually(lambda: len(receiver.tries) > 1)
    with post.database.write() as session:
        receivers.revoke(session, post.webhook().id)
    eventually(lambda: post.undelivered() == [])
    delivering.stop(20.0)  # what was on its way has come to its end
    receiver.behaviour = "take"
    post.deliver()
    post.tell(A)
    other = post.receiver()
    post.tell(B)
    eventually(lambda: other.of(B) == [3])
    assert receiver.taken == []


def test_several_processes_work_for_a_receiver_one_at_a_time(post: Post) -> None:
    receiver = post.receiver()
    for owner in ("one", "two", "three"):
        post.deliver(owner=owner)
    threads = [threading.Thread(target=post.tell, args=[f"rec_{number}"] * 20) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(receiver.taken) == 60)
    assert all(
        in_order([one["data"]["number"] for one in receiver.taken if one["data"]["subject"] == subject])
        for subject in ("rec_0", "rec_1", "rec_2")
    )


def test_who_died_in_the_middle_is_followed_by_another_and_comes_too_late_itself(post: Post) -> None:
    """What it had sent without noting it is sent again."""
    receiver = post.receiver()
    post.tell(A)
    dead = post.store.claim()
    assert dead is not None
    assert post.store.go_on(dead, None) is not None
    assert post.store.claim() is None, "it is another's"
    end_of_lease(post.database)
    post.deliver(owner="other")
    eventually(lambda: receiver.of(A) == [1])
    assert post.store.go_on(dead, None) is None


def end_of_lease(database: Database) -> None:
    with database.write() as session:
        session.connection().exec_driver_sql("UPDATE webhook SET lease_until = 0")


def test_a_stop_gives_each_receiver_back(post: Post) -> None:
    receiver = post.receiver()
    working = post.deliver()
    post.tell(A)
    eventually(lambda: receiver.of(A) == [1])
    working.stop(10.0)
    assert post.webhook().owner is None
