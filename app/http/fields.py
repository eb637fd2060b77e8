"""Types of field that the models of every feature share, and the words that explain a refused one.

What comes in is read by `In` models: unknown fields are refused, a number is never read from a string,
lengths count bytes of UTF-8 as Kaltura does, and text holds nothing that a database or Kaltura would choke on
(control characters, lone surrogates). What goes out is shown by `Out` models.

An error says where (`pointer`, RFC 6901) and what the rule is (`messages`), never what the input was.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from app.http.lenience import is_blank, nearest, or_blank

T = TypeVar("T")


class In(BaseModel):
    """What a client sends. Unknown fields are refused; a model that was read never changes.

    An optional field that is null or blank counts as left out: exports write "" where they have nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(data, dict):
            optional = {one.alias or name for name, one in cls.model_fields.items() if not one.is_required()}
            data = {name: value for name, value in data.items() if name not in optional or not is_blank(value)}
        try:
            return handler(data)
        except ValidationError as error:
            raise _with_hints(error, [one.alias or name for name, one in cls.model_fields.items()]) from None

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        shown = handler(schema)
        model = handler.resolve_ref_schema(shown)
        if handler.mode == "validation":
            for name, one in model.get("properties", {}).items():
                if name not in model.get("required", ()):
                    model["properties"][name] = or_blank(one)
        return shown


class Out(BaseModel):
    """What a client gets: every field is always there, null where there is nothing to say."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, json_schema_serialization_defaults_required=True)


CURSOR = "cmVjXzAxa2FudGYzd3E1bTJjN2o4ZTlnMGgxazNw"


class Page(Out, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(description="What this page holds, in the list's order.")
    next_cursor: str | None = Field(
        description="Send it as `cursor` to get the next page; null on the last one.",
        examples=[CURSOR, None],
    )


class WholeList(Out, Generic[T]):
    """A list that is never cut."""

    items: list[T] = Field(description="All of it, in the list's order.")
    next_cursor: None = Field(None, description="Always null: there is no other page.", examples=[None])


# --- errors ------------------------------------------------------------------------------------------------

MAX_MESSAGES = 50  # a body of 256 KiB can hold fifty thousand mistakes; nobody reads more than these
MAX_SEGMENT = 64  # characters of an unknown field's name that a pointer repeats

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "a whole number",
    float: "a decimal number",
    str: "a string",
    list: "a list",
    dict: "an object",
}

# pydantic's type of error -> (the rule, filled in from the schema; does the kind received explain anything)
_RULES: dict[str, tuple[str, bool]] = {
    "missing": ("is required", False),
    "extra_forbidden": ("is not a field that is known here", False),
    "json_invalid": ("the body must be valid JSON", False),
    "string_type": ("must be a string", True),
    "string_unicode": ("must be valid Unicode, without lone surrogates", False),
    "string_too_short": ("must have at least {min_length} character(s)", False),
    "string_too_long": ("must have at most {max_length} character(s)", False),
    "string_pattern_mismatch": ("must look like {pattern}", False),
    "int_type": ("must be a whole number", True),
    "int_from_float": ("must be a whole number", True),
    "int_parsing": ("must be a whole number", False),
    "int_parsing_size": ("must be a smaller whole number", False),
    "bool_type": ("must be true or false", True),
    "bool_parsing": ("must be true or false", False),
    "greater_than_equal": ("must be at least {ge}", False),
    "less_than_equal": ("must be at most {le}", False),
    "less_than": ("must be less than {lt}", False),
    "enum": ("must be one of {expected}", False),
    "literal_error": ("must be one of {expected}", False),
    "list_type": ("must be a list", True),
    "too_long": ("must have at most {max_length} item(s)", False),
    "too_short": ("must have at least {min_length} item(s)", False),
    "model_type": ("must be an object", True),
    "model_attributes_type": ("must be an object", True),
    "dict_type": ("must be an object", True),
    "datetime_parsing": ("must be an RFC 3339 time", False),
    "datetime_from_date_parsing": ("must be an RFC 3339 time", False),
    "timezone_aware": ("must have an offset from UTC, or Z", False),
    "date_from_datetime_parsing": ("must be a date like 2027-01-13", False),
    "date_parsing": ("must be a date like 2027-01-13", False),
}


def kind(value: object) -> str:
    """What a JSON value is, in words, without saying what it holds."""
    return _KINDS.get(type(value), "something else")


def broken(rule: str) -> PydanticCustomError:
    """The error of a rule of ours. `rule` is one sentence for people and holds no input."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def broken_at(loc: tuple[int | str, ...], rule: str) -> ValidationError:
    """The same for a rule between fields: a validator that raises it points at `loc` beneath its own place."""
    detail = InitErrorDetails(type=broken(rule), loc=loc, input=None)
    return ValidationError.from_exception_data("document", [detail], hide_input=True)


def _with_hints(error: ValidationError, known: Sequence[str]) -> ValidationError:
    """The same error; of an unknown field, with the known one that it nearly is."""
    meant = {
        one["loc"]: found
        for one in error.errors(include_url=False)
        if one["type"] == "extra_forbidden" and len(one["loc"]) == 1 and (found := nearest(str(one["loc"][0]), known))
    }
    if not meant:
        return error
    details = []
    for one in error.errors(include_url=False):
        kind_of: str | PydanticCustomError = one["type"]
        if one["type"] == "rule":
            kind_of = broken(one["ctx"]["rule"])
        elif one["type"] == "extra_forbidden" and one["loc"] in meant:
            kind_of = broken(f"is not a field that is known here: did you mean {meant[one['loc']]}?")
        context = {} if isinstance(kind_of, PydanticCustomError) else one.get("ctx", {})
        details.append(InitErrorDetails(type=kind_of, loc=one["loc"], input=one["input"], ctx=context))
    return ValidationError.from_exception_data(error.title, details, hide_input=True)


