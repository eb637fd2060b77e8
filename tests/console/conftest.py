"""The service with its console, and a person who uses it without a browser."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from httpx2 import Response

from tests.keys import key
from tests.service import Lectern, lectern

GIVEN = "console-key-0123456789abcdef0123456789"


@dataclass
class Person:
    """Sends what a browser would: its cookie alone, and forms with what their page has in them."""

    service: Lectern
    cookie: str = ""

    def get(self, path: str, **headers: str) -> Response:
        return self.service.client.get(path, headers=self._headers(headers))

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Response:
        return self.service.client.post(path, data=fields, headers=self._headers(headers))

    def sign_in(self, made: str, to: str = "") -> Response:
        answer = self.post("/console/sign-in", {"key": made, "to": to})
        self.cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
        self.service.client.cookies.clear()
        return answer

    def form(self, path: str) -> dict[str, str]:
        """What is hidden in the page's last form."""
        text = self.get(path).text
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text)
        return {name: html.unescape(value) for name, value in fields}

    def do(self, path: str, **more: str) -> Response:
        """Opens the page that asks, and sends its form."""
        return self.post(path, self.form(path) | more)

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        said = {name.replace("_", "-"): value for name, value in more.items()}
        return said | ({"Cookie": self.cookie} if self.cookie else {})


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    """One that asks for keys."""
    folder = tmp_path_factory.mktemp("console")
    with lectern(folder, api_keys=f"registrar={GIVEN}", time_zone="America/New_York") as running:
        running.client.headers["Authorization"] = f"Bearer {GIVEN}"
        yield running


@pytest.fixture(scope="module")
def open_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("open")) as running:
        yield running


@pytest.fixture
def registrar(service: Lectern) -> Person:
    person = Person(service)
    assert person.sign_in(GIVEN).status_code == 303
    return person


def somebody(service: Lectern, name: str, *scopes: str) -> Person:
    """Signed in with a new key with these scopes."""
    person = Person(service)
    assert person.sign_in(key(service, name, *scopes)).status_code == 303
    return person
