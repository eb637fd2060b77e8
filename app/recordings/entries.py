"""The step that makes a recording's template entry: the media entry whose words each recorded entry inherits.

It carries Lectern's own `referenceId`, `lectern-<recording id>-0`, by which it is looked up when the outcome of making
it is unknown.
"""

from collections.abc import Sequence

from app.chains.steps import Call, Done, Failed, Outcome, Step
from app.kaltura import types as kaltura
from app.kaltura.errors import Refused
from app.recordings import own
from app.recordings.outcomes import GONE, NOT_OURS, at, outcome
from app.recordings.saving import save_entry
from app.recordings.work import Ctx, Tools
from app.resources.references import reference, token_of


def _entry_calls(context: Ctx) -> list[Call]:
    return [Call("0", {"reference_id": reference(context.subject, 0, token_of(context.chain_id))})]


@outcome()
def _make_entry(context: Ctx, call: Call) -> Outcome:
    ids: list[int] = []
    for index, category in enumerate(context.input["categories"]):
        if isinstance(category, int):
            ids.append(category)
            continue
        found = context.tools.kaltura.find_category(category)
        if found is None:
            return at("category_not_found", f"/categories/{index}", f"Kaltura has no category '{category}'.")
        ids.append(found.id)
    words = context.input["entry"]
    draft = kaltura.EntryDraft(**words, category_ids=ids, reference_id=call.request["reference_id"])
    try:
        return Done(context.tools.kaltura.add_entry(draft).id)
    except Refused as refusal:
        if refusal.code != "CATEGORY_NOT_FOUND":
            raise
        return _unknown_category(context.input["categories"], refusal)


def _unknown_category(categories: Sequence[int | str], refusal: Refused) -> Failed:
    """Kaltura names the id in its arguments (#863)."""
    for index, category in enumerate(categories):
        if str(category) in refusal.arguments.values():
            detail = f"Kaltura has no category {category}."
            return at("category_not_found", f"/categories/{index}", detail, kaltura_code=refusal.code)
    return at("category_not_found", "/categories", "Kaltura has no such category.", kaltura_code=refusal.code)


@outcome()
def _find_entry(context: Ctx, call: Call) -> Outcome | None:
    found = context.tools.kaltura.find_entries(call.request["reference_id"])
    return Done(found[0].id) if found else None


@outcome(*GONE, NOT_OURS)
def _delete_entry(context: Ctx, _call: Call, made: str) -> Outcome:
    own.delete_entry(context, made)
    return Done()


TEMPLATE_ENTRY: Step[Tools] = Step(
    "template_entry", _entry_calls, _make_entry, _find_entry, _delete_entry, save=save_entry
)
