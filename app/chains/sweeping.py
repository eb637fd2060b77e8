"""Sweeps: after a chain that had an unknown outcome, another one looks once more, some minutes later."""

from collections.abc import Mapping
from typing import TypeVar

from sqlmodel import Session

from app.chains.models import ChainStatus
from app.chains.run import Run
from app.chains.steps import Definition
from app.chains.store import Store

T = TypeVar("T")


def plan_sweep(
    store: Store, session: Session, definitions: Mapping[str, Definition[T]], run: Run[T], delay: float
) -> None:
    """Within the checkpoint that ends the chain: makes the sweep, if anything was sent that had no answer.

    `delay`: seconds until it looks. Its input: see `Definition.sweep`.
    """
    unsure = run.unsure()
    if run.definition.sweep is None or run.chain.status == ChainStatus.STUCK or not any(unsure.values()):
        return
    sweep = definitions[run.definition.sweep]
    results = run.results if run.chain.status == ChainStatus.SUCCEEDED else {}
    given = {"subject": run.chain.subject, "input": run.chain.input, "results": results, "unsure": unsure}
    names = [step.name for step in sweep.steps]
    store.create(session, f"sweep:{run.chain.subject}", sweep.operation, names, given, delay)
