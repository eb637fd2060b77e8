"""Filters of Kaltura's lists. Kaltura takes an empty value for no filter at all and answers everything (#539)."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def filtered(object_type: str, values: Mapping[str, object]) -> dict[str, object]:
    return {"objectType": object_type, **{name: given(name, value) for name, value in values.items()}}


def given(name: str, value: T) -> T:
    """`value`, unless Kaltura would take it for nothing."""
    if not value or (isinstance(value, str) and not value.strip(" ,\t\r\n")):
        raise ValueError(f"an empty {name} would match everything")
    return value
