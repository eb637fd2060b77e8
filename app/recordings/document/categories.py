"""Categories of Kaltura as a document names them: by id, or by full name."""

from app.kaltura.client import KalturaClient


def category_id(kaltura: KalturaClient, category: int | str) -> int | None:
    """None if Kaltura has no such name. An id is itself: Kaltura refuses it where it is used, if there is none."""
    if isinstance(category, int):
        return category
    found = kaltura.find_category(category)
    return found.id if found else None


def is_category(kaltura: KalturaClient, category: int | str) -> bool:
    """Whether Kaltura has it. It is asked for an id, too."""
    known = kaltura.get_category(category) if isinstance(category, int) else kaltura.find_category(category)
    return known is not None


def no_category(category: int | str) -> str:
    """The sentence that refuses a category, whoever finds that out."""
    named = category if isinstance(category, int) else f"'{category}'"
    return f"Kaltura has no category {named}."
