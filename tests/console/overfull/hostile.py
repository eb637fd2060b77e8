"""What others may call things: titles and names that a page must show as they are."""

from typing import Any

TITLES = (
    # markup
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</title><h1>x",
    "<svg/onload=alert(3)>",
    "--><!--",
    "]]><![CDATA[",
    "<!DOCTYPE html><html>",
    "</textarea><script>alert(4)</script>",
    "</pre></details><b>bold</b>",
    '<a href="javascript:alert(5)">x</a>',
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0>",
    "<style>*{display:none}</style>",
    '<iframe srcdoc="<script>parent.alert(6)</script>">',
    '<math><mtext></table><mglyph><style><!--</style><img title="--&gt;&lt;img src onerror=alert(7)&gt;">',
    "<template><noscript>",
    '<input name=form value=x><form id=new data-live=head class="axis">',
    # attributes
    "' onmouseover='alert(8)",
    '" autofocus onfocus="alert(9)',
    "x onclick=alert(10) style=position:fixed",
    "`onload=alert(11)`",
    "javascript:alert(12)",
    "data:text/html,<script>alert(13)</script>",
    "&quot;&gt;&lt;b&gt;",
    "&lt;b&gt; &amp;lt; &#60;i&#62;",
    # templates and formats
    "{{ 7*7 }}",
    "{% raw %}{% endblock %}",
    "{# x #}",
    "{{ ''.__class__.__mro__ }}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "%s %n %(x)s {0} {x!r}",
    "<version>",
    # addresses, escapes, queries
    "%00 \\0 \\x00 \\u0000 &#0; &#x0;",
    "\\u2028 &#8232; %E2%80%A8",
    "../../etc/passwd",
    "//evil.example/x?said=cancelled#content",
    "'; DROP TABLE recording; --",
    "%_\\ [a-z]* .*",
    '=HYPERLINK("http://evil.example")',
    # directions, and what is not seen
    "\u202eevil\u202c right to left",
    "\u202enever ended",
    "\u2067\u202dnor this",
    "مرحبا بالعالم (2027)",
    "שלום עולם",
    "a\u200bb\u200d\ufeff",
    "\u0301\u0301x",
    "Z" + "\u0337\u0310\u035b" * 40,
    "👩‍🏫🎥🏳️‍🌈👨‍👩‍👧‍👦",
    # as long as can be, without a space
    "W" * 256,
    "é" * 128,
    "漢" * 85,
    "👩" * 64,
)
NOT_ON_A_LINE = ("a\u2028b\u2029c", "two\nlines", "a\ttab")  # text may have these, a title may not


def document(number: int, day: str) -> dict[str, Any]:
    """A recording that is called so wherever something can be called, in a room of its own."""
    title = TITLES[number]
    text = title + NOT_ON_A_LINE[number % len(NOT_ON_A_LINE)]
    tag = title.replace(",", "").strip()[:24]  # 100 bytes at most
    words = dict.fromkeys(("title", "location", "organizer", "contact"), title)
    room = {"system_name": f"{number} {title}"[:60], "name": title[:200], "description": text}
    times = {"start": f"{day}T09:00:00", "duration_minutes": 50, "time_zone": "UTC"}
    more = {"reference_id": f"{number} {title[:60]}", "tags": [tag] if len(tag) > 1 else [], "description": text}
    return {**words, **times, **more, "resource": room}
