"""What pages say: states with a shape and a word, dates and times by the clocks of a zone, how much there is."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from markupsafe import Markup


class Asked(NamedTuple):
    """An action before it is done: what it would do, and how its button is called."""

    title: str
    what: str
    button: str
    dangerous: bool = False


class State(NamedTuple):
    """`kind` is its class in the style sheet, `shape` what is there besides the colour."""

    kind: str
    shape: str
    word: str


STATES: Mapping[str, State] = {
    # of recordings and chains
    "scheduling": State("going", "◔", "being scheduled"),
    "scheduled": State("good", "○", "scheduled"),
    "failed": State("bad", "✕", "failed"),
    "stuck": State("bad", "▲", "stuck"),
    "cancelling": State("going", "◔", "being cancelled"),
    "cancelled": State("off", "–", "cancelled"),
    "queued": State("going", "◌", "in line"),
    "running": State("going", "◔", "at work"),
    "waiting": State("wait", "◷", "waits"),
    "undoing": State("going", "◔", "being undone"),
    "succeeded": State("good", "✓", "done"),
    "pending": State("off", "·", "to come"),
    "undone": State("off", "↺", "undone"),
    "not_begun": State("off", "·", "not begun"),
    # of sessions
    "ahead": State("good", "○", "ahead"),
    "recording": State("live", "●", "recording"),
    "over": State("off", "✓", "over"),
    "past": State("off", "✓", "over"),
    "excluded": State("off", "–", "left out"),
    "not_scheduled": State("off", "–", "not scheduled"),
    "planned": State("going", "◔", "being scheduled"),
    "other": State("other", "◇", "somebody else's"),
    "trouble": State("bad", "▲", "in trouble"),
    # of calendars and those who follow them
    "follows": State("good", "✓", "follows it"),
    "following": State("going", "◔", "is being changed"),
    "behind": State("bad", "▲", "could not follow"),
    "followed": State("good", "✓", "followed by all"),
    "coming": State("going", "◔", "on its way"),
    "lagging": State("bad", "▲", "not followed by all"),
    "unused": State("off", "–", "not used yet"),
    # of terms' plans, their items, and what became of them
    "making": State("going", "◔", "being made"),
    "ready": State("good", "○", "ready to be applied"),
    "nothing_to_do": State("off", "✓", "nothing to do"),
    "blocked": State("bad", "▲", "blocked"),
    "expired": State("off", "–", "too old"),
    "superseded": State("off", "–", "a later one was applied"),
    "applying": State("going", "◔", "being applied"),
    "stopped": State("wait", "‖", "stopped"),
    "applied": State("good", "✓", "applied"),
    "partly": State("bad", "▲", "applied, but not all of it"),
    "create": State("good", "+", "to create"),
    "change": State("wait", "~", "to change"),
    "rekey": State("wait", "›", "to take a new key"),
    "adopt": State("good", "=", "to adopt"),
    "cancel": State("bad", "−", "to cancel"),
    "unchanged": State("off", "✓", "unchanged"),
    "held": State("off", "‖", "cancelled by hand"),
    "missing": State("wait", "◷", "missing"),
    "skipped": State("off", "–", "not recorded"),
    "conflict": State("bad", "▲", "in conflict"),
    "rejected": State("bad", "?", "rejected"),
    "done": State("good", "✓", "done"),
    "stale": State("bad", "↺", "changed meanwhile"),
    # of encoders
    "in_touch": State("good", "✓", "in touch"),
    "silent": State("bad", "▲", "silent"),
    "said": State("off", "·", "heard"),
    "never": State("off", "·", "never polled"),
    "idle": State("good", "○", "idle"),
    "uploading": State("going", "↑", "uploading"),
    "error": State("bad", "▲", "error"),
    "offline": State("off", "–", "switched off"),
    # of findings
    "now": State("bad", "▲", "now"),
    "soon": State("wait", "◷", "soon"),
    "notice": State("other", "◇", "notice"),
}

GUARDS = {
    "input_drop": "Fewer sections than before",
    "expected": "Not as many sections as were announced",
    "cancel_share": "Many cancellations",
    "change_share": "Many changes of time or room",
    "reject_share": "Many rows cannot be read",
    "unknown_rooms": "Many unknown rooms",
    "soon": "Something begins soon",
    "old_export": "An old export",
}
REASONS = {
    "cancelled": "It is cancelled in the timetable.",
    "no_room": "It has no room.",
    "no_time": "It has no time.",
    "room_not_recorded": "Nothing records in its room.",
    "type_not_recorded": "Sections of its type are not recorded.",
    "not_to_record": "The timetable says that it is not to be recorded.",
    "no_sessions_left": "No session of it is left.",
    "past": "Its sessions are over.",
    "meeting_gone": "Its section has this meeting no more.",
    "missing": "It is not in what was sent.",
}
WEEKDAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}
STEPS = {
    "resource": "find the room",
    "state": "work out what changes",
    "conflicts": "look for conflicts",
    "template_entry": "make the template entry",
    "events": "make the events",
    "occurrences": "read the sessions back",
    "exclusions": "leave days out",
    "links": "link to the room",
    "newest": "find the newest session",
    "ownership": "make sure it is ours",
    "categories": "find the categories",
    "words": "write the words",
    "assignments": "publish in categories",
    "details": "write what single sessions have of their own",
    "together": "wait for the recordings that change with it",
    "switch": "switch over",
    "retire": "remove the old events",
    "remains": "cancel what is left of a series",
    "mend": "set right what that has changed besides",
    "entry": "remove the template entry",
    "look": "look for what was made twice",
    "remove": "remove it",
}
OPERATIONS = {
    "schedule": "Schedule",
    "schedule_together": "Schedule, with others",
    "update": "Change",
    "calendar": "Follow the calendars",
    "cancel": "Cancel",
    "cancel_occurrence": "Cancel one session",
    "move_occurrence": "Move one session",
    "restore_occurrence": "Restore one session",
    "name_occurrence": "Name one session",
    "end_occurrence": "End or extend a session",
    "mend": "Mend",
    "clear": "Clear what is left in Kaltura",
    "sweep": "Look for what was made twice",
}
DIFFERENCES = {
    "missing": "it is missing there",
    "moved": "it is at another time there",
    "replaced": "another event is there in its place",
    "unlisted": "it is there, but not in the room’s list",
    "extra": "a session is there that is not wanted",
    "resource_gone": "the room is not there any more",
    "template_entry_gone": "the template entry is not there any more",
}


def state_of(name: str) -> Markup:
    """A state as it is shown everywhere."""
    state = STATES.get(name) or State("other", "◇", plain(name))
    return Markup('<span class="state {}"><span aria-hidden="true">{}</span> {}</span>').format(*state)


def kind_of(name: str) -> str:
    """A state's class in the style sheet."""
    return STATES[name].kind if name in STATES else "other"


