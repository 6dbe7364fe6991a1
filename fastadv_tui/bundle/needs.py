"""Tells what an unpacked run needs on this machine that its bundle does not hold."""

from pathlib import Path

from engine.config.datasets import FOLDER
from engine.protocol.rundir import RunDir
from engine.protocol.weights_description import PLAIN
from fastadv_tui.runs.observe import observe


def needs_of(rundir: RunDir) -> list[str]:
    """One line for each thing that a user should know before evaluating or resuming the run."""
    seen = observe(rundir)
    config = rundir.submission().config
    reason = f", {seen.status.reason}" if seen.status.reason else ""
    found = [f"{seen.status.status}{reason}; data folder {config.data_dir}"]
    if config.dataset.startswith(FOLDER) and not Path(folder := config.dataset.removeprefix(FOLDER)).is_dir():
        found.append(f"its images were in {folder}, which is not here; put them there to evaluate or resume")
    if config.extra_data and not Path(config.extra_data).exists():
        found.append(f"its extra images were in {config.extra_data}, which is not here; put them there to resume")
    if programs := sorted(path.name for path in rundir.path.rglob("*.py")):
        found.append(
            f"it holds Python code ({', '.join(programs[:4])}), which runs when you evaluate or resume the run"
        )
    named = [name for name in (config.model.name, config.dataset) if not PLAIN.fullmatch(name)]
    if named := [name for name in named if not name.startswith(FOLDER)]:
        found.append(f"it names code ({', '.join(named)}), which runs when you evaluate or resume the run")
    return found
