"""Kaltura's API v3 on the wire: where parameters come from, multirequest, and how answers are written.

    /api_v3/service/S/action/A/k/v?…  ─┐
    JSON body (Content-Type exactly application/json) or form body ─┴─► parameters; path and query win (exchanges 633,
    634)

A body that can't be read is ignored, not refused (exchanges 62 to 66), and without `format=1` the answer is XML.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from app.sandbox.errors import FatalError, KalturaError
from app.sandbox.wire.reading import number, text

Parameters = dict[str, Any]
JSON_FORMAT = 1
# Greedy on purpose: two references in one string become one that finds nothing (exchange 600).
REFERENCE = re.compile(r"\{(\d+):result:?(.*)\}", re.DOTALL)
BRACKETS = re.compile(r"\[([^\]]*)\]")


def read_parameters(path: str, query: str, content_type: str, body: bytes) -> Parameters:
    """All parameters of a request, nested; `service` and `action` are two of them."""
    parameters: Parameters = {}
    kind = content_type.strip().lower()
    if kind == "application/json":
        for key, value in _json_object(body).items():
            _put(parameters, key, value)
    elif kind.partition(";")[0].strip() == "application/x-www-form-urlencoded":
        for key, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
            _put(parameters, key, value)
    segments = [unquote(segment) for segment in path.split("/") if segment][1:]
    if segments[:1] == ["index.php"]:
        segments = segments[1:]
    for key, value in zip(segments[::2], segments[1::2], strict=False):
        _put(parameters, key, value)
    for key, value in parse_qsl(query, keep_blank_values=True):
        _put(parameters, key, value)
    return parameters


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body, parse_constant=_no_json)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate spoils the whole body (exchange 636)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _put(parameters: Parameters, key: str, value: object) -> None:
    """`a:b=1` and `a[b]=1` are `{"a": {"b": 1}}`, in JSON keys too (exchange 612)."""
    head, *rest = BRACKETS.sub(r":\1", key).split(":")
    for name in rest:
        inner = parameters.get(head)
        if not isinstance(inner, dict):
            inner = parameters[head] = {}
        parameters, head = inner, name
    parameters[head] = value


def is_multirequest(parameters: Parameters) -> bool:
    return text(parameters.get("service")).lower() == "multirequest"


def first_step(parameters: Parameters) -> int:
    """Steps are counted from 1, or from 0 if there is one (exchange 606)."""
    return 0 if "0" in parameters else 1


def steps(parameters: Parameters) -> list[Parameters]:
    """The steps of a multirequest, common parameters inherited; a gap or a step without action ends them (exchange
    604).
    """
    common = {
        key: value
        for key, value in parameters.items()
        if not key.isdigit() and key not in ("service", "action", "format")
    }
    found: list[Parameters] = []
    position = first_step(parameters)
    while isinstance(step := parameters.get(str(position)), dict) and "service" in step and "action" in step:
        found.append({**common, **step})
        position += 1
    return found


def resolve(value: Any, results: list[Any], first: int) -> Any:
    """`value` with its `{n:result:path}` references replaced; those to later steps stay literal (exchange 601).

    A property that an object lacks is "" (exchange 592); asking a scalar or a failure's own fields is fatal (exchanges
    596, 599).
    """
    if isinstance(value, dict):
        return {key: resolve(item, results, first) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, results, first) for item in value]
    if not isinstance(value, str) or "{" not in value:
        return value

    def replaced(found: re.Match[str]) -> str:
        index = int(found[1]) - first
        if not 0 <= index < len(results):
            return found[0]
        return _follow(results[index], [part for part in found[2].split(":") if part])

    return REFERENCE.sub(replaced, value)


def _follow(result: Any, path: list[str]) -> str:
    for position, name in enumerate(path):
        if isinstance(result, list):
            if name == "_all":
                return ",".join(_follow(item, path[position + 1 :]) for item in result)
            result = result[int(name)] if name.isdigit() and int(name) < len(result) else ""
            if result == "":
                return ""
        elif isinstance(result, dict):
            if result.get("objectType") == "KalturaAPIException":
                if name in ("code", "message"):
                    raise FatalError
                return ""
            if name not in result:
                return ""
            result = result[name]
        else:
            raise FatalError
    return text(result)


def answer_format(parameters: Parameters) -> int:
    return number(parameters.get("format"))


def as_json(result: Any) -> bytes:
    return json.dumps(result, separators=(",", ":")).encode()


def as_xml(result: Any) -> bytes:
    """The format that Kaltura falls back to (exchanges 56 to 58)."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><xml><result>'
        f"{_xml(result)}</result><executionTime>0.01</executionTime></xml>"
    ).encode()


def _xml(value: Any) -> str:
    match value:
        case {"objectType": "KalturaAPIException", "code": code, "message": message, "args": args}:
            items = "".join(
                "<item><objectType>KalturaApiExceptionArg</objectType>"
                f"<name>{_escape(name)}</name><value>{_escape(item)}</value></item>"
                for name, item in (args or {}).items()
            )
            return (
                f"<error><code>{_escape(code)}</code><message>{_escape(message)}</message>"
                f"<objectType>KalturaAPIException</objectType><args>{items}</args></error>"
            )
        case dict():
            ahead = {name: value[name] for name in ("objectType",) if name in value}
            if "totalCount" in value:
                ahead["relatedObjects"] = []
            return "".join(f"<{name}>{_xml(item)}</{name}>" for name, item in (ahead | value).items())
        case list():
            return "".join(f"<item>{_xml(item)}</item>" for item in value)
        case bool():
            return "1" if value else "0"
        case _:
            return _escape(text(value))


def _escape(value: str) -> str:
    return escape(value, {'"': "&quot;"})


def named(parameters: Parameters) -> tuple[str, str]:
    """Service and action as they were sent; raises SERVICE_NOT_SPECIFIED."""
    service = text(parameters.get("service"))
    if not service:
        raise KalturaError("SERVICE_NOT_SPECIFIED")
    return service, text(parameters.get("action"))
