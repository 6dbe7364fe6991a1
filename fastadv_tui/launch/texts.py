"""The settings of an existing run as texts by dotted key, as a user would type them into a form or a file."""

from collections.abc import Mapping
from typing import Any

from engine.config.presets import preset_settings
from engine.config.run import RunConfig
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import changed_settings
from fastadv_tui.launch.command_line import as_text


def texts_of_config(config: RunConfig) -> dict[str, str]:
    """Data set, preset, seed, name, and the settings that differ from the preset.

    The folder of the data sets is left out, because it depends on the machine.
    """
    return _texts(config, config.method.name, changed_settings(config))


def texts_of_row(row: Row) -> dict[str, str]:
    """As `texts_of_config`, for a run whose folder may be gone."""
    return _texts(row, row.method, row.settings)


def _texts(run: RunConfig | Row, method: str, changed: Mapping[str, Any]) -> dict[str, str]:
    texts = {"dataset": run.dataset, "preset": run.preset, "seed": str(run.seed), "name": run.name}
    if method != preset_settings(run.preset).get("method.name"):  # `changed` compares with the preset for this method
        texts["method.name"] = method
    texts = {key: text for key, text in texts.items() if text}
    typed = {key: value for key, value in changed.items() if key != "data_code"}  # it follows from the file
    return texts | {key: as_text(key, value, run.norm) for key, value in typed.items()}  # an empty text is a value, too
