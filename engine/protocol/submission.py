"""The content of `config.json`, which a run is submitted with.

This module loads the classes of all settings. `rundir` does not, so a program that only lists runs starts faster.
"""

from msgspec import Struct

from engine.config.run import RunConfig


class Submission(Struct, frozen=True, kw_only=True):
    """The configuration of a run, the time of submission, and the code version.

    submitted: Unix time in seconds. command: the words of the command line.
    """

    id: str
    submitted: float
    config: RunConfig
    version: str = ""
    commit: str = ""
    code_fingerprint: str = ""
    command: list[str] = []
    slots: int = 1  # runs that may use the device at the same time
    schema: int = 1
