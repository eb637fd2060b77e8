"""What an action is: a function of one call, the parameters it reads, and who may call it.

parameters ─► service and action ─► ks signature ─► parameters read ─► ks age ─► permission ─► the action
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from app.sandbox.errors import KalturaError
from app.sandbox.schedule.reservations import Reservations
from app.sandbox.sessions import ADMIN, Session, Sessions
from app.sandbox.store.state import Store
from app.sandbox.trouble.locks import Locks
from app.sandbox.trouble.modes import Modes
from app.sandbox.types import TYPES, Enumeration
from app.sandbox.wire.protocol import Parameters
from app.sandbox.wire.reading import enumerated, moment, number, read_object, text


class Access(IntEnum):
    """Who may call; each includes those below it."""

    ANYONE = 0
    SESSION = 1  # a widget session will do
    USER = 2
    ADMIN = 3


@dataclass
class Call:
    """One action being done: the session it is done in, the time, and all that it may touch."""

    store: Store
    sessions: Sessions
    reservations: Reservations
    locks: Locks
    modes: Modes
    time: float  # epoch seconds
    server_zone: str
    entry_prefix: str
    session: Session | None = None
    cache: dict[str, Any] = field(default_factory=dict)  # of things read once a call

    @property
    def now(self) -> int:
        return int(self.time)

    @property
    def partner(self) -> int:
        """The partner of the session; of nobody 0, who owns nothing."""
        return self.session.partner if self.session else 0

    @property
    def user(self) -> str:
        return self.session.user if self.session else ""


Run = Callable[[Call, dict[str, Any]], Any]


@dataclass(frozen=True)
class Parameter:
    """`of` is "string", "int", "time", an Enumeration or the name of an object type."""

    name: str
    of: str | Enumeration
    required: bool = True
    default: Any = None

    def read(self, parameters: Parameters, now: int) -> Any:
        if self.name not in parameters:
            if self.required:
                raise KalturaError("MISSING_MANDATORY_PARAMETER", PARAM_NAME=self.name)
            return self.default
        value = parameters[self.name]
        match self.of:
            case Enumeration() as enumeration:
                return enumerated(value, self.name, enumeration)
            case "string":
                return text(value)
            case "int":
                return number(value)
            case "time":
                return moment(value, now)
            case str() as declared:
                if value is None and not self.required:
                    return self.default
                return read_object(value, TYPES[declared], self.name, now)


@dataclass(frozen=True)
class Action:
    run: Run
    access: Access
    parameters: tuple[Parameter, ...]
    # Errors name services as the URL does, in lower case; this one action names itself (exchange 810).
    own_name: str = ""


Service = Mapping[str, Action]


def action(run: Run, *parameters: Parameter, access: Access = Access.ADMIN, own_name: str = "") -> Action:
    return Action(run, access, parameters, own_name)


def optional(name: str, of: str | Enumeration, default: Any = None) -> Parameter:
    return Parameter(name, of, required=False, default=default)


FILTER_PAGER = "KalturaFilterPager"


def perform(call: Call, services: Mapping[str, Service], service: str, name: str, parameters: Parameters) -> Any:
    """The result of one action, as plain JSON values; raises KalturaError."""
    service = service.lower()
    actions = services.get(service)
    if actions is None:
        raise KalturaError("SERVICE_DOES_NOT_EXISTS", SRV_NAME=service)
    found = actions.get(name.lower())
    if found is None:
        raise KalturaError("ACTION_DOES_NOT_EXISTS", ACTION_NAME=name, SERVICE_NAME=service)
    ks = text(parameters.get("ks"))
    session = call.sessions.read(ks) if ks else None
    arguments = {parameter.name: parameter.read(parameters, call.now) for parameter in found.parameters}
    if session is not None:
        call.sessions.check(session, call.now)
    partner = number(parameters.get("partnerId"))
    if _access(session) < found.access or (session and partner and partner != session.partner):
        raise KalturaError("SERVICE_FORBIDDEN", SERVICE=found.own_name or f"{service}->{name.lower()}")
    call.session = session
    return found.run(call, arguments)


def _access(session: Session | None) -> Access:
    if session is None:
        return Access.ANYONE
    if session.widget:
        return Access.SESSION
    return Access.ADMIN if session.type == ADMIN else Access.USER
