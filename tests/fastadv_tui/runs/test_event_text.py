"""The text that a headless command prints for an event."""

import pytest

from fastadv_tui.runs.event_text import event_line
from fastadv_tui.runs.state import RunState
from tests.support.events import started


@pytest.mark.parametrize(("official", "said"), [(True, False), (False, True), (None, False)])
def test_data_files_that_are_not_the_official_ones_are_reported_if_official_ones_exist(
    official: bool | None, said: bool
) -> None:
    line = event_line(started(official_data=official), RunState())
    assert ("not the official files" in line) == said
