"""A plan in numbers, and in a sentence."""

from collections import Counter
from collections.abc import Sequence

from app.terms.comparing.guards import Guard
from app.terms.comparing.items import APPLIED, SEEN, Item, Kind
from app.terms.comparing.known import Known
from app.terms.meetings.rows import Reading


def summed_up(
    reading: Reading, items: Sequence[Item], known: Sequence[Known], guards: Sequence[Guard]
) -> dict[str, object]:
    counts = Counter(item.kind for item in items)
    warnings = Counter(note.code for item in items for note in item.notes)
    effects = [item.effect for item in items if item.kind in APPLIED]
    missing = {section for item in items if item.kind == Kind.MISSING for section in item.sections or ("",)}
    since = [(item.kind, item.known.missing_since) for item in items if item.known]
    absences = {
        "begin": sum(kind == Kind.MISSING and missing_since is None for kind, missing_since in since),
        "end": sum(kind in SEEN and missing_since is not None for kind, missing_since in since),
    }
    soon = sum(effect.soon for effect in effects)
    if soon:
        warnings["soon"] = soon
    sessions = {
        "added": sum(effect.added for effect in effects),
        "moved": sum(effect.moved for effect in effects),
        "cancelled": sum(effect.cancelled for effect in effects),
        "soon": soon,
    }
    return {
        "declared": {
            "rows": reading.rows,
            "sections": len(reading.sections),
            "meetings": len(reading.meetings),
            "complete": reading.head.complete,
            "source": reading.head.source,
            "generated_at": reading.head.generated_at and reading.head.generated_at.isoformat(),
        },
        "known": {"sections": len({key for one in known for key in one.sections}), "recordings": len(known)},
        "counts": {str(kind): counts[kind] for kind in Kind},
        "sessions": sessions,
        "absences": absences,
        "guards": [guard.shown() for guard in guards],
        "warnings": dict(warnings),
        "summary": _sentence(counts, sessions, len(missing), absences["end"]),
    }


_VERBS = (
    (Kind.CREATE, "to create"),
    (Kind.CHANGE, "to change"),
    (Kind.REKEY, "to take a new key"),
    (Kind.ADOPT, "to adopt"),
    (Kind.CANCEL, "to cancel"),
)
_REST = (
    (Kind.CONFLICT, "in conflict"),
    (Kind.REJECTED, "rejected"),
    (Kind.HELD, "cancelled by hand"),
    (Kind.SKIPPED, "not to be recorded"),
)


def _sentence(counts: Counter[Kind], sessions: dict[str, int], missing: int, back: int) -> str:
    """`missing` are sections, the rest items. `back`: they were missing when a plan was applied last."""
    parts = [f"{counts[kind]} {verb}" for kind, verb in _VERBS if counts[kind]]
    if not parts:
        parts = ["nothing to create or change"]
    touched = [f"{sessions[name]} {name}" for name in ("added", "moved", "cancelled") if sessions[name]]
    if touched:
        parts[-1] += f" (sessions: {', '.join(touched)})"
    if missing:
        parts.append(f"{'1 section is' if missing == 1 else f'{missing} sections are'} missing from the input")
    if back:
        parts.append(f"{back} back that {'was' if back == 1 else 'were'} missing")
    return "; ".join([*parts, *(f"{counts[kind]} {words}" for kind, words in _REST if counts[kind])])
