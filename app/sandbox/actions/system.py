"""system: ping, getVersion, getTime."""

from typing import Any

from app.sandbox.calls import Access, Call, action

VERSION = "Venus-22.19.0"  # the server whose behaviour this is


def ping(_call: Call, _arguments: dict[str, Any]) -> bool:
    return True


def get_version(_call: Call, _arguments: dict[str, Any]) -> str:
    return VERSION


def get_time(call: Call, _arguments: dict[str, Any]) -> int:
    return call.now


SERVICE = {
    "ping": action(ping, access=Access.ANYONE),
    "getversion": action(get_version, access=Access.ANYONE),
    "gettime": action(get_time, access=Access.ANYONE),
}
