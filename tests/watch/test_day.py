"""A day of sessions, with everything that can go wrong on it; commands are real, time is not."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from tests.watch.conftest import MORNING
from tests.watch.world import Encoder, World

Make = Callable[..., Encoder]
SLOT = 30 * 60.0
LATE = 2.0  # seconds, at most


def uid(number: int) -> str:
    return f"s{number:02}"


def start(number: int) -> float:
    return MORNING + 3600 + number * SLOT


def test_a_day_of_twenty_sessions_is_recorded_to_the_second(
    world: World, encoder: Make, record_property: Callable[[str, object], None]
) -> None:
    """Moved, cut, extended, cancelled; the service gone, then away; watch killed; the host's clock five minutes off."""
    truth: dict[str, tuple[float, float]] = {}
    for number in range(20):
        length = 30 if number % 3 == 0 else 25  # some follow each other at once
        world.book(uid(number), start(number), length)
        truth[uid(number)] = start(number), start(number) + length * 60

    def change(number: int, begins: float, ends: float, when: float) -> None:
        def move() -> None:
            world.book(uid(number), begins, (ends - begins) / 60)

        world.at(when, move)
        truth[uid(number)] = begins, ends

    change(2, start(2) + 300, start(2) + 1500, start(1))  # moved before it begins
    change(4, start(4), start(4) + 900, start(4) + 600)  # cut short while it runs
    change(5, start(5), start(5) + 1750, start(5) + 1400)  # extended while it runs
    change(8, start(19) + 7200, start(19) + 9000, start(7))  # put off to the evening
    world.at(start(9) + 700, lambda: world.sessions.pop(uid(9)))  # cancelled while it runs
    truth[uid(9)] = start(9), start(9) + 700 + 60  # which is noticed by the next poll
    world.at(start(10) - 900, lambda: world.sessions.pop(uid(10)))  # in another room now
    del truth[uid(10)]

    host = encoder(wrong=300.0)
    host.until(start(11) + 100)  # one is being recorded
    world.mode = "gone"
    host.boot()  # killed, and started again, and nobody is there to ask
    host.until(start(12) + 200)
    host.boot()
    host.until(start(13) + 200)  # an hour
    world.mode = "away"
    host.until(start(15) + 100)
    world.mode = "up"
    host.until(start(19) + 3600)
    host.boot()
    host.until(start(19) + 4 * 3600)

    logged = host.logged()
    seen = {(what, of): when for what, of, when in logged}
    assert Counter((what, of) for what, of, _ in logged) == Counter(
        (what, of) for of in truth for what in ("start", "end", "upload")
    )
    off = {
        (what, of): seen[what, of] - when
        for of, (begins, ends) in truth.items()
        for what, when in (("start", begins), ("end", ends))
        if (what, of) != ("end", uid(9))
    }
    assert max(map(abs, off.values())) <= LATE, off
    assert seen["end", uid(9)] <= truth[uid(9)][1] + LATE + 6  # the polls are spread
    assert host.said.count("no answer (ConnectError). I keep what I have, and ask again.") == 2
    record_property("a day of lectern watch: worst seconds off", f"{max(map(abs, off.values())):.2f}")


def test_it_asks_as_an_encoder_should(world: World, encoder: Make) -> None:
    """Once a minute with the ETag; after `Retry-After` when it is told to wait; whole once an hour, for the time."""
    world.book("a", MORNING + 5400, 30)
    host = encoder()
    host.until(MORNING + 5000)
    codes = Counter(code for _, code in world.polls)
    assert codes[200] == 2
    assert 70 <= codes[304] <= 95
    world.mode, world.polls = "away", []
    host.until(MORNING + 5300)
    pauses = {round(later - sooner) for (sooner, _), (later, _) in zip(world.polls, world.polls[1:], strict=False)}
    assert pauses == {30}
    world.mode, world.polls = "up", []
    host.until(MORNING + 5500)
    assert any(MORNING + 5390 <= when < MORNING + 5400 for when, _ in world.polls)


