"""Kaltura accounts that a database may belong to, as settings."""

from app.sandbox.seed.seed import ADMIN_SECRET
from app.settings import PREFIX
from tests.service import Json

REAL: Json = {
    "kaltura_url": "http://127.0.0.1:8100",
    "kaltura_partner_id": 101,
    "kaltura_admin_secret": ADMIN_SECRET,
}
ELSEWHERE = REAL | {"kaltura_url": "http://localhost:8100"}
OTHER_PARTNER = REAL | {"kaltura_partner_id": 102, "api_keys": "registrar=" + "k" * 32}  # which no sandbox is
NAMED = {
    "embedded": "the embedded sandbox",
    "real": "http://127.0.0.1:8100, partner 101",
    "elsewhere": "http://localhost:8100, partner 101",
    "other_partner": "http://127.0.0.1:8100, partner 102",
}
ACCOUNTS: dict[str, Json] = {"embedded": {}, "real": REAL, "elsewhere": ELSEWHERE, "other_partner": OTHER_PARTNER}


def environment(values: Json, url: str) -> dict[str, str]:
    """As settings in the environment, with `url`'s port instead of 8100; what is not named is empty."""
    port = url.rpartition(":")[2]
    empty = dict.fromkeys(("kaltura_url", "kaltura_partner_id", "kaltura_admin_secret", "kaltura_app_token"), "")
    return {
        PREFIX + name.upper(): str(value).replace("8100", port)
        for name, value in (empty | {"kaltura_app_token_id": ""} | values).items()
    }
