"""Every colour has a contrast of at least 4.5 (WCAG 2) with every surface of its theme."""

import pytest
from rich.color import Color
from rich.color_triplet import ColorTriplet

from fastadv_tui.dashboard.colours import DARK, LIGHT, RUNS, STATES
from fastadv_tui.dashboard.themes import DARK as DARK_THEME
from fastadv_tui.dashboard.themes import LIGHT as LIGHT_THEME
from tests.support.contrast import contrast


def triplet(colour: str) -> ColorTriplet:
    return Color.parse(colour).get_truecolor()


@pytest.mark.parametrize(("scheme", "theme"), [(DARK, DARK_THEME), (LIGHT, LIGHT_THEME)], ids=["dark", "light"])
def test_the_colours_of_runs_and_states_are_legible_on_every_surface(scheme: int, theme: object) -> None:
    surfaces = [getattr(theme, name) for name in ("background", "surface", "panel")]
    colours = {colour[scheme] for colour in (*RUNS, *STATES.values())}
    found = {
        (colour, surface): contrast(triplet(colour), triplet(surface)) for colour in colours for surface in surfaces
    }
    assert {pair: round(value, 2) for pair, value in found.items() if value < 4.5} == {}


def test_no_two_runs_share_a_colour() -> None:
    for scheme in (DARK, LIGHT):
        assert len({colours[scheme] for colours in RUNS}) == len(RUNS)
