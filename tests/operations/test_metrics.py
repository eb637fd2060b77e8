"""`/metrics`: what happens is counted, under few and constant labels, and docs/operating.md says what there is."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from sqlmodel import col

from app.chains.models import Chain
from app.database.types import utc_now
from app.recordings.document.document import EXAMPLE
from app.resources.models import Drift, Mirror
from tests.keys import bearer, key
from tests.service import Lectern, eventually, found, lectern, problem

PAGE = (Path(__file__).parents[2] / "docs/operating.md").read_text(encoding="utf-8")
UPCOMING = "/resources/EXTRON-100-ABC/upcoming"
TEMPLATE = "/resources/{id}/upcoming"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("metrics")) as running:
        yield running


def scraped(service: Lectern) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The samples by name and labels."""
    answer = service.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    samples: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return samples


def value(service: Lectern, name: str, **labels: str) -> float:
    return scraped(service).get(name, {}).get(tuple(sorted(labels.items())), 0.0)


def test_requests_are_counted_by_template_and_status(service: Lectern) -> None:
    name = "lectern_http_requests_total"

    def seen(route: str, status: str, method: str = "GET") -> float:
        return value(service, name, method=method, route=route, status=status)

    before = seen("/recordings/{id}", "404"), seen("none", "404"), seen("/recordings", "422", "POST")
    for number in range(3):
        problem(service.client.get(f"/recordings/rec_{number}"), 404, "not_found")
    service.client.get("/wp-admin.php")
    service.client.request("BREW", "/coffee")
    problem(service.client.post("/recordings", json={}), 422, "invalid_document")
    assert seen("/recordings/{id}", "404") - before[0] == 3
    assert seen("none", "404") - before[1] == 1
    assert seen("none", "404", "OTHER") >= 1
    assert seen("/recordings", "422", "POST") - before[2] == 1
    assert value(service, "lectern_http_request_duration_seconds_count", method="GET", route="/recordings/{id}") >= 3
    assert "rec_" not in service.client.get("/metrics").text


def test_a_mistake_is_counted_as_the_500_that_it_becomes(service: Lectern) -> None:
    kept, service.app.state.database = service.app.state.database, None
    try:
        assert service.client.get("/recordings").status_code == 500
    finally:
        service.app.state.database = kept
    assert value(service, "lectern_http_requests_total", method="GET", route="/recordings", status="500") == 1


def test_an_encoder_that_calls_the_service_by_a_wrong_name_is_counted(tmp_path: Path) -> None:
    """Nothing else shows it: supervisors are answered by any name, and the service is well."""
    with lectern(tmp_path, allowed_hosts="lectern.campus.example") as service:
        problem(service.client.get(UPCOMING), 400, "bad_request")
        assert value(service, "lectern_http_requests_total", method="GET", route="none", status="400") == 1


def test_polls_from_memory_are_counted_too(service: Lectern) -> None:
    service.made({**EXAMPLE, "reference_id": "polled", "start": "2028-01-12T09:00:00", "exclude": []})
    eventually(lambda: service.client.get(UPCOMING).status_code == 200)  # its mirror has read it
    etag = service.client.get(UPCOMING).headers["ETag"]
    counted = {"method": "GET", "route": TEMPLATE, "status": "304"}
    before = value(service, "lectern_http_requests_total", **counted)
    for _ in range(5):
        assert service.client.get(UPCOMING, headers={"If-None-Match": etag}).status_code == 304
    assert value(service, "lectern_http_requests_total", **counted) - before == 5


def test_chains_steps_and_calls_are_counted(service: Lectern) -> None:
    ended = {"operation": "schedule", "status": "succeeded"}
    before = scraped(service)
    service.fault("http_429", "media", "add", times=1)
    recording = service.made({**EXAMPLE, "reference_id": "counted", "start": "2029-01-10T09:00:00", "exclude": []})
    service.heal()
    after = scraped(service)

    def grown(name: str, **labels: str) -> float:
        at = tuple(sorted(labels.items()))
        return after.get(name, {}).get(at, 0.0) - before.get(name, {}).get(at, 0.0)

    assert grown("lectern_chain_duration_seconds_count", **ended) == 1
    for step in recording["chain"]["steps"]:
        name = {"operation": "schedule", "step": step["name"]}
        assert grown("lectern_step_duration_seconds_count", **name) == 1
        assert grown("lectern_step_retries_total", **name) == (step["name"] == "template_entry")
    assert grown("lectern_kaltura_calls_total", action="media.add", outcome="done") == 1
    assert grown("lectern_kaltura_calls_total", action="media.add", outcome="transient") == 1
    assert grown("lectern_kaltura_call_duration_seconds_count", action="media.add") == 2


