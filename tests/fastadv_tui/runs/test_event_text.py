"""The text that a headless command prints for an event."""

import pytest

from engine.protocol.events import RolledBack
from fastadv_tui.runs.event_text import event_line
from fastadv_tui.runs.state import RunState
from tests.support.events import evaluated, started, step


@pytest.mark.parametrize(("official", "said"), [(True, False), (False, True), (None, False)])
def test_data_files_that_are_not_the_official_ones_are_reported_if_official_ones_exist(
    official: bool | None, said: bool
) -> None:
    line = event_line(started(official_data=official), RunState())
    assert ("not the official files" in line) == said


def test_the_final_line_warns_of_images_without_a_gradient() -> None:
    state = RunState(started=started())
    silent, warned = (evaluated(100, "final", without_gradient=number) for number in (0, 7))
    assert "warning" not in event_line(silent, state)
    assert event_line(warned, state).endswith(
        "; warning: 7 of 500 images have zero gradient under this attack: the figure may overstate robustness"
    )


def test_the_final_line_warns_of_a_network_that_always_answers_the_same() -> None:
    state = RunState(started=started())
    assert "warning" not in event_line(evaluated(100, "final", answers=2), state)
    assert event_line(evaluated(100, "final", answers=1), state).endswith(
        "; warning: the network gives every image the same class: the figures say nothing"
    )


def test_a_loss_that_grew_beyond_measure_has_few_digits() -> None:
    state = RunState(started=started(), steps=[step(10, loss=1.2345e30)])
    assert "loss 1.2e+30  lr" in event_line(evaluated(10), state)


def test_a_rollback_has_a_line_with_both_methods() -> None:
    event = RolledBack(step=30, epoch=3.0, to_step=20, to_epoch=2.0, number=1, message="pgd with 2 steps, then nfgsm")
    assert event_line(event, RunState()) == "rolled back from epoch 3 to epoch 2: pgd with 2 steps, then nfgsm"


def test_a_run_that_goes_on_says_where() -> None:
    assert "resumed from step 529 (attempt 2) · " in event_line(started(attempt=2, from_step=529), RunState())
