"""What differs from run to run, mapped or normalized, and nothing else: ids, sessions, secrets, tokens, hosts.

    recorded id 42 ◄──► sandbox id 40        learnt from answers, one map a kind of object, used on requests
    <KS:A>, <token:SHA256>, <adminSecret:0>  labels that the recording put in place of the real thing

Times need no mapping, as the sandbox's clock follows the recorded one.
"""

import hashlib
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

LABEL = re.compile(r"<((?:KS|adminSecret|userSecret|token|hash)(?::[\w-]+)?)>")
ENTRY_ID = re.compile(r"\b\d_[a-z0-9]{8}\b")
HOST = re.compile(r"https?://[^/]+")
TIMES = {"createdAt", "updatedAt"}

SERVICE_KIND = {
    "schedule_scheduleevent": "event",
    "schedule_scheduleresource": "resource",
    "schedule_scheduleeventresource": "event,resource",
    "category": "category",
}
OWN_FIELDS = ("id", "idEqual", "idIn", "idNotIn", "parentId", "parentIdEqual", "parentIdIn", "parentIdNotIn")
FIELD_KIND = {
    **dict.fromkeys(("scheduleEventId", "eventId", "eventIdEqual", "eventIdIn", "scheduleEventIdToIgnore"), "event"),
    **dict.fromkeys(
        (
            "scheduleResourceId",
            "resourceId",
            "resourceIds",
            "resourceIdEqual",
            "resourceIdIn",
            "resourceIdsLike",
            "resourceIdsMultiLikeOr",
            "resourceIdsMultiLikeAnd",
            "parentResourceIdsLike",
        ),
        "resource",
    ),
    **dict.fromkeys(
        (
            "categoryId",
            "categoriesIds",
            "categoryIdEqual",
            "categoryIdIn",
            "fullIds",
            "categoryFullIds",
        ),
        "category",
    ),
    "EVENT_ID": "event",
    "RESOURCE_ID": "resource",
}
CODE_KIND = {"SCHEDULE_EVENT_ID_NOT_FOUND": "event", "SCHEDULE_RESOURCE_ID_NOT_FOUND": "resource"}


def kind_of(object_type: object) -> str:
    """The kind of object whose `id` an answer shows; "" for those without a number."""
    name = str(object_type)
    for ending, kind in (("ScheduleEvent", "event"), ("ScheduleResource", "resource"), ("Category", "category")):
        if name.endswith(ending):
            return kind
    return ""


