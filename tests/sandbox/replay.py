"""Replays the recorded exchanges in order against an empty sandbox and compares every answer.

`python -m tests.sandbox.replay` reports the disagreements by group. Numbers or group names as arguments show only
those, with what was sent and answered.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from app.sandbox.seed.seed import Partner, Seed
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.sandbox.mapping import LABEL, Mapping
from tests.sandbox.recording import MODES, UNRECORDED, Exchange, Unrecorded, load

SECRETS = {"adminSecret:0": "admin-103", "userSecret:0": "user-103", "adminSecret:1": "admin-104"}
EMPTY = Seed(
    partners=(Partner(103, "admin-103", "user-103"), Partner(104, "admin-104", "user-104")),
    first_ids={"events": 2, "resources": 2},
    entry_prefix="0",
)
EXECUTION_TIME = re.compile(r"<executionTime>[\d.]+</executionTime>")
EVENT_ID = re.compile(r"(scheduleEventId\W+)(\d+)")


@dataclass(frozen=True)
class Outcome:
    exchange: Exchange
    differences: list[str]
    sent: str
    answered: str


def replay() -> Iterator[Outcome]:
    """One outcome for each exchange that is not excluded, in order."""
    exchanges = load()
    times = [exchanges[0].at]
    sandbox = Sandbox(clock=lambda: times[-1], seed=EMPTY)
    mapping = Mapping(SECRETS)
    waiting = list(UNRECORDED)
    with httpx.Client(transport=SandboxTransport(sandbox), base_url="http://kaltura.test") as client:
        for exchange in exchanges:
            while waiting and waiting[0].before <= exchange.n:
                call = waiting.pop(0)
                times.append(call.at or exchange.at)
                _make(client, mapping, call)
            times.append(exchange.at)
            if exchange.n in MODES:
                sandbox.set_faults({"modes": MODES[exchange.n]})
            if not exchange.excluded:
                yield _replayed(client, mapping, exchange)
    sandbox.close()


def _make(client: httpx.Client, mapping: Mapping, call: Unrecorded) -> None:
    """Do what the recorder did without a kept exchange; it must succeed."""
    params = mapping.request({**call.params, "ks": "<KS:A>", "format": 1}, call.service.lower())
    answer = client.post(f"/api_v3/service/{call.service}/action/{call.action}", json=params).json()
    assert answer is None or answer.get("objectType") != "KalturaAPIException", (call.before, answer)
    if isinstance(call.made, int):
        mapping.learn("event" if "scheduleEvent" in call.params else "resource", call.made, answer["id"])
    elif call.made:
        mapping.learn_entry(call.made, answer["id"])


def _replayed(client: httpx.Client, mapping: Mapping, exchange: Exchange) -> Outcome:
    request = _request(client, mapping, exchange)
    sent = f"{request.method} {request.url} {request.content.decode('utf-8', 'replace')}"
    try:
        answer = client.send(request)
    except Exception as error:  # a defect of the sandbox: reported as such, and the replay goes on
        return Outcome(exchange, [f"the sandbox raised {error!r}"], sent, "")
    return Outcome(exchange, list(_differences(mapping, exchange, answer)), sent, answer.text)


def _request(client: httpx.Client, mapping: Mapping, exchange: Exchange) -> httpx.Request:
    http = exchange.http
    params = mapping.request(exchange.params, exchange.service.lower())
    path, _, query = http["path"].partition("?")
    url = EVENT_ID.sub(lambda found: found[1] + str(mapping.id("event", int(found[2]))), path)
    if http.get("query"):
        query = urlencode(list(_flat(params)))
    elif query:
        query = EVENT_ID.sub(lambda found: found[1] + str(mapping.id("event", int(found[2]))), query)
        query = LABEL.sub(lambda found: quote(mapping.text(found[0]), safe=""), query)
    if query:
        url = f"{url}?{query}"
    if "raw_body" in http:
        content = _raw(mapping, http)
    elif http.get("content_type") == "application/x-www-form-urlencoded":
        content = urlencode(list(_flat(params))).encode()
    elif http.get("content_type"):
        content = json.dumps(params, ensure_ascii=False).encode()
    else:
        content = b""
    headers = {"Content-Type": http["content_type"]} if http.get("content_type") else {}
    return client.build_request(http["method"], url, content=content, headers=headers)


def _raw(mapping: Mapping, http: dict[str, Any]) -> bytes:
    """A body that was recorded as it was sent; in a form the session is quoted, its padding recorded apart."""
    body: str = http["raw_body"]
    body = EVENT_ID.sub(lambda found: found[1] + str(mapping.id("event", int(found[2]))), body)
    if http["content_type"] == "application/x-www-form-urlencoded":
        return body.replace("<KS>%3D", quote(mapping.text("<KS>"), safe="")).encode()
    return mapping.text(body).encode()


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested parameters as Kaltura's flat ones: `filter:idEqual`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}:{key}" if name else key)
    else:
        yield name, str(value)


def _differences(mapping: Mapping, exchange: Exchange, answer: httpx.Response) -> Iterator[str]:
    if answer.status_code != exchange.status:
        yield f"HTTP {exchange.status} recorded, {answer.status_code} answered"
    elif exchange.text is not None:
        recorded, actual = (EXECUTION_TIME.sub("", text) for text in (exchange.text, answer.text))
        if recorded != actual:
            yield f"{recorded[:300]!r} recorded, {actual[:300]!r} answered"
    elif exchange.status != 200:
        if answer.content:
            yield f"an empty body recorded, {answer.text[:100]!r} answered"
    else:
        try:
            actual = answer.json()
        except ValueError:
            yield f"no JSON: {answer.text[:200]!r}"
            return
        yield from _compared(mapping, exchange, actual)


def _compared(mapping: Mapping, exchange: Exchange, actual: Any) -> Iterator[str]:
    recorded = exchange.response
    if exchange.service != "multirequest" or not isinstance(recorded, list) or not isinstance(actual, list):
        yield from mapping.differences(recorded, actual, exchange.service.lower())
        return
    if len(recorded) != len(actual):
        yield f"{len(recorded)} results recorded, {len(actual)} answered"
    for index, (one, other) in enumerate(zip(recorded, actual, strict=False)):
        service = exchange.steps[index].get("service", "") if index < len(exchange.steps) else ""
        yield from mapping.differences(one, other, str(service).lower(), f"[{index}]")


def agreement(outcomes: list[Outcome]) -> str:
    agreeing = sum(not outcome.differences for outcome in outcomes)
    return f"replay: {agreeing} of {len(outcomes)} exchanges agree ({agreeing / len(outcomes):.1%})"


def report(chosen: list[str]) -> None:
    outcomes = list(replay())
    for group, members in groupby(outcomes, key=lambda outcome: outcome.exchange.group):
        found = list(members)
        wrong = [outcome for outcome in found if outcome.differences]
        shown = [o for o in wrong if not chosen or str(o.exchange.n) in chosen or group in chosen]
        if not chosen:
            print(f"\n{group}: {len(found) - len(wrong)} of {len(found)}")
        for outcome in shown:
            print(f"  #{outcome.exchange.n} {outcome.exchange.name}")
            for difference in outcome.differences if chosen else outcome.differences[:3]:
                print(f"      {difference}")
            if chosen:
                print(f"      sent: {outcome.sent[:3000]}\n      answered: {outcome.answered[:3000]}")
    print(f"\n{agreement(outcomes)}")


if __name__ == "__main__":
    report(sys.argv[1:])
