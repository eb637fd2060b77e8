"""The one composition root: everything that is made once for a process is made, and put together, here."""

import asyncio
import os
import secrets
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from sqlalchemy import select
from sqlmodel import col
from starlette.concurrency import run_in_threadpool

from app.access import door
from app.access.keys import Client, Keys
from app.access.rates import Rates
from app.access.scopes import Scope
from app.api import api
from app.calendars.accepting import Calendars
from app.calendars.fan_out import FanOut
from app.chains.engine import Engine
from app.chains.pauses import Pauses
from app.chains.store import Store, unfinished
from app.chains.worker import Workers
from app.console.site import console
from app.database import counters
from app.database.account import Account, account_of, take
from app.database.background import Stop
from app.database.database import Database
from app.database.migrating import migrate
from app.findings.looking import Findings
from app.findings.watch import Watch, cleared, raised
from app.http import docs, headers, hosts, limits, logs, problems
from app.http.threads import Threads
from app.kaltura.client import KalturaClient
from app.kaltura.crowds import Crowds
from app.kaltura.errors import KalturaError
from app.kaltura.gate import Gate
from app.kaltura.observing import Observe, Permissions, outcome_of, unobserved
from app.kaltura.session import Credentials, Sessions
from app.kaltura.transport import Http, http_client
from app.notices.listening import Listening
from app.operations import health, readiness
from app.operations.gauges import Gauges
from app.operations.metrics import Metrics
from app.recordings.accepting import Acceptance
from app.recordings.changing.operations import DEFINITIONS
from app.recordings.models import Recording
from app.recordings.retention import Retention
from app.recordings.scheduling.context import Tools
from app.recurrence.occurrences import zone
from app.resources.encoders.signs import Signs
from app.resources.feed.polling import Feed, Shortcut
from app.resources.lookup import Finder
from app.resources.mirror import listing, template_entries, uploads
from app.resources.mirror.refresh import Mirror
from app.resources.mirror.threads import Refreshers
from app.resources.paths import Paths
from app.resources.rounds import ENTRIES, RESOURCES, UPLOADS, Rounds
from app.sandbox.seed.seed import ADMIN_SECRET, APP_TOKEN, APP_TOKEN_ID, PARTNER_ID
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from app.settings import Settings, networks_of
from app.terms.answering import Terms
from app.terms.applying.applier import Applier, Means
from app.terms.keeping import terms_naming
from app.terms.planning.making import Planner
from app.terms.retention import forget as forget_terms
from app.webhooks import people
from app.webhooks.deliverers import Deliverers
from app.webhooks.exchange import SECONDS, Sender
from app.webhooks.people import People
from app.webhooks.store import Store as Deliveries

log = structlog.get_logger(__name__)

EMBEDDED = "http://sandbox.invalid"
NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
"""Lectern has figures and logs of its own; FastAPI would look for somebody to tell at each request."""


