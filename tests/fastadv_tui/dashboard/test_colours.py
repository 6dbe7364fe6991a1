"""Every colour has a contrast of at least 4.5 (WCAG 2, whose formula is here) with every surface of its theme."""

import pytest

from fastadv_tui.dashboard.colours import DARK, LIGHT, RUNS, STATES
from fastadv_tui.dashboard.themes import DARK as DARK_THEME
from fastadv_tui.dashboard.themes import LIGHT as LIGHT_THEME


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("scheme", "theme"), [(DARK, DARK_THEME), (LIGHT, LIGHT_THEME)], ids=["dark", "light"])
def test_the_colours_of_runs_and_states_are_legible_on_every_surface(scheme: int, theme: object) -> None:
    surfaces = [getattr(theme, name) for name in ("background", "surface", "panel")]
    colours = {colour[scheme] for colour in (*RUNS, *STATES.values())}
    found = {(colour, surface): contrast(colour, surface) for colour in colours for surface in surfaces}
    assert {pair: round(value, 2) for pair, value in found.items() if value < 4.5} == {}


def test_no_two_runs_share_a_colour() -> None:
    for scheme in (DARK, LIGHT):
        assert len({colours[scheme] for colours in RUNS}) == len(RUNS)
