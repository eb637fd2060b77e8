"""Each event of a recording has a number that no other ever had: its `referenceId` finds it and nothing else."""

from tests.recordings.changing.scene import Scene
from tests.recordings.changing.test_clocks import references


def numbers(scene: Scene) -> list[str]:
    return [reference.split("-")[2] for reference in references(scene)]


def test_the_number_of_an_event_that_is_gone_is_not_given_again(scene: Scene) -> None:
    for day in (20, 21):
        assert scene.move(day, start=scene.local(day, hours=5)).status_code == 200
        assert scene.cancel(day).status_code == 200  # the event that it was moved to is deleted
    assert len(scene.service.get(scene.path)["kaltura"]["events"]) == 1
    assert scene.restore(20).status_code == 200
    assert numbers(scene) == ["1", "2", "3", "4"]
    scene.holds()


def test_the_last_of_several_numbers_that_a_change_gave_is_not_given_again(scene: Scene) -> None:
    scene.changed(exclude=[scene.day(number) for number in (18, 22, 26)])
    before = len(references(scene))
    scene.changed(exclude=[])  # each comes back in an event of its own
    assert len(references(scene)) > before + 1
    scene.changed(exclude=[scene.day(number) for number in (18, 22, 26)])
    scene.changed(exclude=[])
    assert len(set(numbers(scene))) == len(numbers(scene))
    scene.holds()
