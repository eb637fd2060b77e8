"""How plans and applies are shown in a terminal: one line for each item that matters, deletions first."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

MARKS = {
    "cancel": "-",
    "rejected": "?",
    "conflict": "!",
    "change": "~",
    "rekey": ">",
    "adopt": "=",
    "create": "+",
    "missing": "m",
    "held": "h",
}
"""The kinds of item that have a line, in this order."""

Json = Mapping[str, Any]


def line(item: Json) -> str:
    kind = item["kind"]
    words = [f"{MARKS[kind]} {kind:8}", item["section"] or "(no key)", item["title"]]
    if item["room"]:
        words.append(f"[{item['room']}]")
    told = ", ".join(_told(item))
    return "  ".join(filter(None, [*words, f"({told})" if told else ""]))


def _told(item: Json) -> Iterator[str]:
    if item["lines"]:
        yield f"line {', '.join(map(str, item['lines']))}"
    elif item["kind"] == "rejected" and item["pointer"]:
        yield item["pointer"]
    held = item["sessions"] or {}
    for name in ("added", "moved", "cancelled"):
        if held.get(name):
            yield f"{held[name]} session{'' if held[name] == 1 else 's'} {name}"
    for change in item["changes"]:
        yield f"{change['field']}: {_value(change['from'])} -> {_value(change['to'])}"
    if item["reason"]:
        yield item["reason"] + (f": {item['because']}" if item["because"] else "")
    if item["group"]:
        yield f"together with all of {item['group']}"
    for warning in item["warnings"]:
        yield f"warning {warning['code']}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def fitted(text: str, width: int | None) -> str:
    """The text within so many columns, as far as its words let it; None: on one line, as programs read it."""
    if width is None:
        return text
    return textwrap.fill(text, width, subsequent_indent=" " * 12, break_long_words=False, break_on_hyphens=False)


def about_plan(plan: Json, skipped: Mapping[str, int]) -> Iterator[str]:
    """What stands below its items. `skipped`: how many of them, by reason."""
    counts = plan["counts"]
    if counts.get("unchanged"):
        yield f"{counts['unchanged']} unchanged"
    if skipped:
        why = ", ".join(f"{number} {reason}" for reason, number in skipped.items())
        yield f"{counts['skipped']} skipped: {why}"
    for code, number in plan["warnings"].items():
        yield f"warning: {number} {code}"
    for guard in plan["guards"]:
        yield f"BLOCKED by {guard['guard']}: {guard['found']}, and the limit is {guard['limit']}. {guard['what_to_do']}"
    yield f"Plan {plan['id']} ({plan['status']}): {plan['summary']}."


def next_step(plan: Json) -> str:
    command = f"lectern term apply {plan['term']} {plan['id']} --wait"
    if plan["status"] == "blocked":
        allow = "".join(f" --allow {guard['guard']}" for guard in plan["guards"])
        return f"Nothing was changed. If all of it is right:\n  {command}{allow}"
    if not is_to_apply(plan):
        return "There is nothing to apply."
    return f"To apply it:\n  {command}"


def is_to_apply(plan: Json) -> bool:
    """Also to note which sections are missing since now, or are not any more."""
    return plan["status"] == "ready" or any(plan["absences"].values())


def waits_for(apply: Json) -> str | None:
    """What it waits for, if one of its items says so."""
    problems = (item["problem"] for item in apply["items"] if item["outcome"] == "waiting")
    return next((problem["detail"] for problem in problems if problem), None)


def about_apply(apply: Json) -> Iterator[str]:
    for item in apply["items"]:
        problem = item["problem"] or {}
        why = f": {problem.get('detail')}" if problem.get("detail") else ""
        yield f"{item['outcome']:8}  {item['kind']}  {item['section'] or '(no key)'}  {item['title']}{why}"
    counts = ", ".join(f"{number} {outcome}" for outcome, number in apply["counts"].items() if number)
    yield f"Apply {apply['id']} is {apply['status']}: {counts or 'nothing was to be done'}."
