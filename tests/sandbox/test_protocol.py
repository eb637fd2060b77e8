"""The wire: where parameters come from, multirequest, and what PHP makes of values."""

import json
from typing import Any

import httpx
import pytest

from tests.sandbox.kaltura import HOUR, MONDAY, Kaltura, event

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def send(kaltura: Kaltura, path: str, content: str = "", headers: dict[str, str] | None = None) -> httpx.Response:
    return kaltura.client.post(f"/api_v3{path}", content=content.encode(), headers=headers or JSON)


@pytest.mark.parametrize(
    ("path", "content", "headers"),
    [
        ("/service/system/action/ping", '{"format": 1}', JSON),
        ("/service/system/action/ping/", '{"format": 1}', {"Content-Type": "Application/JSON"}),
        ("/index.php", '{"format": 1, "service": "SYSTEM", "action": "Ping"}', JSON),
        ("/?service=system&action=ping", "format=1", FORM),
        ("/service/system/action/ping/format/1", "", JSON),
        ("/service/nope/action/ping?service=system&format=1", "", JSON),
    ],
)
def test_parameters_come_from_path_query_and_body(
    kaltura: Kaltura, path: str, content: str, headers: dict[str, str]
) -> None:
    assert send(kaltura, path, content, headers).text == "true"


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        ('{"format": 1}', {"Content-Type": "application/json; charset=utf-8"}),
        ('{"format": 1}', {"Content-Type": "text/plain"}),
        ('{"format": 1', JSON),
        ('{"format": 1, "x": NaN}', JSON),
        ("[1]", JSON),
        ('{"format": 1, "x": "\\ud800"}', JSON),
    ],
)
def test_a_body_that_cannot_be_read_is_ignored_so_the_answer_is_xml(
    kaltura: Kaltura, content: str, headers: dict[str, str]
) -> None:
    response = send(kaltura, "/service/schedule_scheduleEvent/action/list", content, headers)
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert "<code>SERVICE_FORBIDDEN</code>" in response.text
    assert "schedule_scheduleevent-&gt;list" in response.text


@pytest.mark.parametrize("key", ["scheduleEvent:{}", "scheduleEvent[{}]"])
def test_forms_nest_by_colons_and_brackets(kaltura: Kaltura, key: str) -> None:
    fields = {key.format(name): value for name, value in event(summary="ü & é").items()}
    response = kaltura.client.post(
        "/api_v3/service/schedule_scheduleEvent/action/add", data={"ks": kaltura.ks, "format": "1", **fields}
    )
    assert response.json()["summary"] == "ü & é"


@pytest.mark.parametrize(
    ("sent", "kept"), [(42, "42"), (1.5, "1.5"), (True, "1"), (["a"], "Array"), ({"a": 1}, "Array"), (None, None)]
)
def test_texts_are_cast(kaltura: Kaltura, sent: object, kept: str | None) -> None:
    sent_event = event() | {"summary": sent}
    assert kaltura("schedule_scheduleEvent", "add", scheduleEvent=sent_event).get("summary") == kept


@pytest.mark.parametrize(("sent", "read"), [("abc", 0), ("", 0), (None, 0), ([], 0), (-1, -1), ("12x", 12), (7.9, 7)])
def test_numbers_are_cast(kaltura: Kaltura, sent: object, read: int) -> None:
    answer = kaltura("schedule_scheduleEvent", "get", scheduleEventId=sent)
    assert answer["args"] == {"ID": str(read)}


@pytest.mark.parametrize("sent", [10**30, -(10**30), "9" * 50, "1e999", 1e308])
def test_numbers_beyond_all_bounds_find_nothing(kaltura: Kaltura, sent: object) -> None:
    assert kaltura("schedule_scheduleEvent", "get", scheduleEventId=sent)["code"] == "INVALID_OBJECT_ID"
    assert kaltura.events(resourceIdEqual=sent, startDateGreaterThanOrEqual=sent)["totalCount"] == 0


