"""Whatever is sent, the answer is one that `openapi.json` describes.

Schemathesis makes requests from that document, over the service in this process: its examples, the edges of every
schema, good and bad ones at random, and sequences in which one answer feeds the next request. The seed and the
number of cases are told at the end of a run; FUZZ_SEED and FUZZ_EXAMPLES choose others.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineEvent, FatalError, NonFatalError, ScenarioFinished
from schemathesis.python import asgi

from app.http.headers import EVERY
from app.main import create_app
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.service import settings

SEED = int(os.environ.get("FUZZ_SEED", "20270113"))
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))  # of each operation and phase, at most
KEY = "fuzzing-key-0123456789abcdef0123456789"

CONFIG: dict[str, Any] = {
    "seed": SEED,
    "request-timeout": 40,  # seconds: it may ask to wait for thirty
    "generation": {"max-examples": EXAMPLES, "database": "none"},
    "phases": {"stateful": {"enabled": True}},
    "headers": {"Authorization": f"Bearer {KEY}"},
    "checks": {
        # A schema cannot say that a day exists, a room is free or an ETag is the latest one.
        "positive_data_acceptance": {"enabled": False},
        # A recording that was cancelled can still be looked at.
        "use_after_free": {"enabled": False},
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429"]
        },
    },
}


@contextmanager
def api(folder: Path) -> Iterator[Any]:
    """The service's own document; its requests go straight into the service, which Schemathesis starts."""
    sandbox = Sandbox()
    app = create_app(
        settings(folder, api_keys=f"registrar={KEY}", requests_per_minute=0), transport=SandboxTransport(sandbox)
    )
    try:
        yield schemathesis.openapi.from_asgi("/openapi.json", app, config=SchemathesisConfig.from_dict(CONFIG))
    finally:
        asgi.shutdown_lifespans()
        sandbox.close()


def broken(event: EngineEvent) -> Iterator[str]:
    """What an event of the run says against the service."""
    if isinstance(event, NonFatalError | FatalError):
        yield f"the run itself: {event}"
    if isinstance(event, ScenarioFinished):
        for node in (node for nodes in event.recorder.checks.values() for node in nodes):
            if found := node.failure_info:
                yield f"{node.name}: {found.failure.title}: {found.failure.message}\n{found.code_sample}"
        for case, sent in event.recorder.interactions.items():
            if sent.response is None:
                yield f"no answer: {event.recorder.label} {case}"
            elif missing := set(EVERY) - {name.title() for name in sent.response.headers} - {"X-Content-Type-Options"}:
                yield f"without {missing}: {event.recorder.label} {case}"


def test_every_answer_is_as_described(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    cases, wrong = Counter[str](), dict[str, None]()
    with api(tmp_path) as schema:
        operations = {operation.ok().label for operation in schema.get_all_operations()}
        for event in from_schema(schema).execute():
            wrong |= dict.fromkeys(broken(event))
            if isinstance(event, ScenarioFinished):
                cases.update(node.value.operation.label for node in event.recorder.cases.values())
    record_property("Schemathesis", f"seed {SEED}, {cases.total()} cases over {len(cases)} operations")
    assert list(wrong) == [], "\n\n".join([f"FUZZ_SEED={SEED}", *wrong])
    assert set(cases) == operations
    assert cases.total() > 20 * len(operations)
