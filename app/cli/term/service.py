"""What the commands ask the service. Everything that goes wrong is a `Trouble` with the exit code that it means."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

ERROR, USAGE, TO_APPLY, BLOCKED, NOT_ALL = 1, 2, 3, 4, 5

TIMEOUT = httpx.Timeout(60.0)
LOOK_EVERY = 0.5  # seconds
PATIENCE = 900.0  # seconds in which a plan is made
TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/jsonl",
}
LOOK_FIRST = ("plan_blocked", "plan_superseded", "plan_expired")

Json = dict[str, Any]


class Trouble(Exception):  # noqa: N818
    """What is said, and what the command ends with."""

    def __init__(self, detail: str, code: int = ERROR, problem: Json | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.problem = problem or {}


class Service:
    def __init__(self, url: str, key: str, term: str, transport: httpx.BaseTransport | None = None) -> None:
        if not url.startswith(("http://", "https://")) or "@" in url or "?" in url:
            raise Trouble("LECTERN_URL must be an address that begins with https:// or http://, without a key.", USAGE)
        self._path = f"/terms/{quote(term, safe='')}"
        headers = {"User-Agent": "lectern-term"} | ({"Authorization": f"Bearer {key}"} if key else {})
        try:
            self._client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT, transport=transport)
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise Trouble("The service's address or the key has characters that cannot be sent.", USAGE) from None

    def close(self) -> None:
        self._client.close()

    def term(self) -> Json:
        return self._json("GET", "")

    def section(self, key: str) -> Json:
        return self._json("GET", f"/sections/{quote(key, safe='')}")

    def plan(self, file: Path, profile: str | None, complete: bool, charset: str | None) -> Json:
        """Sends the file, and waits until the plan is made."""
        kind = "text/csv" if profile else TYPES.get(file.suffix.lower())
        if kind is None:
            raise Trouble(f"{file} must be called .csv, .json, .ndjson or .jsonl, or have a --profile.", USAGE)
        asked = {"profile": profile, "charset": charset, "complete": "true" if complete else None}
        if kind != "text/csv" and any(asked.values()):
            raise Trouble("--profile, --charset and --complete are for CSV files; JSON says `complete` itself.", USAGE)
        query = {name: value for name, value in asked.items() if value is not None}
        with file.open("rb") as content:
            headers = {"Content-Type": kind, "Prefer": "wait=30"}
            plan = self._json("POST", "/plans", params=query, content=_chunks(content), headers=headers)
        until = time.monotonic() + PATIENCE
        while plan["status"] == "making":
            if time.monotonic() > until:
                raise Trouble(f"The plan {plan['id']} is not made yet. Look at it later.")
            time.sleep(LOOK_EVERY)
            plan = self.shown_plan(plan["id"])
        if plan["status"] == "failed":
            raise Trouble((plan["problem"] or {}).get("detail") or "The plan could not be made.", USAGE)
        return plan

    def shown_plan(self, plan_id: str) -> Json:
        return self._json("GET", f"/plans/{quote(plan_id, safe='')}")

    def items(self, plan_id: str, kind: str) -> Iterator[Json]:
        path = f"{self._path}/plans/{quote(plan_id, safe='')}/items"
        try:
            with self._client.stream(
                "GET", path, params={"kind": kind}, headers={"Accept": "application/jsonl"}
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refused(answer)
                for line in answer.iter_lines():
                    if line:
                        yield json.loads(line)
        except httpx.HTTPError as error:
            raise _no_answer(error) from None

    def begin(self, plan_id: str, allow: Sequence[str]) -> Json:
        return self._json("POST", f"/plans/{quote(plan_id, safe='')}/apply", json={"allow": list(allow)})

    def apply(self, apply_id: str) -> Json:
        return self._json("GET", f"/applies/{quote(apply_id, safe='')}")

    def _json(self, method: str, path: str, **more: Any) -> Json:
        try:
            answer = self._client.request(method, self._path + path, **more)
        except httpx.HTTPError as error:
            raise _no_answer(error) from None
        if not answer.is_success:
            raise _refused(answer)
        try:
            shown: Json = answer.json()
        except ValueError:
            raise Trouble("What answers there is not Lectern: see LECTERN_URL.") from None
        return shown


def _chunks(file: Any) -> Iterator[bytes]:
    return iter(lambda: file.read(64 * 1024), b"")


def _no_answer(error: httpx.HTTPError) -> Trouble:
    return Trouble(f"The service does not answer ({type(error).__name__}). Repeat it: what was done is not done twice.")


def _refused(answer: httpx.Response) -> Trouble:
    try:
        problem: Json = answer.json()
        detail = f"{problem['title']}: {problem['detail']}"
        code = problem["code"]
    except (ValueError, KeyError, TypeError):
        return Trouble(f"The service answers {answer.status_code}.")
    about_all = {"pointer": "", "detail": problem["detail"]}  # said already
    errors = [one for one in problem.get("errors", ()) if one != about_all]
    told = "".join(f"\n  {one.get('pointer', '')} {one.get('detail', '')}" for one in errors)
    if code in LOOK_FIRST:
        return Trouble(detail, BLOCKED, problem)
    again = answer.status_code >= 500 or answer.status_code in (409, 429)
    return Trouble(detail + told, ERROR if again else USAGE, problem)
