"""`presets`: list the presets, which are named recipes of settings."""

import json
from typing import Annotated

import typer

from fastadv_tui.commands import completion


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv presets · fastadv presets speed · fastadv presets --json")(presets)


def presets(
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="Show one preset, such as wong2020.", autocompletion=completion.presets),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the presets as JSON.")] = False,
) -> None:
    """List all presets, or one: its source, the settings in it, and the results that were measured with it."""
    from engine.config.presets import PRESETS, check_preset
    from fastadv_tui.launch.reference import preset_as_data, preset_details
    from fastadv_tui.text.table import aligned

    chosen = {check_preset(name): PRESETS[name]} if name else PRESETS
    if as_json:
        print(json.dumps([preset_as_data(*each) for each in chosen.items()], indent=2))
        return
    tables = [aligned(preset_details(*each), limit=1000) for each in chosen.items()]
    print("\n\n".join("\n".join(table) for table in tables))