def test_what_is_unclear_is_never_an_empty_schedule(
    world: World, encoder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:

    world.book("a", MORNING + 600, 30)
    host = encoder()
    host.until(MORNING + 60)
    answers = [
        httpx.Response(404), httpx.Response(401), httpx.Response(500), httpx.Response(302, headers={"Location": "/x"}),
        httpx.Response(200, text="<html>Sign in</html>"), httpx.Response(200, json={"occurrences": []}),
        httpx.Response(304),
    ]  # fmt: skip
    service = world.handle
    monkeypatch.setattr(world, "handle", lambda _request: answers.pop() if answers else httpx.Response(500))
    host.until(MORNING + 1200)
    assert [(what, of) for what, of, _ in host.logged()] == [("start", "a")]
    monkeypatch.setattr(world, "handle", service)
    host.until(MORNING + 2500)
    assert [what for what, _, _ in host.logged()] == ["start", "end", "upload"]


def test_before_starts_it_earlier_but_not_while_another_is_recorded(world: World, encoder: Make) -> None:
    world.book("a", MORNING + 600, 10)
    world.book("b", MORNING + 1230, 10)
    host = encoder(before=timedelta(seconds=60))
    host.until(MORNING + 2000)
    starts = {of: when for what, of, when in host.logged() if what == "start"}
    assert abs(starts["a"] - (MORNING + 540)) <= LATE
    assert abs(starts["b"] - (MORNING + 1200)) <= LATE  # when a has ended


def test_its_state_is_told_and_an_older_service_need_not_know(world: World, encoder: Make) -> None:
    world.book("a", MORNING + 300, 10)
    host = encoder()
    host.until(MORNING + 1000)
    told = list(dict.fromkeys(world.states))
    assert told == [("idle", None), ("recording", "a"), ("uploading", "a")]
    assert world.states[-1] == ("idle", None)
    for code in (404, 405):
        world.state_answer = code
        host.until(world.now + 700)
    assert not [line for line in host.said if "was not told" in line]
    world.state_answer = 403
    host.until(world.now + 700)
    assert [line for line in host.said if "was not told" in line] == [
        "The service was not told how I am: 403. I try again."
    ]
    host.watch.leave()
    assert world.states[-1] == ("offline", None)


def test_a_command_that_fails_is_started_again_and_its_trouble_is_told(world: World, encoder: Make) -> None:
    """A device that is still booting when the lecture begins."""
    world.book("a", MORNING + 300, 10)
    host = encoder(
        on_start='echo "start $LECTERN_UID $(cat {now})" >> {log}; test $(grep -c start {log}) -ge 4 || exit 7'
    )
    host.until(MORNING + 800)
    assert [what for what, _, _ in host.logged()] == ["start"] * 4
    assert "The command on-start ended with 7. (Lecture a, a)" in host.said
    assert ("error", "a") in world.states
    assert world.states[-1] == ("recording", "a")


def test_on_stop_is_tried_again_but_not_into_the_next_session(world: World, encoder: Make) -> None:
    failing = 'echo "stop $LECTERN_UID $(cat {now})" >> {log}; exit 1'
    world.book("a", MORNING + 300, 10)
    host = encoder(on_stop=failing)
    host.until(MORNING + 1500)
    assert [what for what, _, _ in host.logged()] == ["start", "end"] + ["stop"] * 5
    world.book("b", MORNING + 2000, 10)
    world.book("c", MORNING + 2600, 10)
    host.until(MORNING + 2700)
    assert [(what, of) for what, of, _ in host.logged()][7:] == [
        ("start", "b"), ("end", "b"), ("stop", "b"), ("start", "c")
    ]  # fmt: skip


def test_what_it_keeps_holds_no_key_and_is_one_resource_s(world: World, encoder: Make) -> None:
    world.book("a", MORNING + 30, 10)
    host = encoder()
    host.until(MORNING + 100)
    assert "secret" not in host.path.read_text() + "".join(host.said)
    assert not list(host.folder.glob("*.new"))


def test_a_disk_that_is_full_stops_no_recording(world: World, encoder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: object, _kept: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.watch.cache.save", full)
    world.book("a", MORNING + 30, 1)
    host = encoder()
    host.until(MORNING + 120)
    assert [what for what, _, _ in host.logged()] == ["start", "end", "upload"]
    assert not [line for line in host.said if line.startswith("Changed")]
    assert len([line for line in host.said if "No space left" in line]) == 1
