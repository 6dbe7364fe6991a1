"""The data sets whose files are on this machine, found by the names of the files alone."""

from engine.config.datasets import DatasetSpec, datasets
from engine.protocol.requests import PREPARED
from fastadv_tui.paths import data_dir


def found_datasets() -> list[str]:
    """The names of the data sets that need no download: their files are in the data folder, or they need none."""
    return [spec.name for spec in datasets().values() if _found(spec)]


def _found(spec: DatasetSpec) -> bool:
    if spec.in_folder:
        return (data_dir() / spec.name / PREPARED).exists()
    return not spec.files or any(data_dir().glob(spec.files))
