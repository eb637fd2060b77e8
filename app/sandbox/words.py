"""What `lectern sandbox` says: its help, and the lines that it begins with."""

from collections.abc import Mapping

from app.sandbox.seed.seed import ADMIN_SECRET, APP_TOKEN, APP_TOKEN_ID, PARTNER_ID, USER_SECRET, WIDGET_ID
from app.sandbox.trouble.faults import ALL_DONE, NOTHING_DONE

MODES = {
    "index_lag": "for so many seconds, what is new is not found by filters",
    "search_down": "searches fail; adds and cancels fail too, though done",
    "engine_down": "the same, and what is saved meanwhile is never found later",
    "reservations_down": "no resource can be reserved, so none can be linked",
    "server_zone": "the zone in which times are kept: its repeated hour is lost",
    "totals_lag": "for so many seconds, lists count what was deleted",
    "lock_timeout": "for so many seconds, an entry locks its categories and users",
    "half_add": "of a series some children are made, or found, for good",
    "half_entry": "an entry is made without its categories, no answer",
    "half_link": "of a linked series some sessions are on the room's list, for good",
    "half_delete": "a series is deleted, and its children stay",
}
EXAMPLE = """\
curl -X PUT http://127.0.0.1:8100/_sandbox/faults -d '{
  "latency": 0.05,
  "faults": [
    {"service": "schedule_scheduleEvent", "action": "add",
     "fault": "drop_after", "times": 1},
    {"fault": "http_429", "retry_after": 2, "probability": 0.1}
  ],
  "modes": {"index_lag": 5}
}'"""


def _listed(explained: Mapping[str, str]) -> str:
    width = max(map(len, explained))
    return "\n".join(f"  {name:{width}}  {words}" for name, words in explained.items())


# The help formatter breaks the lines of paragraphs by itself and keeps those breaks that are here.
HELP = f"""\
Run the Kaltura simulator alone, for services whose LECTERN_KALTURA_URL points at it, or for any client of Kaltura's.

Beside /api_v3 it has four pages: GET /_sandbox/requests (what was called), GET /_sandbox/state (what it holds), and \
PUT /_sandbox/faults (what goes wrong from now on). Here, every answer comes 50 ms late, the next event that is added \
gets no answer although it is made, a tenth of all calls is refused, and the search index lags behind:

{EXAMPLE}

The next PUT replaces all of that; {{}} ends it. A fault strikes the calls of its service and action (any, if left \
out): so many times, or with a probability, or else always. The first that fits a call strikes it. Of what is struck \
by these, nothing is done:

{_listed(NOTHING_DONE)}

By these, all is done:

{_listed(ALL_DONE)}

Modes last until the next PUT:

{_listed(MODES)}
"""


def started(url: str, database: str, holds: Mapping[str, int]) -> str:
    """The address, what is there, and how to sign in."""
    return f"""\
Kaltura's sandbox listens on {url} (Ctrl+C ends it).

It holds {", ".join(f"{count:,} {kind}" for kind, count in holds.items())}, kept in {database}.
  what it holds     {url}/_sandbox/state
  what was called   {url}/_sandbox/requests
  what goes wrong   {url}/_sandbox/faults, see `lectern sandbox --help`

Sign in with these. They are the same in every sandbox and protect nothing.
  partner id     {PARTNER_ID}
  admin secret   {ADMIN_SECRET}
  user secret    {USER_SECRET}
  app token      {APP_TOKEN}, its id {APP_TOKEN_ID}, SHA256, after startWidgetSession of {WIDGET_ID}

A service that uses it:
  LECTERN_KALTURA_URL={url} LECTERN_KALTURA_PARTNER_ID={PARTNER_ID} \\
  LECTERN_KALTURA_APP_TOKEN_ID={APP_TOKEN_ID} LECTERN_KALTURA_APP_TOKEN={APP_TOKEN} lectern serve
"""
