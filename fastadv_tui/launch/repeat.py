"""What a user types to get the same run once more."""

from engine.config.datasets import spec_of
from engine.config.presets import preset_settings
from engine.config.run import RunConfig
from fastadv_tui.history.run_settings import changed_settings
from fastadv_tui.launch.command_line import as_text, run_command
from fastadv_tui.paths import data_dir


def as_typed(config: RunConfig) -> dict[str, str]:
    """Data set, preset and changed settings, as texts by dotted key. `configure` makes the same run of them."""
    own = {key: as_text(key, value) for key, value in changed_settings(config).items()}
    if config.method.name != preset_settings(config.preset).get("method.name"):
        own = {"method.name": config.method.name, **own}  # no change in the history, which has a column for it
    named = {"name": config.name} if config.name else {}
    folder = {"data_dir": config.data_dir} if config.data_dir not in ("", str(data_dir())) else {}
    return {
        "dataset": config.dataset, "preset": config.preset, **named, "seed": str(config.seed), **own, **folder,
    }  # fmt: skip


def repeating_command(config: RunConfig) -> list[str]:
    """The words of the `fastadv run` that repeats a run, without the options that change nothing."""
    typed = as_typed(config)
    dataset = typed.pop("dataset")
    if typed["preset"] == spec_of(dataset).preset:
        del typed["preset"]
    if typed["seed"] == "0":
        del typed["seed"]
    return run_command(dataset, typed)
