"""The feed's answers in memory, by the address that they were given at; only so many."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.resources.feed import page

MOST_ANSWERS = 30_000
MOST_BYTES = 32 * 1024 * 1024  # of content; an answer that has lost its own is still good for a 304

Form = Literal["json", "ics"]
Key = tuple[bytes, bytes]
"""Path and query of a request, as they came: decoded, two paths may look alike."""


@dataclass(slots=True)
class Answer:
    """What is shown of the resource that `reference` means: true until its version is another, or the time is `until`.

    `etag` is without its quotes. `names` is what the reference was last looked up in. `content` is a calendar's bytes,
    or what a JSON answer is made around.
    """

    reference: str
    resource_id: int
    names: object
    version: int
    until: datetime
    window: page.Window
    form: Form
    etag: str
    link: str | None
    content: page.Content | bytes | None
    size: int


@dataclass(slots=True)
class Memory:
    """At most so many answers. Of those unused for longest first the content goes, later the answer."""

    most_answers: int = MOST_ANSWERS
    most_bytes: int = MOST_BYTES
    answers: OrderedDict[Key, Answer] = field(default_factory=OrderedDict)
    _contents: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def keep(self, key: Key, answer: Answer) -> None:
        self._drop_content(key)
        self.answers[key] = answer
        self.answers.move_to_end(key)
        self._contents[key] = None
        self._bytes += answer.size
        while self._bytes > self.most_bytes:
            self._drop_content(next(iter(self._contents)))
        if len(self.answers) > self.most_answers:
            oldest = next(iter(self.answers))
            self._drop_content(oldest)
            del self.answers[oldest]

    def used(self, key: Key, *, content: bool) -> None:
        self.answers.move_to_end(key)
        if content:
            self._contents.move_to_end(key)

    def _drop_content(self, key: Key) -> None:
        if key in self._contents:
            del self._contents[key]
            self.answers[key].content = None
            self._bytes -= self.answers[key].size
