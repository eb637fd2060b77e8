"""Input that is not quite as it should be: blanks where nothing is meant, and names that are nearly right."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic.json_schema import JsonSchemaValue


def is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def or_blank(schema: JsonSchemaValue) -> JsonSchemaValue:
    """The schema of a field that may be left out, and so be blank."""
    about: JsonSchemaValue = {
        name: schema[name] for name in ("title", "description", "default", "examples") if name in schema
    }
    rules = {name: value for name, value in schema.items() if name not in about}
    arms = [arm for arm in rules.get("anyOf", [rules]) if arm != {"type": "null"}]
    return {"anyOf": [*arms, {"type": ["string", "null"], "pattern": r"^\s*$"}]} | about


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one that it nearly is: `timeZone`, `Time-Zone` and `tme_zone` are all nearly `time_zone`."""
    plain = {_plain(one): one for one in known}
    found = get_close_matches(_plain(name[:100]), plain, n=1, cutoff=0.8)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
