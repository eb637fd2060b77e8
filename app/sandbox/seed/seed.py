"""What a sandbox holds at its first start."""

from dataclasses import dataclass, field
from typing import Any

from app.sandbox.actions import app_token, category, schedule_resource
from app.sandbox.calls import Call
from app.sandbox.sessions import ADMIN
from app.sandbox.store.state import dumps
from app.sandbox.types import TYPES
from app.sandbox.wire.reading import read_object

PARTNER_ID = 101
ADMIN_SECRET = "sandbox-secret"  # noqa: S105 - a simulator's, and public
USER_SECRET = "sandbox-user-secret"  # noqa: S105
APP_TOKEN_ID = "0_sandbox1"  # noqa: S105
APP_TOKEN = "sandbox-token"  # noqa: S105
WIDGET_ID = f"_{PARTNER_ID}"
ADMIN_USER = "admin"
CATEGORY_ID = 86105441  # Mathematics
RESOURCE_ID = 562931  # EXTRON-100-ABC

CAMERA = "KalturaCameraScheduleResource"


@dataclass(frozen=True)
class Partner:
    id: int
    admin_secret: str
    secret: str  # opens USER sessions only


@dataclass(frozen=True)
class Seed:
    """`resources` and `categories` are API objects, for the first partner; a category is `{"fullName", "id"?}`."""

    partners: tuple[Partner, ...] = ()
    app_tokens: tuple[dict[str, Any], ...] = ()  # {"id", "token", ...}
    resources: tuple[dict[str, Any], ...] = ()
    categories: tuple[dict[str, Any], ...] = ()
    first_ids: dict[str, int] = field(default_factory=dict)  # {"events": 1336591}
    entry_prefix: str = "1"


def _camera(number: int, name: str, room: str) -> dict[str, Any]:
    return {
        "id": RESOURCE_ID + number,
        "name": name,
        "systemName": name,
        "description": f"Camera in Classroom #{room}",
        "objectType": CAMERA,
    }


DEFAULT_SEED = Seed(
    partners=(Partner(PARTNER_ID, ADMIN_SECRET, USER_SECRET),),
    app_tokens=({"id": APP_TOKEN_ID, "token": APP_TOKEN, "hashType": "SHA256", "sessionType": ADMIN},),
    resources=(
        _camera(0, "EXTRON-100-ABC", "702"),
        _camera(1, "EXTRON-200-DEF", "703"),
        _camera(2, "PEARL-300-GHI", "704"),
    ),
    categories=(
        {"id": CATEGORY_ID, "fullName": "Mathematics"},
        {"fullName": "Canvas>site>channels>1234"},
    ),
    first_ids={"events": 1336591},
)


def plant(call: Call, seed: Seed) -> None:
    """Fill an empty store."""
    for partner in seed.partners:
        call.store.run("INSERT INTO partners VALUES (?, ?, ?)", (partner.id, partner.admin_secret, partner.secret))
    for table, first in seed.first_ids.items():
        call.store.start_ids_at(table, first)
    owner = seed.partners[0].id if seed.partners else 0
    call.session = call.sessions.acting_as(owner, ADMIN_USER)
    for token in seed.app_tokens:
        body = app_token.make({"partnerId": owner} | token, call.now)
        call.store.run("INSERT INTO app_tokens VALUES (?, ?, ?)", (body["id"], owner, dumps(body)))
    for resource in seed.resources:
        plant_resource(call, resource)
    for wanted in seed.categories:
        plant_category(call, wanted)


def plant_resource(call: Call, wanted: dict[str, Any]) -> None:
    """An API object, with its own id if it names one; raises KalturaError."""
    values = {name: value for name, value in wanted.items() if name != "id"}
    given = read_object(values, TYPES["KalturaScheduleResource"], "resource", call.now)
    schedule_resource.make(call, given, wanted.get("id") or call.store.next_id("resources"))


def plant_category(call: Call, wanted: dict[str, Any]) -> None:
    """`{"fullName", "id"?, …}`, its parents with it; raises KalturaError."""
    above, _, name = wanted["fullName"].rpartition(">")
    parent = category.load(call, category.find_or_make(call, above)) if above else None
    values = {key: value for key, value in wanted.items() if key not in ("id", "fullName")}
    given = read_object(values | {"name": name}, TYPES["KalturaCategory"], "category", call.now)
    category.insert(call, name, parent, given.values, wanted.get("id", 0))