class Kaltura:
    """How this process reaches Kaltura, the real one or the sandbox inside it, and which account it is."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None, count: Observe = unobserved) -> None:
        self._settings = settings
        self._transport = transport
        self.account = account_of(settings)
        if transport is None and settings.embedded_sandbox:
            try:
                embedded = Sandbox(settings.sandbox_database, server_zone=settings.kaltura_server_time_zone)
            except (sqlite3.Error, ValueError) as error:
                raise ValueError(
                    f"The sandbox cannot keep its state ({error}): see LECTERN_SANDBOX_DATABASE."
                ) from None
            self._transport = SandboxTransport(embedded)
            self.account = account_of(settings, embedded.identity)
        self._count = count
        self.gate = Gate(settings.kaltura_calls_per_second, settings.kaltura_calls_at_once)
        self.crowds = Crowds()
        self.permissions = Permissions()
        self.sessions = Sessions(self._http(), _credentials(settings), gate=self.gate, observe=self._observe)

    def client(self) -> KalturaClient:
        """A new client for one thread, or, as httpx allows it, for the few requests that ask Kaltura themselves."""
        return KalturaClient(self._http(), self.sessions, crowds=self.crowds, observe=self._observe)

    def _observe(self, service: str, action: str, error: KalturaError | None, seconds: float) -> None:
        self.permissions.observe(service, action, error, seconds)
        self._count(service, action, error, seconds)

    def _http(self) -> Http:
        settings = self._settings
        return http_client(
            settings.kaltura_url or EMBEDDED,
            transport=self._transport,
            connect=settings.kaltura_connect_timeout,
            read=settings.kaltura_read_timeout,
        )


def _credentials(settings: Settings) -> Credentials:
    if settings.embedded_sandbox:
        return Credentials(PARTNER_ID, app_token_id=APP_TOKEN_ID, app_token=APP_TOKEN, user="lectern")
    return Credentials(
        settings.kaltura_partner_id or 0,
        settings.kaltura_app_token_id,
        settings.kaltura_app_token.get_secret_value(),
        settings.kaltura_admin_secret.get_secret_value(),
        settings.kaltura_user,
    )


def _is_sandboxed(settings: Settings) -> bool:
    """Whether a sandbox is behind it, for sure: the embedded one, or whatever takes a sandbox's sign-in.

    That one is published, so no real Kaltura takes it; an address alone could be a tunnel's to one.
    """
    who = _credentials(settings)
    token = (who.app_token_id, who.app_token) == (APP_TOKEN_ID, APP_TOKEN)
    signs_in = token if who.by_app_token else who.admin_secret == ADMIN_SECRET
    return who.partner_id == PARTNER_ID and signs_in


def claim(database: Database, named: Account) -> None:
    """The database is that account's, or becomes it. Raises ValueError if it is another one's.

    One that an older version filled kept no account; it was at work with the one that is set up.
    """
    if not take(database, named):
        return
    with database.read() as session:
        filled = session.execute(select(col(Recording.id)).limit(1)).first() is not None
    detail = f"From now on the database belongs to this Kaltura account, and to no other: {named}."
    log.info("account", detail=detail, had_recordings=filled)


def _zone(variable: str, name: str) -> ZoneInfo:
    try:
        return zone(name)
    except ValueError:
        raise ValueError(f"{variable} must be the IANA name of a time zone, like Europe/Zurich") from None


def create_app(settings: Settings, *, transport: httpx.BaseTransport | None = None) -> FastAPI:
    """The service. `transport` stands in for the network to Kaltura.

    Raises ValueError for settings that contradict each other. Nothing is opened before the application starts, which
    calls `app.state.prepare()`; whoever wants to tell in words why it does not start calls it before.
    """
    _zone("LECTERN_TIME_ZONE", settings.time_zone)
    server_zone = _zone("LECTERN_KALTURA_SERVER_TIME_ZONE", settings.kaltura_server_time_zone)
    database = Database(settings.database_url)
    keys = Keys(settings, database, sandboxed=_is_sandboxed(settings))
    stop = Stop(settings.stop_seconds)
    metrics = Metrics()
    kaltura = Kaltura(
        settings,
        transport,
        lambda service, action, error, seconds: metrics.call(f"{service}.{action}", outcome_of(error), seconds),
    )
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    store = Store(database, owner, settings.lease_seconds)
    engine = Engine(
        store,
        DEFINITIONS,
        Pauses(sweep=settings.sweep_seconds),
        lambda: workers.stopping(),
        metrics,
    )
    workers = Workers(
        engine,
        settings.workers,
        lambda: Tools(kaltura.client(), database, server_zone),
        lambda tools: tools.kaltura.close(),
        lambda: applier.chain_ended(),
    )
    mirror = Mirror(
        database,
        owner,
        per_second=settings.refreshes_per_second,
        default_zone=settings.time_zone,
        server_zone=settings.kaltura_server_time_zone,
        busy=unfinished,
    )
    work = {RESOURCES: (listing.EVERY, listing.read), ENTRIES: (template_entries.EVERY, template_entries.read)}
    if settings.confirm_recordings:
        work[UPLOADS] = uploads.EVERY, uploads.read
    rounds = Rounds(database, owner, work, busy=unfinished)
    refreshers = Refreshers(mirror, rounds, kaltura.client)
    retention = Retention(database, settings.keep_days, also=forget_terms)
    applier = Applier(
        Means(
            database,
            store,
            owner,
            at_once=settings.term_chains or max(1, settings.workers // 2),
            workers=workers,
            ask=refreshers.ask,
            default_zone=settings.time_zone,
            server_zone=server_zone,
        )
    )
    fan_out = FanOut(database, store, max(1, settings.workers // 2), workers.nudge)
    threads = Threads()
    listening = Listening(database, threads)
    notify = settings.notify.get_secret_value()
    deliverers = Deliverers(
        Deliveries(database, owner, SECONDS + settings.lease_seconds),
        Sender(networks_of(settings.webhook_networks)),
        People(notify) if notify else None,
        metrics.delivery,
    )
    feed = Feed(database, threads, refreshers.ask, settings.refreshes_per_second)
    signs = Signs(database)
    findings = Findings(
        kaltura.gate, kaltura.sessions, settings.refreshes_per_second, confirms=settings.confirm_recordings
    )
    client = kaltura.client()
    ask = readiness.Asking(client, kaltura.permissions)
    watch = Watch(database, findings, raised=raised, cleared=cleared, before=(signs.write_if_due, ask))

    @cache
    def prepare() -> None:
        """The tables, and whose they are: before anything is sent. Raises ValueError if they are another account's."""
        migrate(database)
        claim(database, kaltura.account)
        with database.write("webhooks") as session:
            people.set_up(session, bool(notify))
        counters.write(database)  # on a full disk all else would seem to be well

    alone = keys.thread, retention.thread, applier.thread, fan_out.thread, watch.thread
    running = workers, refreshers, listening, deliverers, *alone

    def end() -> None:
        """Which polls and uses of keys there were is written before any thread is waited for.

        What a thread does not end in time is found again by its lease, or begun again.
        """
        stop.begin()
        for each in running:
            each.stop(0.0)
        signs.write()
        keys.write_used()
        for each in running:
            each.stop(stop.left)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with closing(database), closing(kaltura.sessions), closing(client):
            await run_in_threadpool(prepare)
            await run_in_threadpool(keys.look_first)
            for each in running:
                each.start()
            log.info("started", sandbox=settings.embedded_sandbox, workers=settings.workers, database=database.kind)
            if keys.is_open:
                log.warning("open", detail="There is no API key: whoever reaches this address may use everything.")
            yield
            # In a thread of asyncio's: those of requests may all be waiting for Kaltura.
            await asyncio.to_thread(end)
            feed.versions.close()
            log.info("stopped", all_calls_ended=workers.running == 0)

    app = FastAPI(
        title="Lectern",
        version="0.1.0",
        summary="One JSON document in, a scheduled Kaltura recording series out.",
        description=docs.DESCRIPTION,
        openapi_tags=docs.TAGS,
        docs_url=None,
        openapi_url=None,  # app/http/docs.py serves it
        redoc_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        lifespan=lifespan,
        routes=[*api.routes, *(console.routes if settings.console else [])],
    )
    app.state.prepare = prepare
    app.state.settings = settings
    app.state.keys = keys
    app.state.stop = stop
    app.state.strangers = Rates(door.STRANGERS_PER_MINUTE)
    app.state.counted = Rates(settings.requests_per_minute) if settings.requests_per_minute else None
    app.state.database = database
    app.state.workers = workers
    app.state.mirror = mirror
    app.state.rounds = rounds
    app.state.feed = feed
    app.state.refreshers = refreshers
    app.state.retention = retention
    app.state.listening = listening
    app.state.signs = signs
    app.state.findings = findings
    app.state.watch = watch
    app.state.kaltura = client
    app.state.threads = threads
    app.state.finder = Finder(database, client, threads)
    metrics.registry.register(
        Gauges(database, kaltura.gate, kaltura.sessions, workers, settings.refreshes_per_second, findings)
    )
    app.state.acceptance = Acceptance(database, store, workers, settings.time_zone, server_zone, threads, feed)
    planner = Planner(database, app.state.kaltura, settings.time_zone)
    app.state.terms = Terms(database, threads, planner, applier)
    app.state.calendars = Calendars(database, threads, fan_out, terms_naming)
    app.state.metrics = metrics
    app.state.looking = health.Looking(
        {
            "database": lambda: readiness.database_part(database),
            "kaltura": lambda: readiness.kaltura_part(ask, kaltura.gate, kaltura.sessions, kaltura.permissions),
            "workers": lambda: readiness.workers_part(workers),
            "mirror": lambda: readiness.mirror_part(database, refreshers, settings.refreshes_per_second),
            "chains": lambda: readiness.chains_part(database),
            "findings": lambda: readiness.findings_part(database, findings),
        }
    )
    problems.add_handlers(app)
    problems.add_schema(app)
    docs.add_front(app, docs=settings.docs, console=settings.console)
    if settings.docs:
        docs.add_docs(app)
    app.add_middleware(Paths)
    app.add_middleware(headers.Head)
    app.add_middleware(limits.BodyLimit)
    app.add_middleware(door.Door, keys=keys, counted=app.state.counted)
    app.add_middleware(logs.Requests, count=metrics.request)
    app.add_middleware(
        Shortcut,
        feed=feed,
        who=lambda scope, resource_id: _who(keys, feed, scope, resource_id),
        seen=metrics.poll,
        polled=signs.poll,
    )
    app.add_middleware(hosts.AllowedHosts, names=hosts.allowed(settings), count=metrics.request)
    app.add_middleware(limits.Entrance, count=metrics.request)
    app.add_middleware(headers.Headers)
    logs.add_request_ids(app)
    return app


def _who(keys: Keys, feed: Feed, scope: Mapping[str, Any], resource_id: int) -> Client | None:
    """Who sends the request, if they may read this resource's schedule."""
    client = door.client_of(keys, door.authorization(scope))
    if client is None or Scope.SCHEDULE_READ not in client.scopes:
        return None
    known = feed.versions.resources[resource_id]
    return client if client.may_see(resource_id, known.system_name, feed.versions.is_id) else None
