"""Long values go on below themselves, in the panel of a run and in the plan of a new one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from engine.protocol.events import Finished
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.widgets.hanging import MIN_VALUE, hanging
from fastadv_tui.paths import runs_dir
from tests.support.events import started, write_events
from tests.support.pilot import play, shown, until
from tests.support.runs import make_run


@pytest.mark.parametrize(
    ("label", "value", "width", "lines"),
    [
        ("eps", "51/255", 30, ["eps      51/255"]),
        ("measured", "68.3% PGD-5 eps 51/255 on 360", 28, ["measured 68.3% PGD-5 eps", " " * 9 + "51/255 on 360"]),
        ("eval.step_size", "one two three four", 24, ["eval.step_size one two", " " * 9 + "three four"]),
        ("measured", "68.3% PGD-5", 12, ["measured 68.3% PGD-5"]),  # no room to hang
    ],
)
def test_a_value_without_room_goes_on_below_itself(label: str, value: str, width: int, lines: list[str]) -> None:
    assert hanging(label, value, 9, width).plain.split("\n") == lines


@given(st.text("ab ", max_size=18), st.text("abc -/", max_size=60), st.integers(30, 60))
def test_no_line_is_wider_than_its_panel(label: str, value: str, width: int) -> None:
    assert width - 9 >= MIN_VALUE
    lines = hanging(label, value, 9, width).plain.split("\n")
    assert all(len(line.rstrip()) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join((label + value).split())


@pytest.mark.usefixtures("quick_home")
def test_the_reason_of_a_failed_run_stands_under_its_status() -> None:
    rundir = make_run(runs_dir() / "a1")
    write_events(rundir, started(), Finished(status="failed", error="cannot read one of the many training images"))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: "cannot read" in shown(app))
        facts = [line.split("│")[-2] for line in shown(app).splitlines() if line.count("│") >= 2]
        reason = next(number for number, line in enumerate(facts) if "cannot read" in line)
        assert facts[reason + 1].startswith(" " * 10)
        assert facts[reason + 1].strip()

    play(script, size=(120, 40))