def plain(name: str) -> str:
    """A name of a program's in words: `template_entry` is `template entry`."""
    return name.replace("_", " ")


def in_zone(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone))


def clock(moment: datetime, zone: str) -> str:
    return f"{in_zone(moment, zone):%H:%M}"


def _time(form: str, written: Callable[[datetime], str]) -> Callable[[datetime | str, str], Markup]:
    """A `<time>` that JavaScript writes anew in the browser's language; `form` tells it how much of it.

    A moment may be as JSON has it.
    """

    def shown(moment: datetime | str, zone: str) -> Markup:
        local = in_zone(datetime.fromisoformat(moment) if isinstance(moment, str) else moment, zone)
        return Markup('<time datetime="{}" data-form="{}" data-zone="{}">{}</time>').format(
            local.isoformat(timespec="seconds"), form, zone, written(local)
        )

    return shown


def day_of(day: date) -> Markup:
    """`Wed 13 Jan 2027`."""
    return Markup('<time datetime="{}" data-form="date">{}</time>').format(day.isoformat(), f"{day:%a} {_date(day)}")


def _date(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def date_in_words(day: date, *, year: bool = True) -> str:
    """`Wednesday 13 January 2027`, for sentences."""
    return f"{day:%A} {day.day} {day:%B}" + (f" {day.year}" if year else "")


def when(local: datetime) -> str:
    """`Wed 13 Jan 2027, 09:00`."""
    return f"{local:%a} {_date(local)}, {local:%H:%M}"


moment = _time("moment", when)
day = _time("day", lambda local: f"{local:%a} {_date(local)}")


def lasting(span: timedelta) -> str:
    """`50 min`, `1 h 30 min`, `2 s`."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def step(name: str) -> str:
    """A step of a chain in words. An older version's chain may have one that is not known any more."""
    return STEPS.get(name) or plain(name)


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def isolated(text: str) -> str:
    """Others' words within a sentence: what turns the direction in them turns nothing after them (Unicode TR 9)."""
    return text if text.isascii() else f"\u2068{text}\u2069"


FILTERS: dict[str, Callable[..., Any]] = {
    "moment": moment,
    "day": day,
    "date": day_of,
    "clock": clock,
    "plain": plain,
    "lasting": lasting,
    "count": count,
    "marked": lambda weeks: any(cell and cell.kind for week in weeks for cell in week),
    "number": lambda number: f"{number:,}",
    "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
    "step": step,
    "difference": lambda name: DIFFERENCES.get(name) or plain(name),
    "operation": lambda name: OPERATIONS.get(name) or plain(name).capitalize(),
}
