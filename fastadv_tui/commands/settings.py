"""`settings`: list and explain all settings, read from the configuration."""

import json
from typing import Annotated

import typer

from fastadv_tui.commands import completion


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv settings · fastadv settings optim.peak · fastadv settings --json")(settings)


def settings(
    key: Annotated[
        str,
        typer.Argument(metavar="[KEY]", help="Show one setting, such as model.width.", autocompletion=completion.keys),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the settings as JSON.")] = False,
) -> None:
    """List all settings, or explain one: meaning, unit, allowed values, default, and its value in each preset.

    A value in the preset of the run replaces the default.
    """
    from engine.config.keys import full_key
    from engine.config.settings import settings as all_settings
    from fastadv_tui.launch.reference import setting_as_data, setting_details, settings_table
    from fastadv_tui.text.table import aligned

    chosen = [all_settings()[full_key(key)]] if key else list(all_settings().values())
    if as_json:
        print(json.dumps([setting_as_data(each) for each in chosen], indent=2))
    elif key:
        print("\n".join(aligned([row for row in setting_details(chosen[0]) if row[1]], limit=1000)))
    else:
        print("\n".join(aligned(settings_table(), limit=1000)))
