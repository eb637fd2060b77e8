"""Nothing lies about that no page uses: templates, their blocks and filters, files, classes."""

import re
from functools import cache
from itertools import chain
from pathlib import Path

from jinja2 import Environment, meta, nodes

from app.console import frame, words

CONSOLE = Path(frame.__file__).parent
ENVIRONMENT: Environment = frame._templates()
TEMPLATES = {path.name: path.read_text(encoding="utf-8") for path in CONSOLE.glob("templates/*.html")}
FILES = {path.name: path.read_text(encoding="utf-8") for path in frame.FILES.iterdir()}
SCRIPTS = "".join(text for name, text in FILES.items() if name.endswith(".js"))
PYTHON = "".join(path.read_text(encoding="utf-8") for path in CONSOLE.rglob("*.py"))


@cache
def trees() -> list[nodes.Template]:
    return [ENVIRONMENT.parse(text) for text in TEMPLATES.values()]


def names(text: str) -> set[str]:
    return set(re.findall(r"[a-zA-Z][\w-]*", text))


def ruled() -> set[str]:
    """The classes that the style sheet has rules for."""
    selectors = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", FILES["console.css"], flags=re.DOTALL)
    return set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors))


def given() -> list[str]:
    """What templates give as classes, with what Jinja makes of it."""
    texts = TEMPLATES.values()
    quoted = chain.from_iterable(re.findall(r'class="((?:\{\{.*?\}\}|\{%.*?%\}|[^"])*)"', text) for text in texts)
    plain = chain.from_iterable(re.findall(r"class=((?:\{\{.*?\}\}|[^\s>\"])+)", text) for text in texts)
    kinds = chain.from_iterable(re.findall(r"\{% block kind %\}(.*?)\{% endblock %\}", text) for text in texts)
    return [*quoted, *plain, *kinds]


def test_every_filter_is_used() -> None:
    used = {one.name for tree in trees() for one in tree.find_all(nodes.Filter)}
    assert set(words.FILTERS) - used == set()


def test_every_template_is_used() -> None:
    used = {name for tree in trees() for name in meta.find_referenced_templates(tree)}
    assert {name for name in TEMPLATES if f'"{name}"' not in PYTHON} - used == set()


def test_every_block_of_the_layout_is_filled_by_some_page() -> None:
    filled = [one.name for tree in trees() for one in tree.find_all(nodes.Block)]
    assert {name for name in filled if filled.count(name) < 2} == set()


def test_every_file_is_used() -> None:
    named = "".join((*TEMPLATES.values(), *FILES.values(), PYTHON))
    assert {name for name in FILES if name not in named} == set()


def test_every_class_with_rules_is_given() -> None:
    made = {one.kind for one in words.STATES.values()} | set(words.STATES)
    said = set(re.findall(r'"([\w-]+)"', PYTHON + SCRIPTS))
    assert ruled() - names(" ".join(given())) - made - said == set()


def test_every_class_that_is_given_has_rules() -> None:
    literal = " ".join(re.sub(r"\S*\{\{.*?\}\}\S*|\{%.*?%\}", " ", one) for one in given())
    assert names(literal) - ruled() - names(SCRIPTS) == set()