class Mapping:
    """Both ways from recorded to sandbox values."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self.labels = dict(secrets)
        self._there: dict[str, dict[int, int]] = defaultdict(dict)
        self._back: dict[str, dict[int, int]] = defaultdict(dict)
        self._entries: dict[str, str] = {}

    def learn(self, kind: str, recorded: int, actual: int) -> bool:
        """Whether the pair agrees with all that is known; a new pair is remembered."""
        known = self._there[kind].setdefault(recorded, actual)
        return known == actual and self._back[kind].setdefault(actual, recorded) == recorded

    def learn_entry(self, recorded: str, actual: str) -> bool:
        """As `learn`, for entries and app tokens, whose ids are random words."""
        return self._entries.setdefault(recorded, actual) == actual

    def id(self, kind: str, recorded: int) -> int:
        """The sandbox's id; one never seen keeps its distance to the one before it, as ids are consecutive."""
        known = self._there[kind]
        if recorded in known or not known or recorded > max(known) + 1000:
            return known.get(recorded, recorded)
        numbers = sorted(known)
        place = bisect_right(numbers, recorded) - 1
        return recorded if place < 0 else recorded + known[numbers[place]] - numbers[place]

    def text(self, recorded: str) -> str:
        """A string with its labels and entry ids replaced."""
        replaced = ENTRY_ID.sub(lambda found: self._entries.get(found[0], found[0]), recorded)
        return LABEL.sub(lambda found: self._label(found[1]), replaced)

    def ids(self, kind: str, recorded: Any) -> Any:
        """A number, or a list of numbers in a string; what holds none stays."""
        if isinstance(recorded, bool) or recorded is None:
            return recorded
        if isinstance(recorded, int | float):
            return type(recorded)(self.id(kind, int(recorded)) + recorded - int(recorded))
        if not isinstance(recorded, str):
            return recorded
        kinds = iter(kind.split(",") * (recorded.count(",") + 1) if "," in kind else ())
        return re.sub(r"\d+", lambda found: str(self.id(next(kinds, kind), int(found[0]))), recorded)

    def _label(self, name: str) -> str:
        if name == "KS":
            return self.labels["KS:A"]
        if name.endswith("-tampered"):
            ks = self.labels[name.removesuffix("-tampered")]
            return ks[:-6] + ("x" * 6 if ks[-6:] != "x" * 6 else "y" * 6)
        if name.startswith("hash:"):
            kind = name.removeprefix("hash:")
            algorithm = hashlib.sha256 if kind == "SHA256" else hashlib.sha1
            return algorithm((self.labels[f"KS:W-{kind}"] + self.labels[f"token:{kind}"]).encode()).hexdigest()
        return self.labels.get(name, f"<{name}>")

    def request(self, value: Any, service: str, field: str = "") -> Any:
        """Parameters as the sandbox must be given them."""
        if isinstance(value, dict):
            service = str(value.get("service", service)).lower()
            return {name: self.request(item, service, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.request(item, service, field) for item in value]
        kind = SERVICE_KIND.get(service, "") if field in OWN_FIELDS else FIELD_KIND.get(field, "")
        if kind and "{" not in str(value):
            return self.ids(kind, value)
        return self.text(value) if isinstance(value, str) else value

    def differences(self, recorded: Any, actual: Any, service: str = "", path: str = "") -> Iterator[str]:
        """How an answer differs from the recorded one, in words; ids and labels are learnt on the way."""
        if isinstance(recorded, dict) and isinstance(actual, dict):
            yield from self._differing_objects(recorded, actual, service, path)
        elif isinstance(recorded, list) and isinstance(actual, list):
            if len(recorded) != len(actual):
                yield f"{path}: {len(recorded)} items recorded, {len(actual)} answered"
            for index, (one, other) in enumerate(zip(recorded, actual, strict=False)):
                yield from self.differences(one, other, service, f"{path}[{index}]")
        elif not self._same(recorded, actual):
            yield f"{path}: {_short(recorded)} recorded, {_short(actual)} answered"

    def _differing_objects(
        self, recorded: dict[str, Any], actual: dict[str, Any], service: str, path: str
    ) -> Iterator[str]:
        for name in recorded.keys() - actual.keys():
            yield f"{path}.{name}: {_short(recorded[name])} recorded, absent in the answer"
        for name in actual.keys() - recorded.keys():
            yield f"{path}.{name}: absent in the recording, {_short(actual[name])} answered"
        if recorded.get("objectType") == "KalturaAPIException" == actual.get("objectType"):
            yield from self._differing_errors(recorded, actual, service, path)
            return
        kind = kind_of(recorded.get("objectType"))
        for name in [name for name in recorded if name in actual]:
            expected, got = recorded[name], actual[name]
            field = kind if name in OWN_FIELDS else FIELD_KIND.get(name, "")
            if field and isinstance(expected, int) and isinstance(got, int):
                if not (self.learn(field, expected, got) if expected else got == 0):
                    yield f"{path}.{name}: {field} {expected} recorded, which is not {got}"
            elif field and isinstance(expected, str):
                if self.ids(field, expected) != got:
                    yield f"{path}.{name}: {_short(expected)} recorded, {_short(got)} answered"
            else:
                yield from self.differences(expected, got, service, f"{path}.{name}")

    def _differing_errors(
        self, recorded: dict[str, Any], actual: dict[str, Any], service: str, path: str
    ) -> Iterator[str]:
        kind = CODE_KIND.get(recorded["code"]) or SERVICE_KIND.get(service, "")
        message, args = str(recorded["message"]), recorded["args"]
        if args:
            args = {name: self._argument(name, value, kind) for name, value in args.items()}
            for name, value in recorded["args"].items():
                message = message.replace(value, args[name]) if value else message
        expected = {"code": recorded["code"], "message": message, "args": args}
        for name, value in expected.items():
            if name in actual and actual[name] != value:
                yield f"{path}.{name}: {_short(value)} recorded, {_short(actual[name])} answered"

    def _argument(self, name: str, value: str, kind: str) -> Any:
        """An error's argument: an id of what the error is about, of what its name says, or a word."""
        kind = FIELD_KIND.get(name) or (kind if name in ("ID", "PARENT_ID") else "")
        return self.ids(kind, value) if kind else self.text(value)

    def _same(self, recorded: Any, actual: Any) -> bool:
        if isinstance(recorded, str) and isinstance(actual, str):
            if (found := LABEL.fullmatch(recorded)) and actual:
                self.labels[found[1]] = actual
                return True
            if ENTRY_ID.fullmatch(recorded) and ENTRY_ID.fullmatch(actual):
                return self.learn_entry(recorded, actual)
            return HOST.sub("", self.text(recorded)) == HOST.sub("", actual)
        return type(recorded) is type(actual) and bool(recorded == actual)


def _short(value: Any) -> str:
    words = repr(value)
    return words if len(words) < 160 else f"{words[:120]}… ({len(words)})"
