"""What a client may not set, may not ask for, and may not make the service work at."""

import time
from collections.abc import Iterator

import pytest

from app.recordings.document.document import EXAMPLE
from tests.service import Json, Lectern, found, lectern, pointers, problem

CPU_SECONDS = 0.05
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("properties")) as running:
        running.made()
        yield running


NOT_YOURS = [
    {"id": "rec_01kantf3wq5m2c7j8e9g0h1k3p"},
    {"status": "cancelled"},
    {"client": "library"},
    {"kaltura": {"template_entry_id": "1_abcd1234", "events": []}},
    {"kaltura_id": 1336592},
    {"template_entry_id": "1_abcd1234"},
    {"chain": {"status": "succeeded"}},
    {"problem": {"code": "stuck"}},
    {"drift": []},
    {"occurrence_count": 0},
    {"created_at": "2027-01-13T14:00:00Z"},
    {"resource": {"system_name": "EXTRON-100-ABC", "id": 1}},
]


def place(field: Json) -> str:
    (name,) = field
    return "/resource/id" if name == "resource" else f"/{name}"


@pytest.mark.parametrize("field", NOT_YOURS, ids=place)
def test_what_is_lectern_s_or_kaltura_s_is_not_writable(service: Lectern, field: Json) -> None:
    (recording,) = service.get("/recordings")["items"]
    where, writes = f"/recordings/{recording['id']}", service.client
    batch = {"changes": [{"id": recording["id"], "patch": field}]}
    answers = {
        "": writes.post("/recordings", json=EXAMPLE | field),
        " of a preview": writes.post("/recordings/preview", json=EXAMPLE | field),
        " of a put": writes.put(f"/recordings/by-reference/{EXAMPLE['reference_id']}", json=EXAMPLE | field),
        " of a patch": writes.patch(where, json=field, headers=MERGE_PATCH),
        " of a batch": writes.post("/recordings/batch", json=batch),
    }
    for how, answer in answers.items():
        told = pointers(problem(answer, 422, "invalid_document"))
        assert [pointer for pointer in told if pointer.endswith(place(field))], how
    assert service.get(where) == recording


@pytest.mark.parametrize("field", ["id", "status", "event_id", "time_zone"])
def test_a_session_s_times_are_all_that_is_writable(service: Lectern, field: str) -> None:
    (recording,) = service.get("/recordings")["items"]
    where = f"/recordings/{recording['id']}/occurrences"
    session = service.get(where)["items"][0]
    answer = service.client.patch(f"{where}/{session['id']}", json={field: session[field]})
    assert pointers(problem(answer, 422, "invalid_document")) == [f"/{field}"]


@pytest.mark.parametrize(
    ("path", "least", "most"),
    [("/recordings", 1, 100), ("/resources/EXTRON-100-ABC/upcoming", 1, 1000)],
)
def test_a_page_has_a_size_that_can_be_paid(service: Lectern, path: str, least: int, most: int) -> None:
    for limit in (least, most):
        found(service.client.get(path, params={"limit": limit}))
    refused: tuple[int | str, ...] = (least - 1, most + 1, 10**30, "all")
    for wrong in refused:
        assert pointers(problem(service.client.get(path, params={"limit": wrong}), 422, "invalid_document")) == [
            "/query/limit"
        ]


@pytest.mark.parametrize(
    "rule",
    [
        {"frequency": "monthly", "month_days": [31], "interval": 12, "until": "2099-12-31"},
        {"frequency": "monthly", "days": ["5MO"], "positions": [5], "count": 1000},
        {"frequency": "daily", "days": ["MO"], "interval": 7, "count": 1000},
        {"frequency": "daily", "interval": 0, "count": 5},
        {"frequency": "weekly", "days": ["MO", "WE"], "count": 10**9},
        {"frequency": "daily", "until": "2099-12-31"},
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20991231",
        "FREQ=MONTHLY;BYMONTHDAY=30;INTERVAL=12;UNTIL=20991231T000000Z",
        "FREQ=SECONDLY;COUNT=1000000",
        "FREQ=DAILY;INTERVAL=0;COUNT=3",
        "FREQ=YEARLY;BYWEEKNO=54;COUNT=10",
        "RRULE:" * 300,
    ],
    ids=str,
)
def test_an_impossible_recurrence_costs_next_to_nothing(service: Lectern, rule: object) -> None:
    """In processor time of client and service together, so that a busy machine decides nothing."""
    wanted = EXAMPLE | {"start": "2027-02-01T09:00:00", "recurrence": rule, "exclude": []}
    spent = list[float]()
    for _ in range(3):
        began = time.process_time()
        problem(service.client.post("/recordings/preview", json=wanted), 422, "invalid_document")
        spent.append(time.process_time() - began)
    assert min(spent) < CPU_SECONDS
