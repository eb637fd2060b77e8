"""Requests' values as PHP reads them: everything is cast, nearly nothing is refused.

JSON null is "" for a string and 0 for a time; `"<property>__null"` unsets. Unknown properties are dropped.
Limits, enumerations and object types are checked here and named bare (`summary`); all else is the action's.
"""

import re
from dataclasses import dataclass
from math import isfinite
from typing import Any

from app.sandbox.errors import KalturaError
from app.sandbox.types import TYPES, Enumeration, ObjectType, Property

RELATIVE_LIMIT = 315_360_000  # ten years: a time of at most this size counts from now (exchanges 166, 168)
LARGEST = 2**62  # PHP's is 2**63 - 1; half of it leaves room to add two of them
LONGEST = 18  # digits, beyond which PHP reads a float
NUMBER = re.compile(r"\s*([+-]?\d+)(\.\d+)?([eE][+-]?\d+)?")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True)
class Given:
    """An object that a request sent: its type and the properties named in it; None means "unset it"."""

    type: ObjectType
    values: dict[str, Any]

    def get(self, name: str) -> Any:
        return self.values.get(name)

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None


def text(value: object) -> str:
    """A PHP string cast."""
    match value:
        case None | False:
            return ""
        case True:
            return "1"
        case dict() | list():
            return "Array"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case _:
            return str(value)


def number(value: object) -> int:
    """A PHP int cast: 3.7 is 3, "2026-12-01" 2026, "abc" and null 0; never beyond `LARGEST`."""
    match value:
        case bool() | int():
            return max(-LARGEST, min(int(value), LARGEST))
        case float():
            return int(value) if abs(value) < LARGEST else 0
        case str():
            if value.isascii() and value.isdigit() and len(value) < LONGEST:
                return int(value)  # soonest for long lists of ids
            found = NUMBER.match(value)
            if not found:
                return 0
            return number(float(found[0]) if found[2] or found[3] or len(found[1]) > LONGEST else int(found[1]))
        case dict() | list():
            return int(bool(value))
        case _:
            return 0


def moment(value: object, now: int) -> int:
    """Epoch seconds; a small number is relative to `now`, 0 stays 0."""
    seconds = number(value)
    return now + seconds if seconds and abs(seconds) <= RELATIVE_LIMIT else seconds


def enumerated(value: object, name: str, enumeration: Enumeration) -> int | str:
    if text(value) not in enumeration.values:
        raise KalturaError("INVALID_ENUM_VALUE", ENUM_VAL=text(value), PARAM_NAME=name, ENUM_TYPE=enumeration.name)
    return number(value) if enumeration.numeric else text(value)


def read_object(value: object, declared: ObjectType, name: str, now: int) -> Given:
    """`value` as an object of the declared type or one of its kinds; a wrong `objectType` is the declared one.

    Raises PROPERTY_VALIDATION_WRONG_FORMAT for a scalar (exchange 193), OBJECT_TYPE_ABSTRACT (exchanges 179 to 183).
    """
    if isinstance(value, list):
        value = {str(index): item for index, item in enumerate(value)}
    if not isinstance(value, dict):
        raise KalturaError("PROPERTY_VALIDATION_WRONG_FORMAT", PROP_NAME=name, FORMAT="array")
    wanted = TYPES.get(text(value.get("objectType")), declared)
    kind = wanted if wanted.is_a(declared.name) else declared
    if kind.abstract:
        raise KalturaError("OBJECT_TYPE_ABSTRACT", OBJ_TYPE=declared.name)
    values: dict[str, Any] = {}
    for key, sent in value.items():
        if key.endswith("__null") and key.removesuffix("__null") in kind.properties:
            values[key.removesuffix("__null")] = None
        elif key in kind.properties:
            values[key] = _read_property(sent, key, kind.properties[key], now)
    return Given(kind, values)


def _read_property(value: object, name: str, declared: Property, now: int) -> object:
    match declared.kind:
        case "string":
            return _limited(text(value), name, declared)
        case "time":
            return moment(value, now)
        case "object":
            return None if value is None else read_object(value, TYPES[declared.of], name, now)
        case "array":
            return value
        case _ if value is None:
            return None
        case "bool":
            return bool(value) and value not in ("0", "false")
        case "float":
            return float(value) if isinstance(value, float) and isfinite(value) else float(number(value))
        case "enum":
            assert declared.enumeration  # noqa: S101 - every enum property names its enumeration
            return enumerated(value, name, declared.enumeration)
        case _:
            return _bounded(number(value), name, declared)


def _limited(value: str, name: str, declared: Property) -> str:
    if CONTROL.search(value):
        raise KalturaError("INVALID_PARAMETER_CHAR", XML_FIELD=name)
    length = len(value.encode("utf-8", "surrogatepass"))
    if declared.min_length is not None and length < declared.min_length:
        raise KalturaError("PROPERTY_VALIDATION_MIN_LENGTH", PROP_NAME=name, MIN_LEN=declared.min_length)
    if declared.max_length is not None and length > declared.max_length:
        raise KalturaError("PROPERTY_VALIDATION_MAX_LENGTH", PROP_NAME=name, MAX_LEN=declared.max_length)
    return value


def _bounded(value: int, name: str, declared: Property) -> int:
    if declared.min_value is not None and value < declared.min_value:
        raise KalturaError("PROPERTY_VALIDATION_MIN_VALUE", PROP_NAME=name, MIN_VAL=declared.min_value)
    if declared.max_value is not None and value > declared.max_value:
        raise KalturaError("PROPERTY_VALIDATION_MAX_VALUE", PROP_NAME=name, MAX_VAL=declared.max_value)
    return value


def require(given: Given, *names: str) -> None:
    """Raise PROPERTY_VALIDATION_CANNOT_BE_NULL for the first property that is not there."""
    for name in names:
        if not given.has(name):
            raise KalturaError("PROPERTY_VALIDATION_CANNOT_BE_NULL", PROP_NAME=f"{given.type.name}::{name}")


def refuse_read_only(given: Given, *allowed: str) -> None:
    """Raise PROPERTY_VALIDATION_NOT_UPDATABLE for the first read-only property sent (exchanges 186 to 192)."""
    for name in given.values:
        if given.type.properties[name].read_only and given.has(name) and name not in allowed:
            raise KalturaError("PROPERTY_VALIDATION_NOT_UPDATABLE", PROP_NAME=f"{given.type.name}::{name}")
