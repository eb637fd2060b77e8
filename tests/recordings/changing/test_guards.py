"""What a change is checked for before it begins: its preconditions, its document, and what else is going on."""

from typing import Any

import pytest
from httpx2 import Response

from app.chains.models import Chain
from tests.recordings.changing.scene import Scene, begun, document, to_come
from tests.service import Lectern, eventually, found, pointers, problem


@pytest.fixture(scope="module")
def unchanged(running: Lectern) -> Scene:
    """A recording that none of the tests that share it changes."""
    return begun(running)


# If-Match


def guarded(scene: Scene, method: str, tag: str) -> Response:
    json = {"title": "New"} if method == "PATCH" else None
    return scene.service.client.request(method, scene.path, json=json, headers={"If-Match": tag})


def etag(scene: Scene) -> str:
    return scene.service.client.get(scene.path).headers["ETag"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("tag", ["{}", "*", '"other", {}', '{} , "other"'])
def test_a_matching_etag_lets_the_change_through(scene: Scene, method: str, tag: str) -> None:
    before = etag(scene)
    answer = guarded(scene, method, tag.format(before))
    found(answer)
    assert answer.headers["ETag"] == etag(scene) != before


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("tag", ['"other"', "W/{}", "", '"*"'])
def test_any_other_etag_is_412_and_nothing_happens(unchanged: Scene, method: str, tag: str) -> None:
    """A weak one never matches (RFC 9110, 13.1.1)."""
    before = unchanged.service.get(unchanged.path)
    problem(guarded(unchanged, method, tag.format(etag(unchanged))), 412, "precondition_failed")
    assert unchanged.service.get(unchanged.path) == before


@pytest.mark.parametrize(
    ("method", "path", "json"), [("PATCH", "", {"title": "New"}), ("DELETE", "", None), ("POST", "/restore", None)]
)
def test_a_change_of_one_session_is_guarded_too(unchanged: Scene, method: str, path: str, json: Any) -> None:
    """Its answer shows the recording's ETag."""
    path, before = f"{unchanged.path}/occurrences/{unchanged.occurrence(13)['id']}{path}", unchanged.occurrences()
    guarded_by = {"If-Match": '"other"'}
    problem(unchanged.service.client.request(method, path, json=json, headers=guarded_by), 412, "precondition_failed")
    assert unchanged.occurrences() == before


def test_a_put_is_guarded_too(scene: Scene) -> None:
    path, other = f"/recordings/by-reference/{scene.reference}", document(scene, title="Other")
    client, read = scene.service.client, etag(scene)
    problem(client.put(path, json=other, headers={"If-Match": '"other"'}), 412, "precondition_failed")
    assert etag(scene) == read
    found(client.put(path, json=other, headers={"If-Match": read}))
    problem(client.put(path + "-2", json={**other, "reference_id": None}, headers={"If-Match": "*"}), 404, "not_found")


def test_two_writers_one_of_whom_read_too_early(scene: Scene) -> None:
    read = etag(scene)
    found(guarded(scene, "PATCH", read))
    problem(guarded(scene, "PATCH", read), 412, "precondition_failed")


@pytest.mark.parametrize("change", ["move", "cancel", "restore", "refused"])
def test_every_change_gives_another_etag(scene: Scene, change: str) -> None:
    before = etag(scene)
    if change == "move":
        scene.move(20, start=scene.local(20, hours=5))
    elif change == "refused":
        scene.patch(categories=["No such"])
    else:
        scene.cancel(20)
    if change == "restore":
        before = etag(scene)
        scene.restore(20)
    assert etag(scene) != before


def test_a_patch_that_changes_nothing_keeps_the_etag_and_asks_nobody(scene: Scene) -> None:
    before = etag(scene)
    patches: list[dict[str, Any]] = [
        {},
        {"title": "Linear Algebra"},
        {"start": scene.local(), "exclude": [], "contact": None},
        {"recurrence": {"days": None, "dates": None}},
    ]
    for patch in patches:
        answer = scene.patch(**patch)
        assert (found(answer)["title"], answer.headers["ETag"]) == ("Linear Algebra", before)
    assert scene.asked() == []


# While something else goes on


@pytest.fixture
def busy(scene: Scene) -> Scene:
    """Its title is being changed to `Slow`, and Kaltura is away."""
    scene.service.fault("http_500", "media", "update")
    slow = scene.service.client.patch(scene.path, json={"title": "Slow"}, headers={"Prefer": "respond-async"})
    found(slow, 202)
    assert int(slow.headers["Retry-After"]) > 0
    return scene


CHANGES: dict[str, Any] = {
    "patch": lambda scene: scene.patch(title="New"),
    "patch back": lambda scene: scene.patch(title="Linear Algebra"),
    "put": lambda scene: put(scene, title="New"),
    "put back": lambda scene: put(scene),
    "move": lambda scene: scene.move(20, start=scene.local(20, hours=5)),
    "cancel": lambda scene: scene.cancel(20),
    "restore": lambda scene: scene.restore(20),
    "batch": lambda scene: scene.service.client.post(
        "/recordings/batch", json={"changes": [{"id": scene.id, "patch": {"title": "New"}}]}
    ),
}


def put(scene: Scene, **changes: Any) -> Response:
    path = f"/recordings/by-reference/{scene.reference}"
    return scene.service.client.put(path, json=document(scene, **changes))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_while_a_chain_runs_another_change_is_409(busy: Scene, change: Any) -> None:
    answer = change(busy)
    problem(answer, 409, "chain_running")
    assert int(answer.headers["Retry-After"]) > 0
    busy.service.heal()
    busy.until_settled()
    assert busy.service.get(busy.path)["title"] == "Slow"
    assert [one["operation"] for one in busy.service.get(f"{busy.path}/history")["items"]] == ["update", "schedule"]
    busy.holds()


def test_a_recording_that_is_being_scheduled_is_not_changed(service: Lectern) -> None:
    scene = to_come(service)
    service.fault("http_500", "media", "add")
    fresh = document(scene, reference_id=None, resource=scene.other)
    scene.recording = found(service.schedule(fresh, prefer="respond-async"), 202)
    problem(scene.patch(title="New"), 409, "chain_running")
    service.heal()
    scene.until_settled()
    scene.changed(title="New")


def test_a_stuck_change_is_taken_up_by_resume(busy: Scene) -> None:
    service = busy.service
    eventually(lambda: service.get(busy.path)["chain"]["status"] == "waiting")
    with service.app.state.database.write() as session:
        chain = session.get_one(Chain, service.get(busy.path)["chain"]["id"])
        chain.tried, chain.next_attempt_at = 1e9, 0.0
        session.add(chain)
    assert service.until(busy.id, "stuck")["problem"]["code"] == "stuck"
    problem(busy.patch(title="New"), 409, "not_changeable")
    problem(put(busy), 409, "not_changeable")
    service.heal()
    shown = found(service.client.post(f"{busy.path}/resume"))
    assert (shown["status"], shown["title"], shown["problem"]) == ("scheduled", "Slow", None)
    busy.holds()


@pytest.mark.parametrize("change", [CHANGES[name] for name in ("patch", "move", "restore", "batch")])
def test_what_is_cancelled_or_failed_is_not_changed(scene: Scene, change: Any) -> None:
    failed = problem(scene.service.schedule(document(scene, reference_id=None)), 409, "schedule_conflict")
    scene.deleted()
    problem(change(scene), 409, "not_changeable")
    scene.recording = scene.service.get(f"/recordings/{failed['recording_id']}")
    scene.uids = scene.occurrences()
    problem(change(scene), 409, "not_changeable")


def test_a_session_of_a_cancelled_recording_is_cancelled_already(scene: Scene) -> None:
    scene.deleted()
    assert found(scene.cancel(20))["status"] == "cancelled"


# The document

BAD: list[tuple[dict[str, Any], str]] = [
    ({"title": None}, "/title"),
    ({"title": ""}, "/title"),
    ({"title": "x" * 257}, "/title"),
    ({"resource": None}, "/resource"),
    ({"start": 5}, "/start"),
    ({"start": None}, "/start"),
    ({"end": "2027-01-13T09:00:00"}, "/end"),
    ({"duration_minutes": None}, "/duration_minutes"),
    ({"duration_minutes": 1441}, "/duration_minutes"),
    ({"time_zone": "America"}, "/time_zone"),
    ({"recurrence": {"until": "2027-01-01"}}, "/recurrence"),
    ({"recurrence": {"count": 0}}, "/recurrence/count"),
    ({"recurrence": {"days": ["XX"]}}, "/recurrence/days/0"),
    ({"recurrence": "FREQ=SECONDLY"}, "/recurrence"),
    ({"exclude": ["2027-02-30"]}, "/exclude/0"),
    ({"nonsense": 1}, "/nonsense"),
    ({"nonsense": None}, "/nonsense"),
    ({"recurrence": {"nonsense": None}}, "/recurrence/nonsense"),
    ({"status": "cancelled"}, "/status"),
    ({"kaltura": {}}, "/kaltura"),
    ({"id": "rec_x"}, "/id"),
    ({"on_conflict": "perhaps"}, "/on_conflict"),
]


@pytest.mark.parametrize(("patch", "pointer"), BAD, ids=str)
def test_a_patch_that_makes_a_bad_document_is_422_and_points_at_it(
    unchanged: Scene, patch: dict[str, Any], pointer: str
) -> None:
    before = unchanged.service.get(unchanged.path)
    assert pointers(problem(unchanged.patch(**patch), 422, "invalid_document")) == [pointer]
    assert unchanged.service.get(unchanged.path) == before


def test_a_misspelt_removal_is_told_what_was_meant(unchanged: Scene) -> None:
    (error,) = problem(unchanged.patch(exclud=None), 422, "invalid_document")["errors"]
    assert error == {"pointer": "/exclud", "detail": "is not a field that is known here: did you mean exclude?"}


@pytest.mark.parametrize("body", [[], "text", 5, None])
def test_a_patch_that_is_no_object_is_422(unchanged: Scene, body: Any) -> None:
    problem(unchanged.service.client.patch(unchanged.path, json=body), 422, "invalid_document")


def test_a_merge_patch_has_a_content_type_of_its_own_and_json_will_do(scene: Scene) -> None:
    sent = {"Content-Type": "application/merge-patch+json"}
    found(scene.service.client.patch(scene.path, content=b'{"title": "New"}', headers=sent))
    found(scene.service.client.patch(scene.path, json={"title": "Newer"}))


def test_a_patch_merges_within_an_object_and_replaces_a_list(service: Lectern) -> None:
    scene = begun(service, holidays=[20])
    shown = scene.changed(recurrence={"count": 20, "interval": 2}, tags=["bb"])
    assert shown["recurrence"] | {"frequency": "daily", "count": 20, "interval": 2} == shown["recurrence"]
    assert shown["tags"] == ["bb"]
    scene.holds()


def test_a_zone_that_is_taken_out_is_the_service_s_own(scene: Scene) -> None:
    assert scene.changed(time_zone=None)["time_zone"] == "UTC"
    scene.holds()


def test_a_patch_that_excludes_everything_is_422(unchanged: Scene) -> None:
    all_of_it = [{"from": unchanged.day(0), "to": unchanged.day(40)}]
    assert pointers(problem(unchanged.patch(exclude=all_of_it), 422, "invalid_document")) == ["/exclude"]


# Rooms and references


def test_an_unknown_room_is_refused_and_named(scene: Scene) -> None:
    shown = problem(scene.patch(resource="NO-SUCH"), 422, "resource_not_found")
    assert pointers(shown) == ["/resource"]
    assert scene.service.get(scene.path)["resource"]["system_name"] == scene.room
    scene.holds()


def test_the_same_room_under_another_name_is_no_change_of_room(scene: Scene) -> None:
    ids = [one["event_id"] for one in scene.scheduled()]
    scene.changed(resource=scene.recording["resource"]["id"])
    assert [one["event_id"] for one in scene.scheduled()] == ids
    assert scene.service.writes() == []
    scene.holds()


def test_a_reference_is_changed_and_the_old_one_is_free(scene: Scene) -> None:
    scene.changed(reference_id=f"{scene.reference}-new")
    assert (
        scene.service.client.put(
            f"/recordings/by-reference/{scene.reference}-new", json=document(scene, reference_id=None)
        ).status_code
        == 204
    )
    another = scene.service.made(document(scene, resource=scene.other))
    assert another["id"] != scene.id


def test_a_reference_that_is_in_use_is_409(scene: Scene) -> None:
    other = begun(scene.service)
    shown = problem(scene.patch(reference_id=other.reference), 409, "reference_in_use")
    assert shown["recording_id"] == other.id
    assert scene.service.get(scene.path)["reference_id"] == scene.reference
    assert scene.asked() == []


def test_a_reference_that_a_change_is_about_to_take_is_in_use_already(busy: Scene) -> None:
    other = begun(busy.service)
    busy.service.fault("http_500", "schedule_scheduleEvent", "update")
    taken: dict[str, Any] = {"reference_id": f"{other.reference}-taken"}
    found(busy.service.client.patch(other.path, json=taken, headers={"Prefer": "respond-async"}), 202)
    answer = busy.service.schedule(document(other, **taken, resource=other.other))
    assert problem(answer, 409, "reference_in_use")["recording_id"] == other.id


def test_a_reference_is_taken_out(scene: Scene) -> None:
    assert scene.changed(reference_id=None)["reference_id"] is None
    scene.service.made(document(scene, resource=scene.other))


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["rec_none", "rec_01kantf3wq5m2c7j8e9g0h1k3p", "%00"])
def test_a_recording_that_is_not_there_is_404(service: Lectern, method: str, path: str) -> None:
    problem(service.client.request(method, f"/recordings/{path}", json={}), 404, "not_found")