def test_sign_ins_are_calls(service: Lectern) -> None:
    service.client.get("/resources")  # asks Kaltura, and so signs in
    assert value(service, "lectern_kaltura_calls_total", action="appToken.startSession", outcome="done") >= 1


def test_the_state_of_chains_mirrors_and_drift_is_looked_up(tmp_path: Path, database_url: str) -> None:
    with lectern(tmp_path, database_url=database_url) as service:
        assert value(service, "lectern_chains", status="waiting") == 0
        recording = service.made()
        resource = recording["resource"]["id"]
        service.get(UPCOMING)
        eventually(lambda: value(service, "lectern_mirror_resources") == 1 or None)
        long_ago = utc_now() - timedelta(hours=2)
        with service.app.state.database.write() as session:
            held = {"due_at": None, "fence": col(Mirror.fence) + 1}  # no look is written, not even one under way
            session.execute(update(Mirror).values(as_of=long_ago, failure="because", **held))
            session.execute(update(Chain).values(status="stuck", created_at=long_ago))
            for number, kind in enumerate(("missing", "missing", "moved")):
                drift = {"resource_id": resource, "key": str(number), "booking_id": recording["id"], "kind": kind}
                session.add(Drift(**drift, confirmed=True))
        shown = scraped(service)
        assert shown["lectern_chains"][(("status", "stuck"),)] == 1
        assert shown["lectern_chain_oldest_seconds"][()] == 0, "what is stuck is counted apart"
        assert shown["lectern_mirror_stale_resources"][()] == 1
        assert shown["lectern_mirror_oldest_age_seconds"][()] == pytest.approx(7200, abs=60)
        assert shown["lectern_drift_sessions"][(("kind", "missing"),)] == 2
        assert shown["lectern_drift_recordings"][()] == 1
        mirror = service.get("/readyz")["parts"]["mirror"]
        assert mirror["state"] == "degraded"
        assert "1 of 1 resources" in mirror["detail"]
        assert mirror["detail"].endswith("mostly because: because")


def test_kaltura_away_is_seen(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        service.fault("http_429", retry_after=60)
        service.schedule(prefer="wait=1")
        shown = scraped(service)
        assert shown["lectern_kaltura_breaker_open"][()] == 1
        assert shown["lectern_kaltura_failing_seconds"][()] > 0
        assert shown["lectern_chains"][(("status", "waiting"),)] == 1
        assert shown["lectern_chain_oldest_seconds"][()] > 0


def test_without_its_database_it_tells_what_it_knows(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        service.app.state.database.engine.dispose()
        for file in tmp_path.glob("lectern.db*"):
            file.rename(file.with_name("away" + file.name))
        (tmp_path / "lectern.db").mkdir()
        shown = scraped(service)
        (tmp_path / "lectern.db").rmdir()
    assert shown["lectern_database_up"][()] == 0
    assert "lectern_chains" not in shown
    assert shown["lectern_kaltura_breaker_open"][()] == 0


def test_a_key_that_owns_nothing_may_scrape(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        made = {scope: key(service, "prometheus", scope) for scope in ("recordings:read", "schedule:read")}
        problem(service.client.get("/metrics"), 401, "unauthorized")
        problem(service.client.get("/metrics", headers=bearer(made["schedule:read"])), 403, "forbidden")
        scraper = bearer(made["recordings:read"])
        assert service.client.get("/metrics", headers=scraper).status_code == 200
        assert found(service.client.get("/recordings", headers=scraper))["items"] == []


def test_the_page_explains_every_metric(service: Lectern) -> None:
    explained = set(re.findall(r"^\| `(lectern_\w+)`", PAGE, re.MULTILINE))
    families = text_string_to_metric_families(service.client.get("/metrics").text)
    exposed = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in families
        if family.name.startswith("lectern_")
    }
    assert explained == exposed


def test_the_rules_for_alerts_ask_for_what_there_is(service: Lectern) -> None:
    """A misspelt name or label never fires, and says nothing."""
    (block,) = re.findall(r"```yaml\n(groups:.*?)```", PAGE, re.DOTALL)
    rules = [rule for group in yaml.safe_load(block)["groups"] for rule in group["rules"]]
    assert {"BeforeNineOClock", "ReceiverOfNoticesIsAway"} <= {rule["alert"] for rule in rules}
    samples = scraped(service)
    for rule in rules:
        asked = re.findall(r"\b(lectern_\w+)(?:\{(.*?)\})?", rule["expr"])
        assert asked, rule
        for name, selector in asked:
            assert name in samples, rule
            for label, operator, value in re.findall(r'(\w+)(=~|=)"(.*?)"', selector):
                values = {dict(labels).get(label) for labels in samples[name]}
                assert None not in values, rule
                assert operator == "=~" or value in values, rule
        for label in re.findall(r"\bby \((\w+)\)", rule["expr"]):
            assert label in dict(next(iter(samples[asked[0][0]]))), rule
