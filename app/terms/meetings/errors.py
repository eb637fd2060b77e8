"""What goes wrong while a declaration is read: with all of it, or with one row."""

from collections.abc import Sequence


class CannotReadError(Exception):
    """Nothing of the declaration can be read, so there is no plan.

    `code` is one stable word, `detail` says what is wrong and how to mend it. `errors` points into the declaration,
    as `[{"pointer", "detail"}]`. The codes: `too_many_meetings`, `truncated` (the body ends in the middle), `encoding`,
    `not_json`, `no_declaration`, `declaration`, `no_header`, `columns`, `unknown_profile`, `complete_needs_keys`.
    """

    def __init__(self, code: str, detail: str, errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = list(errors)


class RejectedError(ValueError):
    """One row, section or meeting cannot be read. `reason` is one stable word, `detail` says how to mend it.

    `pointer` leads to the value within what is rejected (RFC 6901), "" is all of it.
    """

    def __init__(self, reason: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.pointer = pointer
