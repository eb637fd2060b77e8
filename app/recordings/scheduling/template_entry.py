"""The step that makes a recording's template entry: the media entry whose words each recorded entry inherits.

It carries Lectern's own `referenceId`, by which it is looked up when the outcome of making it is unknown. Kaltura may
have made it by halves then: it is there, and is in none of its categories. So what is found is compared with what was
asked for. What is missing is added; what Kaltura does not let be added is deleted with its entry, which is made anew.

An entry that Kaltura has made without a word, and that its search engine never hears of, is not found by anything: all
lists of entries ask the search engine. Another one is made, and the first stays, with nothing scheduled for it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from app.chains.steps import Act, Call, Done, Failed, Outcome, Step
from app.kaltura.errors import Refused, Transient, Unknown
from app.kaltura.types import Entry, EntryDraft
from app.recordings.document.categories import category_id, no_category
from app.recordings.scheduling import own
from app.recordings.scheduling.context import Ctx, Tools
from app.recordings.scheduling.outcomes import GONE, NOT_OURS, Ignored, at, outcome
from app.recordings.scheduling.save_results import save_entry
from app.resources.references import reference, token_of


def _entry_calls(context: Ctx) -> list[Call]:
    return [Call("0", {"reference_id": reference(context.subject, 0, token_of(context.chain_id))})]


@outcome()
def _make_entry(context: Ctx, call: Call) -> Outcome:
    ids = _category_ids(context)
    if isinstance(ids, Failed):
        return ids
    draft = EntryDraft(**context.input["entry"], category_ids=ids, reference_id=call.request["reference_id"])
    try:
        made = context.tools.kaltura.add_entry(draft)
    except Refused as refusal:
        if refusal.code != "CATEGORY_NOT_FOUND":
            raise
        return _refused_category(context, refusal)
    try:
        own.complete_entry(context, made, ids)
    except (Refused, Transient) as error:
        refused = error if isinstance(error, Refused) else None
        raise Unknown(f"Kaltura made the entry without its categories: {error}", refusal=refused) from None
    return Done(made.id)


def _category_ids(context: Ctx) -> list[int] | Failed:
    ids: list[int] = []
    for place, category in enumerate(context.input["categories"]):
        found = category_id(context.tools.kaltura, category)
        if found is None:
            return unknown_category(context, place)
        ids.append(found)
    return ids


def category_questions(context: Ctx) -> list[Act]:
    """What is going to be asked about the document's categories, and those that it had before."""
    before = context.input.get("before", {}).get("categories", [])
    if before == context.input["categories"]:
        return []
    names = dict.fromkeys(one for one in (*context.input["categories"], *before) if isinstance(one, str))
    return [partial(context.tools.kaltura.find_category, name) for name in names]


def unknown_category(context: Ctx, place: int, **more: Any) -> Failed:
    return at("category_not_found", f"/categories/{place}", no_category(context.input["categories"][place]), **more)


def _refused_category(context: Ctx, refusal: Refused) -> Failed:
    """Kaltura names the id in its arguments (exchange 863)."""
    for place, category in enumerate(context.input["categories"]):
        if str(category) in refusal.arguments.values():
            return unknown_category(context, place, kaltura_code=refusal.code)
    return at("category_not_found", "/categories", "Kaltura has no such category.", kaltura_code=refusal.code)


@outcome()
def _find_entry(context: Ctx, call: Call) -> Outcome | None:
    found = context.tools.kaltura.find_entries(call.request["reference_id"])
    if not found:
        return None
    ids = _category_ids(context)
    if isinstance(ids, list) and _completed(context, found[0], ids):
        return Done(found[0].id)
    _remove(context, found[0].id)
    return None


def _completed(context: Ctx, entry: Entry, category_ids: Sequence[int]) -> bool:
    """Whether it is what was asked for now; False if Kaltura does not let it become that."""
    try:
        own.complete_entry(context, entry, category_ids, context.input["entry"])
    except (Refused, Ignored):
        return False
    except Unknown as error:
        if error.refusal is None:
            raise
        return False
    return True


def _remove(context: Ctx, entry_id: str) -> None:
    try:
        own.delete_entry(context, entry_id)
    except Refused as refusal:
        if refusal.code not in GONE:
            raise


@outcome(*GONE, NOT_OURS)
def _delete_entry(context: Ctx, _call: Call, made: str) -> Outcome:
    own.delete_entry(context, made)
    return Done()


TEMPLATE_ENTRY: Step[Tools] = Step(
    "template_entry", _entry_calls, _make_entry, _find_entry, _delete_entry, save=save_entry
)
