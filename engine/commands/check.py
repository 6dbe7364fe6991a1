"""`engine --check`: whether a run can start."""

from typing import Any

import msgspec

from engine.config.errors import ConfigError
from engine.config.networks import NETWORKS
from engine.config.run import RunConfig
from engine.data.dataset import open_dataset
from engine.plan.cost import smallest_part
from engine.protocol.answers import answer
from engine.protocol.exit_code import ExitCode


def check(request: bytes) -> int:
    """Whether a run can start: data (fetched if missing) and device. `request` is a RunConfig as JSON.

    Prints facts and returns 0, or prints {"error": one line} and returns 2.
    """
    try:
        facts = _check(msgspec.json.decode(request, type=RunConfig))
    except ConfigError as error:
        return _refuse(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # also msgspec.ValidationError
        return _refuse(f"the configuration is not valid: {error}")
    answer(facts)
    return ExitCode.DONE


def _refuse(message: str) -> int:
    answer({"error": message})
    return ExitCode.REFUSED


def _check(config: RunConfig) -> dict[str, Any]:
    if config.device.startswith("cuda"):
        from engine.runtime import device

        device.check(config.device)
    source = open_dataset(config, fetch=True)
    phases = [source.filled(phase) for phase in config.phase_list]
    if config.phases or config.model.name not in NETWORKS:
        from engine.models.flops import count_crops  # builds the network and looks through it

        count_crops(config, source.facts)
    if any(smallest_part(source.train_images, phase.batch_size, config.micro_batch) == 1 for phase in phases):
        from engine.models.batchnorm_check import check_minibatches  # the same

        check_minibatches(config, phases, source.train_images, source.facts)
    return {
        "train_images": source.train_images,
        "test_images": source.test_images,
        "official_data": source.official,
        "data_fingerprint": source.fingerprint(),
    }
