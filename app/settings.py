"""Settings: the only reader of the environment.

Every setting is an environment variable with the prefix `LECTERN_` (also read from `.env`). The table of
docs/settings.md is made from the descriptions here.
"""

import ipaddress
import os
import re
import socket
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

PREFIX = "LECTERN_"
SANDBOXS_OWN = "sqlite:///lectern-sandbox.db"  # so that a first try is never the database of a real account
OF_COMMANDS = ("url", "key")  # what commands take that call a service: app/cli/watch.py
_HOST = re.compile(r"\*|(\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
UNREADABLE = (
    "cannot be read as an address: escape @ : / in the user's name and the password, as %40 %3A %2F; a port is a number"
)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    kaltura_url: str = Field(
        "", description="Kaltura's address, e.g. `https://www.kaltura.com`. Empty: the embedded sandbox."
    )
    kaltura_partner_id: int | None = Field(None, description="The account's partner id.")
    kaltura_app_token_id: str = Field("", description="App token id: the recommended sign-in.")
    kaltura_app_token: SecretStr = Field(SecretStr(""), description="The app token itself.")
    kaltura_admin_secret: SecretStr = Field(SecretStr(""), description="Admin secret: the other sign-in.")
    kaltura_user: str = Field("lectern", description="The Kaltura user that Lectern acts as.")
    kaltura_server_time_zone: str = Field(
        "America/New_York",
        description="The zone by whose clocks Kaltura's server keeps times (IANA). A hosted one's are New York's. What "
        "lies in the hour that they repeat in autumn is sent so that it comes back as it was sent.",
    )
    kaltura_connect_timeout: float = Field(5.0, gt=0, le=60, description="Seconds to wait for a connection to Kaltura.")
    kaltura_read_timeout: float = Field(
        30.0, gt=0, le=300, description="Seconds to wait for Kaltura's answer, at most."
    )
    kaltura_calls_per_second: float = Field(
        100.0, gt=0, le=10_000, description="Calls to Kaltura per second, at most; of each process."
    )
    kaltura_calls_at_once: int = Field(
        20, ge=1, le=200, description="Calls to Kaltura at once, at most; of each process. As many as workers, or more."
    )

    database_url: str = Field(
        "sqlite:///lectern.db",
        repr=False,
        description="Where Lectern keeps its state: `sqlite:///file` or `postgresql+psycopg://user:password@host/name`."
        f" It belongs to one Kaltura account. Left out with the embedded sandbox, it is `{SANDBOXS_OWN}`.",
    )
    sandbox_database: str = Field("sandbox.db", description="Where the embedded sandbox keeps its state.")

    refreshes_per_second: float = Field(
        5.0,
        gt=0,
        le=1000,
        description="Looks at a resource's schedule in Kaltura per second, at most; of all processes together. "
        "A resource that is being asked for wants one a minute. First looks may be 20 a second.",
    )

    confirm_recordings: bool = Field(
        True,
        description="Whether Lectern looks in Kaltura for what encoders have uploaded, says of each session what "
        "was recorded, and finds those of which nothing was.",
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    allowed_hosts: str = Field(
        "",
        description="Comma-separated names that requests may call the service by (`Host`), without ports; "
        "`*.campus.example` is every name below. On a loopback address its own names (`localhost`, `127.0.0.1`) always "
        "count too, and no others if this is empty; elsewhere, empty means any. "
        "`/healthz`, `/readyz` and `/metrics` answer to all.",
    )
    docs: bool = Field(True, description="Whether `/docs`, `/static` and `/openapi.json` are served.")
    console: bool = Field(True, description="Whether `/console`, the pages for people, is served.")
    workers: int = Field(8, ge=1, le=64, description="Chains run at once in this process.")
    term_chains: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Chains that plans of terms are applied with at once, in this process; half of the workers if left "
        "out.",
    )
    one_cpu: bool = Field(
        True,
        description="Whether the process keeps to one CPU, the one that the system finds best at the moment. Its "
        "threads take turns anyway; across several CPUs that costs a third more. Linux only.",
    )
    lease_seconds: float = Field(
        10.0, ge=1, le=600, description="How long a chain stays a silent owner's before another takes it up."
    )
    sweep_seconds: float = Field(
        180.0, ge=1, le=86_400, description="How long after an unknown outcome Lectern looks for a second object."
    )
    keep_days: int = Field(
        400,
        ge=1,
        le=36_500,
        description="Days that a recording is kept after it is over, failed or cancelled, with its chains; a plan of a "
        "term after it was made.",
    )
    time_zone: str = Field("UTC", description="The zone of a document that names none (IANA).")
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Comma-separated `client=key` pairs; each key may use everything that is its client's own. "
        "Required, if `lectern keys` has made none, unless a sandbox is behind the service: the embedded one; or one "
        "with its own sign-in, if both are on loopback addresses.",
    )
    requests_per_minute: int = Field(
        30_000,
        ge=0,
        le=10_000_000,
        description="Requests with one key per minute, at most; of each process. Polls that are answered from memory "
        "are not counted. 0: no limit.",
    )
    connections: int = Field(
        500,
        ge=10,
        le=100_000,
        description="Connections at once, at most; of each process. The one that has been idle for longest makes room "
        "for the next. More than 624 need more descriptors than the usual 1,024 (`LimitNOFILE`).",
    )
    request_seconds: float = Field(
        10.0, gt=0, le=300, description="Seconds within which a request has to arrive, body included."
    )
    stop_seconds: int = Field(
        25,
        ge=2,
        le=600,
        description="Seconds that a stop takes at most. A call that is under way has all of them to end; what still "
        "waits for Kaltura then is left.",
    )
    webhook_networks: str = Field(
        "",
        description="Comma-separated networks, like `10.20.0.0/16`, that webhooks may be sent to although they are not "
        "of the open internet.",
    )
    notify: SecretStr = Field(
        SecretStr(""),
        description="Comma-separated `apprise` addresses (mail, Teams, Slack …) of people who are told of findings "
        "that can't wait. Needs the extra `lectern[notify]`.",
    )
    log_level: str = Field("INFO", description="How much is logged: `DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @model_validator(mode="before")
    @classmethod
    def _database_of_its_own(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A first try with the embedded sandbox leaves nothing where a real account's database will be."""
        return given if given.get("kaltura_url") else {"database_url": SANDBOXS_OWN} | given

    @field_validator("kaltura_url")
    @classmethod
    def _address(cls, value: str) -> str:
        url = urlsplit(value)
        if value and (
            url.scheme not in ("http", "https") or not url.hostname or url.query or url.username or not _has_port(url)
        ):
            raise ValueError("must be an http(s) address without credentials or query")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        """Nothing of an address that cannot be read is told: where its password ends is not known."""
        # Imported here: `lectern watch` has no database, and is there sooner without it.
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must be sqlite:///file or postgresql+psycopg://user:password@host/name")
        is_sqlite = value.startswith("sqlite")
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError(UNREADABLE) from None
        if is_sqlite and (not url.database or url.database.startswith((":", "file:"))):
            raise ValueError("must name a file, like sqlite:///lectern.db: what is kept in memory is lost at the end")
        if is_sqlite and url.query:
            raise ValueError("must be sqlite:///file, without options after a question mark")
        if not is_sqlite and (value.count("@") > 1 or "?" in (url.username or "")):
            raise ValueError(UNREADABLE)  # a part of the password would be taken for the host, which errors name
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: str) -> str:
        if value and not all(_HOST.fullmatch(name.strip()) for name in value.split(",")):
            raise ValueError(
                "must be comma-separated names, without scheme, port and path, like lectern.campus.example,localhost"
            )
        return value

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.upper() not in _LOG_LEVELS:
            raise ValueError(f"must be one of {', '.join(_LOG_LEVELS)}")
        return value.upper()

    @field_validator("webhook_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            networks_of(value)
        except ValueError:
            raise ValueError("must be comma-separated networks, like 10.20.0.0/16") from None
        return value

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        if self.embedded_sandbox:
            return self
        token = self.kaltura_app_token_id and self.kaltura_app_token.get_secret_value()
        if self.kaltura_partner_id is None:
            raise ValueError("LECTERN_KALTURA_PARTNER_ID is needed with LECTERN_KALTURA_URL")
        if not token and not self.kaltura_admin_secret.get_secret_value():
            raise ValueError(
                "LECTERN_KALTURA_URL needs a sign-in: LECTERN_KALTURA_APP_TOKEN_ID with "
                "LECTERN_KALTURA_APP_TOKEN, or LECTERN_KALTURA_ADMIN_SECRET"
            )
        return self

    @property
    def embedded_sandbox(self) -> bool:
        return not self.kaltura_url

    @property
    def on_this_machine(self) -> bool:
        """Whether nobody elsewhere reaches the service, and its Kaltura has an address of this machine.

        Which says little of that Kaltura: a tunnel to a real one has such an address, too.
        """
        return is_loopback(self.host) and is_loopback(urlsplit(self.kaltura_url).hostname or "")


def networks_of(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Raises ValueError."""
    return [ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip()]


def _has_port(url: SplitResult) -> bool:
    """Whether its port is one, or left out."""
    try:
        return url.port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether every address of `host` is a loopback address. An unknown name is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(address).is_loopback for address in found)


def unknown_variables() -> list[str]:
    """`LECTERN_*` names, of the environment and of `.env`, that no setting reads: misspelt, and without effect."""
    given = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)}
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *OF_COMMANDS, "TEST_DATABASE_URL")}
    return sorted(name for name in given - known if name.startswith(PREFIX))


def for_commands() -> dict[str, str]:
    """The environment that a command gets which we start for somebody: ours, without the key."""
    return {name: value for name, value in os.environ.items() if name != PREFIX + "KEY"}


def table() -> str:
    """The settings as docs/settings.md shows them."""
    rows = ["| variable | default | |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = f"`{default:g}`" if isinstance(default, float) else f"`{default}`" if default not in ("", None) else ""
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)
