"""The kinds of findings: how bad each is, when it is raised, and what to do. docs/findings.md is made from it."""

from typing import NamedTuple

from app.findings.schemas import Kind, Severity


class _About(NamedTuple):
    severity: Severity
    raised: str
    what_to_do: str


KINDS = {
    Kind.SIGN_IN_REFUSED: _About(
        Severity.NOW,
        "Kaltura refuses the sign-in.",
        "Run `lectern check`: it says which setting is wrong, or whom to ask.",
    ),
    Kind.KALTURA_AWAY: _About(
        Severity.NOW,
        "Kaltura gives no answer: all calls are held back, or none was answered for a minute.",
        "Look whether Kaltura is up and this machine reaches it. Nothing is lost: what waits goes on by itself.",
    ),
    Kind.ENCODER_SILENT: _About(
        Severity.NOW,
        "An encoder that used to poll has not done so for five minutes, and a session runs or begins within the hour.",
        "Look whether the encoder has power and network, and whether its key still works.",
    ),
    Kind.ENCODER_ERROR: _About(
        Severity.NOW,
        "An encoder says that its state is `error`.",
        "Look at the encoder. This is over when the encoder says another state.",
    ),
    Kind.CHAIN_STUCK: _About(
        Severity.NOW,
        "Lectern has given up on a change for now, after a day of trying.",
        "Mend what is said to be wrong, then resume it.",
    ),
    Kind.NOT_RECORDED: _About(
        Severity.SOON,
        "A session was over an hour ago, and its encoder has uploaded nothing. Only on resources whose uploads were "
        "ever seen, and for three days.",
        "Look whether the encoder still has the recording, and whether it will record what is next.",
    ),
    Kind.RECORDING_FAILED: _About(
        Severity.SOON,
        "A document was refused in the last seven days, and was not sent anew since.",
        "Mend what the recording's problem says and send the document again, or delete the recording.",
    ),
    Kind.RESOURCE_GONE: _About(
        Severity.SOON,
        "The resource of sessions that lie ahead was deleted in Kaltura.",
        "Make the resource in Kaltura again under its name, or give the recording another; then resume it.",
    ),
    Kind.RESOURCE_REPLACED: _About(
        Severity.SOON,
        "The name that a document gives its resource means another resource in Kaltura by now.",
        "If the sessions belong on the resource that has the name now, resume the recording.",
    ),
    Kind.TEMPLATE_ENTRY_GONE: _About(
        Severity.SOON,
        "The template entry of sessions that lie ahead was deleted in Kaltura.",
        "Resume the recording: a new template entry is made.",
    ),
    Kind.DRIFT: _About(
        Severity.SOON,
        "Somebody has changed sessions in Kaltura that Lectern scheduled.",
        "Resume the recording to make Kaltura right again, or change the recording to what was meant.",
    ),
    Kind.SESSIONS_OVERLAP: _About(
        Severity.SOON,
        "Two sessions of the next 14 days are on one resource at the same time. `notice` if the documents allow it.",
        "Move or cancel one of them: the encoder can record only one at a time.",
    ),
    Kind.MIRROR_STALE: _About(
        Severity.SOON,
        "What encoders see of a resource could not be read from Kaltura in time, or not all of it could be read.",
        "Encoders go on with what was known last. Look at `/readyz` for the cause.",
    ),
    Kind.CALENDAR_BEHIND: _About(
        Severity.SOON,
        "A recording could not be changed as its calendar says, or was not reached within ten minutes; or a session "
        "that a calendar lets come back is left out, as its room is taken. `now` if such a session is within the hour.",
        "Mend what is in the way, then resume the recording or send the calendar once more.",
    ),
    Kind.TERM_REFUSED: _About(
        Severity.SOON,
        "The latest timetable of a term could not be read, or its plan is blocked by a guard. Until the next good one, "
        "or until the term is over.",
        "Mend what it says, and send the timetable again.",
    ),
    Kind.CHAIN_WAITING: _About(
        Severity.NOTICE,
        "A change has waited for more than ten minutes.",
        "It goes on by itself. The recording's `chain` says what it waits for; resuming tries it at once.",
    ),
    Kind.WEBHOOK_FAILING: _About(
        Severity.NOTICE,
        "A receiver of notices has taken nothing for ten minutes.",
        "Look at the receiver. What waits is sent when it is well again; `lectern webhooks retry` tries at once.",
    ),
}

SEVERITY = {kind: about.severity for kind, about in KINDS.items()}
WHAT_TO_DO = {kind: about.what_to_do for kind, about in KINDS.items()}


def table() -> str:
    """KINDS in Markdown."""
    rows = (f"| `{kind}` | `{about.severity}` | {about.raised} | {about.what_to_do} |" for kind, about in KINDS.items())
    return "\n".join(["| kind | severity | raised when | what to do |", "| --- | --- | --- | --- |", *rows])
