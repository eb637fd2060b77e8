"""Pages have words for whatever the service calls by a name of its own."""

from enum import StrEnum

import pytest

from app.chains.models import ChainStatus, StepStatus
from app.console.words import DIFFERENCES, OPERATIONS, STATES, STEPS
from app.findings.schemas import Severity
from app.recordings.changing.operations import DEFINITIONS
from app.recordings.models import RecordingStatus
from app.resources.mirror.compare import DriftKind
from app.resources.models import EncoderState, OccurrenceStatus
from app.terms.comparing.items import Kind
from app.terms.models import ApplyStatus, Outcome, PlanStatus


def test_every_operation_and_every_step_of_a_chain_has_words() -> None:
    assert set(OPERATIONS) == set(DEFINITIONS)
    assert set(STEPS) == {step for definition in DEFINITIONS.values() for step in definition.known}


@pytest.mark.parametrize(
    "states",
    [
        *(RecordingStatus, ChainStatus, StepStatus, OccurrenceStatus, EncoderState, Severity),
        *(PlanStatus, ApplyStatus, Kind, Outcome),
    ],
)
def test_every_state_has_a_shape_and_a_word(states: type[StrEnum]) -> None:
    assert set(states) <= set(STATES)


def test_every_difference_has_words() -> None:
    assert set(DIFFERENCES) == set(DriftKind)
