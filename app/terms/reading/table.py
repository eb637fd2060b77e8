"""CSV files as rows of cells: their encoding, their dialect, and what in them is no row.

The dialect and the header are found at once: in the first twenty lines, for each delimiter, the line in which at least
three known columns appear. So a title above the header, or `sep=;`, does no harm, and a file of another kind is
refused.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import islice

from app.terms.meetings.errors import CannotReadError
from app.terms.meetings.profiles import plain_name
from app.terms.reading.objects import cut_off

_QUOTATION = "A quotation mark stands where none may be: write it twice, and the cell in quotes."

DELIMITERS = (",", ";", "\t", "|")
HEADER_WITHIN = 20
LEAST_COLUMNS = 3
ROWS_LOOKED_AT = 20

_BEYOND_ASCII = re.compile(  # a character of UTF-8, or (the group) a byte that is none
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|([\x80-\xff])"
)
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_FORMULA = re.compile(r'="([^"]*)"')  # how spreadsheets keep the zeros of a number


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the file. `number` is its first line, from 1. `ignored`: it is none of the table's.

    `broken` says why its cells cannot be told apart.
    """

    number: int
    cells: list[str]
    ignored: bool = False
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class _Dialect:
    """`names` are the header's, plain. `width` is how many cells its rows have, with empty ones at their end."""

    delimiter: str
    names: list[str]
    width: int
    comment: str | None

    def row(self, cells: list[str]) -> list[str]:
        """As many as there are names, where the others are the empty ones that every row ends in."""
        named = len(self.names)
        ends_as_all = len(cells) == self.width and not any(cells[named:])
        return list(map(_clean, cells[:named] if ends_as_all else cells))

    def is_row(self, cells: list[str]) -> bool:
        return len(cells) == len(self.names)

    def of_line(self, line: str) -> list[str]:
        """As good as its cells can be told apart: for the key of a row that is rejected."""
        return self.row(_apart(line, self.delimiter))


@dataclass(frozen=True, slots=True)
class Table:
    """The columns by their plain names, and every line before and after them, as often as they are asked for."""

    columns: dict[str, int]
    lines: Callable[[], Iterator[Line]]


def decoded(body: bytes, charset: str | None) -> str:
    """The text: UTF-16 by its mark; strict UTF-8; else what the caller says; else cp1252. Raises CannotReadError.

    A UTF-8 mark may stand before bytes that are not UTF-8: it is dropped. A file that is UTF-8 but for a few bytes is
    refused: read as another encoding, each letter beyond ASCII would become two.
    """
    is_utf_16 = body[:2] in (b"\xff\xfe", b"\xfe\xff")
    body, said = body.removeprefix(b"\xef\xbb\xbf"), None if is_utf_16 else _said(charset)
    for name in ["utf-16"] if is_utf_16 else ["utf-8", said or "cp1252"]:
        try:
            return body.decode(name)
        except UnicodeDecodeError as error:
            if name == "utf-8" and said is None and _is_mostly_utf_8(body):
                raise _mixed(body.count(b"\n", 0, error.start) + 1) from None
        except UnicodeError:
            continue
    raise CannotReadError(
        "encoding", "The file is in another encoding than UTF-8 and Windows-1252: name it, as in charset=iso-8859-2."
    )


def _is_mostly_utf_8(body: bytes) -> bool:
    """By chance a text in another encoding has a few characters of UTF-8, as in `JOSÉ’S`."""
    is_character = Counter(found[1] is None for found in _BEYOND_ASCII.finditer(body))
    return is_character[True] >= is_character[False]


def _mixed(line: int) -> CannotReadError:
    return CannotReadError(
        "encoding",
        f"Line {line} has a character in another encoding, and the rest of the file is UTF-8. Mend it there, or save "
        "the whole file in one encoding. If it is not UTF-8, name its encoding, as in charset=windows-1252.",
    )


def _said(charset: str | None) -> str | None:
    """The caller's charset. Raises CannotReadError if it is none for texts."""
    if not charset or plain_name(charset) in {"utf8", "usascii", "ascii"}:
        return None
    try:
        "".encode(charset)
    except (LookupError, ValueError):
        raise CannotReadError("encoding", "charset is not the name of an encoding that is known here.") from None
    return charset


def table(text: str, known: Set[str], comment: str | None) -> Table:
    """Raises CannotReadError if no header is found."""
    header, delimiter, before = _header(text, known)
    names = [plain_name(cell) for cell in header]
    while names and not names[-1]:
        names.pop()
    dialect = _Dialect(delimiter, names, _width(text, len(header), delimiter, before), comment)
    twice = sorted({name for name in names if name in known and names.count(name) > 1})
    if twice:
        raise CannotReadError("columns", f"The header names a column twice: {', '.join(twice)}.")
    columns = {name: index for index, name in enumerate(names) if name}
    return Table(columns, partial(_lines, text, dialect, before))


