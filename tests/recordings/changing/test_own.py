"""Whoever changes or removes something in Kaltura goes by `scheduling/own.py`, and checks all of a step first."""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from app.chains.steps import Step
from app.kaltura import client
from app.recordings.changing.operations import DEFINITIONS
from app.recordings.scheduling import own

APP = Path(__file__).parents[3] / "app"
MAKE = {"add_resource", "add_entry", "add_event", "add_link"}
CHANGE = {
    *("update_entry", "delete_entry", "add_category", "remove_category"),
    *("update_event", "cancel_event", "delete_event", "remove_link", "delete_resource"),
}
MAY_CHANGE = {
    "recordings/scheduling/own.py",
    "recordings/scheduling/steps.py",  # the undo of a resource that this very chain has made
    "operations/checks.py",  # `lectern check --write` removes what it has just made
}
GUARDED = CHANGE | {"delete_whole"}  # what `own` offers to steps
STEPS: dict[str, Step[Any]] = {
    f"{definition.operation}-{step.name}": step for definition in DEFINITIONS.values() for step in definition.steps
}


def test_every_method_that_writes_makes_something_or_changes_it() -> None:
    """A new one has its place in one of the two lists before anything else."""
    methods = [node for node in ast.walk(ast.parse(inspect.getsource(client))) if isinstance(node, ast.FunctionDef)]
    writing = {method.name for method in methods for node in ast.walk(method) if _says_writes(node)}
    assert writing == MAKE | CHANGE


def _says_writes(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "writes" and ast.unparse(node.value) == "True"


def test_nobody_else_changes_anything_in_kaltura() -> None:
    callers = {
        path.relative_to(APP).as_posix()
        for path in APP.rglob("*.py")
        if "sandbox" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in CHANGE and ast.unparse(node.value) != "own"
    }
    assert callers == MAY_CHANGE


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_that_changes_something_checks_all_its_calls_before_the_first(step: Step[Any]) -> None:
    if GUARDED & set(called(step.send)) and step.name != "entry":  # that is one call, which `own` checks itself
        assert step.check is own.check


def test_steps_that_change_something_are_recognized() -> None:
    found = {name for name, step in STEPS.items() if GUARDED & set(called(step.send))}
    assert {
        "schedule-links",
        "schedule-exclusions",
        "update-words",
        "update-assignments",
        "update-retire",
        "update-mend",
    } <= found
    assert {"cancel-entry", "sweep-remove"} <= found


def called(function: Callable[..., Any]) -> Iterator[str]:
    """The functions of `own` that a step's function comes to, through those of its module."""
    seen, waiting = set[str](), [inspect.unwrap(function)]
    while waiting:
        one = waiting.pop()
        module = vars(sys.modules[one.__module__])
        for name in _names(one.__code__):
            if getattr(own, name, None) is not None and "own" in one.__code__.co_names:
                yield name
            found = module.get(name)
            if inspect.isfunction(found) and name not in seen and found.__module__ != own.__name__:
                seen.add(name)
                waiting.append(inspect.unwrap(found))


def _names(code: CodeType) -> set[str]:
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    return {*code.co_names, *(name for one in inner for name in _names(one))}
