"""What the engine is asked before a run starts."""

import subprocess
from collections.abc import Iterable
from typing import Any

import msgspec

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.protocol.provenance import engine_command


def kinds(configs: Iterable[RunConfig]) -> list[RunConfig]:
    """Of many runs one for each thing that `check` looks at."""
    return list({(_looked_at(config), config.micro_batch, config.holdout): config for config in configs}.values())


def _looked_at(config: RunConfig) -> tuple[object, ...]:
    return config.dataset, config.data_dir, config.phase_list, config.model.name, config.device


def check(config: RunConfig) -> dict[str, Any]:
    """Have the engine check data and device, downloading the data if need be; returns what it found.

    Raises: ConfigError, if the run could not start.
    """
    request = msgspec.json.encode(config)
    try:
        done = subprocess.run(engine_command("--check"), input=request, stdout=subprocess.PIPE)
    except OSError as error:  # no more processes, or no memory for one
        raise ConfigError(f"cannot start the engine's check: {error}") from None
    try:
        answer: dict[str, Any] = msgspec.json.decode(done.stdout.splitlines()[-1])
    except (IndexError, msgspec.DecodeError):
        raise ConfigError(f"the engine's check ended with {done.returncode}; `fastadv doctor` may say why") from None
    if "error" in answer:
        raise ConfigError(answer["error"])
    return answer