OF_A_KEY = "[key]"  # pydantic's step to the name of a member, which RFC 6901 has no pointer to


def pointer(loc: Sequence[int | str]) -> str:
    """The JSON pointer (RFC 6901) of a pydantic location: `("body", "exclude", 1)` is `/exclude/1`.

    Parameters have no pointer of their own; they are `/query/limit`, `/path/id`, `/header/prefer`, also one of several
    values.
    A name that the client made up is cut, and its unprintable characters are replaced.
    """
    path = loc[1:] if loc[:1] == ("body",) else loc[:2] if loc[:1] == ("query",) else loc
    return "".join(f"/{_segment(str(step))}" for step in path if step != OF_A_KEY)


def _segment(name: str) -> str:
    shown = name if len(name) <= MAX_SEGMENT else name[:MAX_SEGMENT] + "…"
    clean = "".join(char if char.isprintable() else "\ufffd" for char in shown)
    return clean.replace("~", "~0").replace("/", "~1")


def messages(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """`ValidationError.errors()` as `[{"pointer", "detail"}]`: `MAX_MESSAGES` of them, then how many more."""
    found = [
        {
            "pointer": "" if error["type"] == "json_invalid" else pointer(error["loc"]),
            "detail": _detail(error),
        }
        for error in errors[:MAX_MESSAGES]
    ]
    if len(errors) > MAX_MESSAGES:
        found.append({"pointer": "", "detail": f"and {len(errors) - MAX_MESSAGES} more"})
    return found


def _detail(error: Mapping[str, Any]) -> str:
    context = error.get("ctx", {})
    if error["type"] == "rule":
        return str(context["rule"])
    rule, explain = _RULES.get(error["type"], ("is not valid", False))
    rule = rule.format_map(context)
    return f"{rule}, got {kind(error['input'])}" if explain else rule


# --- words -------------------------------------------------------------------------------------------------

_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Words:
    """`Annotated[str, Words(256)]`: text of at most `max_bytes` bytes of UTF-8, without the space around it.

    Control characters (and U+FFFE, U+FFFF) are refused: Kaltura answers INVALID_PARAMETER_CHAR (exchange 152). With
    `lines`, tabs and line ends are words too (all ends become `\\n`). `least` characters must be left, and
    something visible among them unless it is 0. `without` names further characters that are refused.
    """

    max_bytes: int
    least: int = 1
    lines: bool = False
    without: str = ""

    def read(self, value: str) -> str:
        clean = value.strip()
        plain = value.isascii() and value.isprintable() and not any(char in value for char in self.without)
        if plain and self.least <= len(clean) and len(value) <= self.max_bytes:
            return clean  # nothing of what follows could be wrong with it, and nearly all texts are like it
        if _SURROGATE.search(value):
            raise broken("must be valid Unicode, without lone surrogates")
        size = len(value.encode())
        if size > self.max_bytes:
            raise broken(f"must be at most {self.max_bytes} bytes of UTF-8, and is {size}")
        if self.lines:
            value = value.replace("\r\n", "\n").replace("\r", "\n")
        if (_TEXT if self.lines else _LINE).search(value):
            beside = " other than line ends and tabs" if self.lines else ""
            raise broken(f"must not contain control characters{beside}")
        if any(char in value for char in self.without):
            raise broken(f"must not contain any of {self.without}")
        value = value.strip()
        if self.least and not any(unicodedata.category(char)[0] not in "CZ" for char in value):
            raise broken("must not be blank")
        if len(value) < self.least:
            raise broken(f"must have at least {self.least} characters")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        length = {"minLength": self.least} if self.least else {}
        return handler(schema) | length | {"maxLength": self.max_bytes}


def _or_none(value: str | None) -> str | None:
    return value or None


Line = Annotated[str, Words(256)]
# An optional text that is blank counts as left out: exports write "" where they have nothing.
OptionalLine = Annotated[Annotated[str, Words(256, least=0)] | None, AfterValidator(_or_none)]
OptionalText = Annotated[Annotated[str, Words(65_535, least=0, lines=True)] | None, AfterValidator(_or_none)]
OptionalNote = Annotated[Annotated[str, Words(2_000, least=0, lines=True)] | None, AfterValidator(_or_none)]
# Kaltura casts ids to 32-bit integers.
KalturaId = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


# --- unions ------------------------------------------------------------------------------------------------


def by_kind(rule: str, arms: Mapping[type, Any]) -> WrapValidator:
    """Reads a union by the JSON value's own kind: `{int: KalturaId, str: Line, dict: NewResource}`.

    pydantic's unions try every arm, and put an arm's name into the location of its errors; here the location
    is the document's own.
    """
    adapters: dict[type, TypeAdapter[Any]] = {of: TypeAdapter(arm) for of, arm in arms.items()}

    def read(value: object, _union: object) -> Any:
        adapter = adapters.get(type(value))
        if adapter is None:
            raise broken(f"{rule}, got {kind(value)}")
        return adapter.validate_python(value)

    return WrapValidator(read)


def each_once(key: Callable[[Any], object] = lambda item: item) -> AfterValidator:
    """Refuses the second of two items of a list that `key` makes equal."""

    def read(items: list[Any]) -> list[Any]:
        seen: set[object] = set()
        for index, item in enumerate(items):
            if key(item) in seen:
                raise broken_at((index,), "is in the list already")
            seen.add(key(item))
        return items

    return AfterValidator(read)