def test_errors_are_objects_of_texts_or_an_empty_list(kaltura: Kaltura) -> None:
    assert kaltura("nope", "list") == {
        "code": "SERVICE_DOES_NOT_EXISTS",
        "message": 'Service "nope" does not exists',
        "objectType": "KalturaAPIException",
        "args": {"SRV_NAME": "nope"},
    }
    assert kaltura.add_event(startDate=None)["args"] == []


class TestMultirequest:
    def many(self, kaltura: Kaltura, *steps: dict[str, Any], first: int = 1) -> Any:
        numbered = {str(first + position): step for position, step in enumerate(steps)}
        return kaltura("multirequest", "", **numbered)

    def step(self, name: str, **params: Any) -> dict[str, Any]:
        service, _, action = name.partition(".")
        return {"service": service, "action": action, **params}

    @pytest.mark.parametrize("first", [0, 1])
    def test_steps_use_the_results_of_earlier_ones(self, kaltura: Kaltura, first: int) -> None:
        made, linked, listed = self.many(
            kaltura,
            self.step("schedule_scheduleEvent.add", scheduleEvent=event(referenceId="chain")),
            self.step(
                "schedule_scheduleEventResource.add",
                scheduleEventResource={"eventId": f"{{{first}:result:id}}", "resourceId": 0},
            ),
            self.step("schedule_scheduleEvent.list", filter={"idIn": f"{{{first}:result:id}},9"}),
            first=first,
        )
        assert linked["eventId"] == made["id"] == listed["objects"][0]["id"]

    def test_a_failed_step_is_followed_by_the_others_and_referred_to_as_nothing(self, kaltura: Kaltura) -> None:
        failed, made, ping = self.many(
            kaltura,
            self.step("media.get", entryId="0_nope"),
            self.step("schedule_scheduleEvent.add", scheduleEvent=event(templateEntryId="{1:result:id}")),
            self.step("system.ping"),
        )
        assert (failed["code"], made["templateEntryId"], ping) == ("ENTRY_ID_NOT_FOUND", "", True)

    @pytest.mark.parametrize("reference", ["{1:result:code}", "{2:result:nope}"])
    def test_some_references_are_fatal_yet_what_was_done_is_done(self, kaltura: Kaltura, reference: str) -> None:
        response = kaltura.post(
            "multirequest",
            "",
            **{
                "1": self.step("media.get", entryId="0_nope"),
                "2": self.step("system.ping"),
                "3": self.step("schedule_scheduleEvent.add", scheduleEvent=event()),
                "4": self.step("media.get", entryId=reference),
            },
        )
        assert (response.status_code, response.content) == (500, b"")
        assert kaltura.events()["totalCount"] == 1

    def test_a_gap_ends_it(self, kaltura: Kaltura) -> None:
        ping = self.step("system.ping")
        assert kaltura("multirequest", "", **{"1": ping, "3": ping}) == [True]
        assert kaltura("multirequest", "", **{"1": ping, "2": {"service": "system"}, "3": ping}) == [True]
        assert kaltura("multirequest", "", **{"2": ping}) == []


def test_a_response_profile_shows_a_childs_parent_when_all_fields_are_its_own(kaltura: Kaltura) -> None:
    rule = {"frequency": "weeks", "count": 2, "timeZone": "UTC"}
    made = kaltura.add_event(recurrenceType=1, recurrence=rule, endDate=MONDAY + HOUR)

    def listed(fields: str) -> list[Any]:
        profile = {"objectType": "KalturaDetachedResponseProfile", "type": 1, "fields": fields}
        answer = kaltura(
            "schedule_scheduleEvent", "list", filter={"parentIdEqual": made["id"]}, responseProfile=profile
        )
        return list(answer["objects"])

    assert [one["id"] for one in listed("id,status")] == [made["id"]] * 2
    assert [set(one) for one in listed("id,summary")] == [{"id", "summary", "objectType"}] * 2


def test_answers_are_plain_json(kaltura: Kaltura) -> None:
    response = kaltura.post("system", "getVersion")
    assert (response.headers["Content-Type"], json.loads(response.content)) == (
        "application/json; charset=utf-8",
        "Venus-22.19.0",
    )
