"""Input that is not quite as it should be: blanks where nothing is meant, and names that are nearly right."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic.json_schema import JsonSchemaValue

LEAST = 4  # letters that a field's name may be known by


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
    """The one that it nearly is, or begins: `timeZone`, `Time-Zone`, `tme_zone` and `time` all mean `time_zone`."""
    said, plain = _plain(name[:100]), {_plain(one): one for one in known}
    begun = [one for one in plain if len(said) >= LEAST and one.startswith(said)]
    found = begun if len(begun) == 1 else get_close_matches(said, plain, n=1, cutoff=0.75)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