def _header(text: str, known: Set[str]) -> tuple[list[str], str, int]:
    """The header's cells, the delimiter, and how many lines stand above it."""
    lines = list(islice(_physical(text), HEADER_WITHIN))
    best: tuple[int, list[str], str, int] | None = None
    for number, line in enumerate(lines):
        for delimiter in DELIMITERS:
            try:
                cells = next(csv.reader([line], delimiter=delimiter), [])
            except csv.Error:
                continue
            count = len({plain_name(cell) for cell in cells} & known)
            if count >= LEAST_COLUMNS and (best is None or count > best[0]):
                best = count, cells, delimiter, number
        if best:
            return best[1], best[2], best[3]
    raise CannotReadError(
        "no_header",
        f"None of the first {HEADER_WITHIN} lines has three columns of this profile. See whether it is the right "
        "profile, and whether the file has its header.",
    )


def _width(text: str, header: int, delimiter: str, before: int) -> int:
    """How many cells a row has: as many as the header; or more, if the first rows all end in as many empty ones."""
    lines = islice(_physical(text), before + 1, before + 1 + ROWS_LOOKED_AT)
    rows = [_apart(line, delimiter) for line in lines if line.strip()]
    widths, more = {len(cells) for cells in rows}, any(any(cells[header:]) for cells in rows)
    return max(header, *widths) if len(rows) > 1 and len(widths) == 1 and not more else header


def _apart(line: str, delimiter: str) -> list[str]:
    """The cells of one line by itself, whatever its quotation marks mean."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _lines(text: str, dialect: _Dialect, before: int) -> Iterator[Line]:
    """Raises CannotReadError for a file that was cut off: its last row is too short, and has no line end."""
    last: Line | None = None
    for line in _rows(text, dialect, before):
        if last:
            yield last
        last = line
    if last and not last.ignored and len(last.cells) < len(dialect.names) and not text.endswith(("\n", "\r")):
        raise cut_off()
    if last:
        yield last


def _rows(text: str, dialect: _Dialect, before: int) -> Iterator[Line]:
    source, taken = _physical(text), list[str]()
    next(islice(source, before, None))  # the header, and what stands above it
    above = before + 1
    reader = csv.reader(_noting(source, taken), delimiter=dialect.delimiter, strict=True)
    while True:
        number = above + reader.line_num + 1
        taken.clear()
        broken = None
        try:
            cells = dialect.row(next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            cells, broken = dialect.of_line(taken[0]), _broken(str(error), number)
        swallowed = list(_swallowed(taken, dialect, number))
        if swallowed:
            cells, broken = dialect.of_line(taken[0]), broken or _QUOTATION
        ignored = not broken and _is_ignored(cells, dialect.names, dialect.comment)
        if not (broken or ignored or dialect.is_row(cells)):
            broken = _count(cells, len(dialect.names))
        yield Line(number, cells, ignored, broken)
        yield from swallowed


def _noting(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _swallowed(taken: Sequence[str], dialect: _Dialect, number: int) -> Iterator[Line]:
    """Rows that a quotation mark too many, in a row before them, has made one with that row: lines of all its cells."""
    for below, line in enumerate(taken[1:], 1):
        cells = dialect.of_line(line)
        if dialect.is_row(cells):
            yield Line(number + below, cells, broken=_QUOTATION)


def _physical(text: str) -> Iterator[str]:
    """The lines with their ends. `splitlines` would also split at characters that a cell may have."""
    return (found[0] for found in _LINE.finditer(text))


def _broken(error: str, number: int) -> str:
    """What the csv module says of a row that it cannot tell apart. Raises CannotReadError if the file ends in it."""
    if "unexpected end of data" in error:
        raise CannotReadError(
            "truncated",
            f"The file ends within the quotation marks that line {number} opens: it was cut off, or one is missing. "
            "Nothing of it was taken.",
        )
    if "field larger" in error:
        return "A cell has more than 131,072 characters: perhaps a quotation mark is missing."
    return _QUOTATION


def _count(cells: list[str], width: int) -> str:
    which = "Put cells that have the delimiter in them into quotes." if len(cells) > width else "Fill the row up."
    return f"The row has {len(cells)} cells, and the header has {width}. {which}"


def _clean(cell: str) -> str:
    if cell.startswith("=") and (found := _FORMULA.fullmatch(cell)):
        cell = found[1]
    return cell.strip()


def _is_ignored(cells: list[str], names: list[str], comment: str | None) -> bool:
    """What is blank, a remark, the header once more (a page break), or one cell that is no key (a footer)."""
    return (
        not any(cells)
        or bool(comment and cells[0].startswith(comment))
        or (plain_name(cells[0]) == names[0] and [plain_name(cell) for cell in cells[: len(names)]] == names)
        or (len(cells) == 1 and len(names) > 1 and not cells[0].isalnum())
    )
