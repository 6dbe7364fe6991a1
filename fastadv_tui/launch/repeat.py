"""What a user types to get the same run once more."""

from engine.config.datasets import spec_of
from engine.config.run import RunConfig
from fastadv_tui.launch.command_line import run_command
from fastadv_tui.launch.texts import texts_of_config
from fastadv_tui.paths import data_dir


def as_typed(config: RunConfig) -> dict[str, str]:
    """The texts of a run by dotted key, its folder of data sets included. `configure` makes the same run of them."""
    folder = {"data_dir": config.data_dir} if config.data_dir not in ("", str(data_dir())) else {}
    return texts_of_config(config) | folder


def repeating_command(config: RunConfig) -> list[str]:
    """The words of the `fastadv run` that repeats a run, without the options that change nothing."""
    typed = as_typed(config)
    dataset = typed.pop("dataset")
    if typed["preset"] == spec_of(dataset).preset:
        del typed["preset"]
    if typed["seed"] == "0":
        del typed["seed"]
    return run_command(dataset, typed)
