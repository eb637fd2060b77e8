"""Rules: what is refused and where, RRULE strings, what a rule means by hand, and how little work a mean one makes."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from time import perf_counter

import pytest

from app.recurrence import rules
from app.recurrence.occurrences import zone
from app.recurrence.rules import Day, Rule, RuleError, expand, parse_day, parse_rrule, rrule_parts, rule_of
from tests.recurrence.support import at, days

TUESDAY = at("2027-02-02T09:00")
MOST_DAYS = 3 * 365 + 1 + 31  # three years with a leap day, and the rest of a month


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Rule("yearly", count=1), "frequency"),  # type: ignore[arg-type]
        (lambda: Rule("daily", interval=0, count=1), "interval"),
        (lambda: Rule("daily", interval=13, count=1), "interval"),
        (lambda: Rule("daily"), ""),
        (lambda: Rule("daily", count=1, until=date(2027, 3, 1)), ""),
        (lambda: Rule("daily", count=0), "count"),
        (lambda: Rule("daily", count=1001), "count"),
        (lambda: Rule("daily", count=1, week_start="XX"), "week_start"),
        (lambda: Rule("daily", count=1, days=days("MO,MO")), "days"),
        (lambda: Rule("weekly", count=1, days=days("2MO")), "days"),
        (lambda: Rule("weekly", count=1, month_days=(1,)), "month_days"),
        (lambda: Rule("weekly", count=1, days=days("MO"), positions=(1,)), "positions"),
        (lambda: Rule("monthly", count=1, month_days=(0,)), "month_days"),
        (lambda: Rule("monthly", count=1, month_days=(32,)), "month_days"),
        (lambda: Rule("monthly", count=1, month_days=(-32,)), "month_days"),
        (lambda: Rule("monthly", count=1, month_days=(1, 1)), "month_days"),
        (lambda: Rule("monthly", count=1, positions=(1,)), "positions"),
        (lambda: Rule("monthly", count=1, days=days("MO"), positions=(0,)), "positions"),
        (lambda: parse_day("XX"), "days"),
        (lambda: parse_day("mo"), "days"),
        (lambda: parse_day("6MO"), "days"),
        (lambda: parse_day("0MO"), "days"),
        (lambda: parse_day(" MO"), "days"),
        (lambda: Day("MO", 0), "days"),
    ],
)
def test_an_invalid_rule_is_refused_at_its_field(make: Callable[[], object], field: str) -> None:
    with pytest.raises(RuleError) as refused:
        make()
    assert refused.value.field == field
    assert refused.value.detail.endswith(".")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=40", Rule("weekly", days=days("MO,WE,FR"), count=40)),
        ("RRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20270514", Rule("daily", interval=2, until=date(2027, 5, 14))),
        ("freq=weekly;wkst=su;count=3", Rule("weekly", week_start="SU", count=3)),
        ("COUNT=9;BYDAY=+2TU,-1FR;FREQ=MONTHLY", Rule("monthly", days=days("2TU,-1FR"), count=9)),
        (
            "FREQ=MONTHLY;BYMONTHDAY=1,-1;BYSETPOS=+2,-1;COUNT=9",
            Rule("monthly", month_days=(1, -1), positions=(2, -1), count=9),
        ),
    ],
)
def test_an_rrule_is_read_into_the_same_model(text: str, rule: Rule) -> None:
    assert parse_rrule(text) == rule


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", ""),
        ("every monday", ""),
        ("FREQ=DAILY;COUNT=1;BYHOUR=9", ""),
        ("DTSTART:20270101T090000\nRRULE:FREQ=DAILY;COUNT=1", ""),
        ("FREQ=DAILY", ""),
        ("COUNT=1", "frequency"),
        ("FREQ=YEARLY;COUNT=1", "frequency"),
        ("FREQ=DAILY;BYMONTH=1;COUNT=1", ""),
        ("FREQ=DAILY;FREQ=DAILY;COUNT=1", "frequency"),
        ("FREQ=DAILY;COUNT=", "count"),
        ("FREQ=DAILY;COUNT=0", "count"),
        ("FREQ=DAILY;COUNT=１", "count"),
        ("FREQ=DAILY;COUNT=1_0", "count"),
        ("FREQ=DAILY;COUNT=" + "9" * 5000, "count"),
        ("FREQ=DAILY;INTERVAL=0;COUNT=1", "interval"),
        ("FREQ=WEEKLY;BYDAY=MO,;COUNT=1", "days"),
        ("FREQ=MONTHLY;BYMONTHDAY=1.5;COUNT=1", "month_days"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=x;COUNT=1", "positions"),
        ("FREQ=DAILY;UNTIL=2027-05-14", "until"),
        ("FREQ=DAILY;UNTIL=20270230", "until"),
        ("FREQ=DAILY;UNTIL=20270514T130000Z", "until"),
        ("FREQ=DAILY;WKST=;COUNT=1", "week_start"),
    ],
)
def test_what_is_not_an_rrule_of_the_subset_is_refused(text: str, field: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse_rrule(text)
    assert refused.value.field == field
    assert not text or text not in refused.value.detail


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20270514", date(2027, 5, 14)),
        ("20270514T035959Z", date(2027, 5, 13)),  # 13 May, 23:59:59 in New York
        ("20270514T130000Z", date(2027, 5, 14)),  # 09:00 there: inclusive
        ("20270514T125959Z", date(2027, 5, 13)),
        ("20271107T055959Z", date(2027, 11, 6)),
        ("20270514T090000", date(2027, 5, 14)),
        ("20270514T085959", date(2027, 5, 13)),
        ("20270514T235959", date(2027, 5, 14)),
    ],
)
def test_until_as_a_date_time_lets_the_last_session_in_that_begins_by_then(until: str, last: date) -> None:
    rule = rule_of(rrule_parts(f"FREQ=DAILY;UNTIL={until}"), at("2027-01-13T09:00"), zone("America/New_York"))
    assert rule.until == last


@pytest.mark.parametrize("until", ["00010101T000000Z", "00010101T000000", "99991231T235959Z", "20270514T250000Z"])
def test_until_at_the_ends_of_the_calendar_is_no_surprise(until: str) -> None:
    with pytest.raises(RuleError) as refused:
        expand(rule_of(rrule_parts(f"FREQ=DAILY;UNTIL={until}"), TUESDAY, zone("Asia/Tokyo")), TUESDAY)
    assert refused.value.field == "until"


@pytest.mark.parametrize(
    ("rule", "start", "dates"),
    [
        # RFC 5545, 3.3.10: the week that a biweekly rule skips depends on the day on which weeks begin.
        (Rule("weekly", 2, days("TU,SU"), count=4), "1997-08-05", "0805 0810 0819 0824"),
        (Rule("weekly", 2, days("TU,SU"), count=4, week_start="SU"), "1997-08-05", "0805 0817 0819 0831"),
        # RFC 5545, 3.8.5.3: examples
        (Rule("daily", 10, count=5), "1997-09-02", "0902 0912 0922 1002 1012"),
        (Rule("monthly", days=days("1FR"), count=4), "1997-09-05", "0905 1003 1107 1205"),
        (Rule("monthly", 2, days("1SU,-1SU"), count=4), "1997-09-07", "0907 0928 1102 1130"),
        (Rule("monthly", month_days=(-3,), count=4), "1997-09-28", "0928 1029 1128 1229"),
        (Rule("monthly", days=days("FR"), month_days=(13,), count=3), "1998-02-02", "0213 0313 1113"),
        (Rule("monthly", days=days("TU,WE,TH"), positions=(3,), count=3), "1997-09-04", "0904 1007 1106"),
        (Rule("monthly", days=days("MO,TU,WE,TH,FR"), positions=(-2,), count=4), "1997-09-29", "0929 1030 1127 1230"),
        # A month without the day is skipped.
        (Rule("monthly", count=3), "2027-01-31", "0131 0331 0531"),
        # A plain day beside a numbered one: either.
        (Rule("monthly", days=days("MO,1TU"), count=4), "2027-02-01", "0201 0202 0208 0215"),
        # A start that does not match is not an occurrence.
        (Rule("weekly", days=days("MO"), count=2), "2027-02-02", "0208 0215"),
        (Rule("daily", days=days("SA,SU"), until=date(2027, 2, 7)), "2027-02-02", "0206 0207"),
    ],
)
def test_a_rule_means_what_the_rfc_says(rule: Rule, start: str, dates: str) -> None:
    assert [f"{local:%m%d}" for local in expand(rule, at(f"{start}T09:00"))] == dates.split()


@pytest.mark.parametrize(
    ("rule", "start", "field"),
    [
        (Rule("daily", until=date(2027, 2, 1)), TUESDAY, "until"),
        (Rule("daily", until=date(2030, 2, 3)), TUESDAY, "until"),
        (Rule("monthly", until=date(9999, 12, 31)), TUESDAY, "until"),
        (Rule("daily", until=date(2029, 12, 31)), TUESDAY, "until"),
        (Rule("daily", 12, count=1000), TUESDAY, "count"),
        (Rule("weekly", 12, count=15), TUESDAY, "count"),
        (Rule("monthly", 12, days=days("5MO"), count=1000), at("2027-03-02T09:00"), "count"),
        (Rule("monthly", 12, month_days=(29,), count=2), at("2028-02-29T09:00"), "count"),
        (Rule("daily", 7, days("MO"), count=1), TUESDAY, ""),
        (Rule("monthly", 12, month_days=(30,), until=date(2030, 2, 2)), TUESDAY, ""),
        (Rule("monthly", days=days("MO"), positions=(6,), count=1000), TUESDAY, ""),
        (Rule("monthly", days=days("5MO"), month_days=(1, 2, 3), count=1), TUESDAY, ""),
        (Rule("monthly", month_days=tuple(range(1, 32)), positions=(-31, 31), days=days("MO"), count=1), TUESDAY, ""),
        (Rule("daily", count=1000), TUESDAY, None),
        (Rule("monthly", days=days("MO,TU,WE,TH,FR,SA,SU"), count=1000), TUESDAY, None),
        (Rule("monthly", 12, days=days("5MO"), until=date(2030, 2, 2)), at("2027-03-02T09:00"), None),
        (
            Rule("monthly", month_days=(*range(1, 32), *range(-31, 0)), positions=tuple(range(1, 32)), count=1000),
            TUESDAY,
            None,
        ),
    ],
)
def test_however_mean_a_rule_looks_at_each_day_of_three_years_at_most_once(
    rule: Rule, start: datetime, field: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[date] = []
    choose = rules._chosen

    def counting(rule: Rule, period: Sequence[date]) -> Sequence[date]:
        looked_at.extend(period)
        return choose(rule, period)

    monkeypatch.setattr(rules, "_chosen", counting)
    begun = perf_counter()
    try:
        expand(rule, start)
        refused = None
    except RuleError as error:
        refused = error.field
    print(f"{(perf_counter() - begun) * 1000:.2f} ms, {len(looked_at)} days looked at")
    assert refused == field
    assert len(looked_at) == len(set(looked_at)) <= MOST_DAYS


def test_what_the_rule_itself_tells_is_refused_before_anything_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(rules, "_periods")
    for until in (TUESDAY.date() - timedelta(days=1), date(2030, 2, 3), date.max):
        with pytest.raises(RuleError):
            expand(Rule("daily", until=until), TUESDAY)


def test_three_years_and_a_thousand_occurrences_are_just_allowed() -> None:
    assert expand(Rule("weekly", until=date(2030, 2, 2)), TUESDAY)[-1] == at("2030-01-29T09:00")
    assert expand(Rule("monthly", until=date(2031, 3, 1)), at("2028-02-29T09:00"))[-1] == at("2031-01-29T09:00")
    assert len(expand(Rule("daily", count=1000), TUESDAY)) == 1000
