"""`engine --check`: checks whether runs can start."""

from pathlib import Path

import msgspec

from engine.config.attacks import check_attack
from engine.config.errors import ConfigError, UserError
from engine.config.networks import is_own
from engine.config.run import WAY_OUT_OF_CAPTURE, RunConfig
from engine.config.typed import decode
from engine.data.dataset import Dataset, open_training_data
from engine.plan.cost import smallest_part
from engine.protocol.answers import answer, refuse, refuse_system_error
from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import Checked


def check(request: bytes, on_gpu: bool = False, folder: Path | None = None) -> int:
    """Check whether runs can start: data (downloaded if missing), device and network.

    `request` is a RunConfig as JSON, one on each line. on_gpu: whether the runs will have the slot of a GPU. folder: of
    a run that is repeated, whose copy of the user's code counts. Answers Refused for the first run that cannot start,
    or Checked, about the last run; returns the exit code.
    """
    try:
        configs = [decode(line, RunConfig) for line in request.splitlines() or [request]]
        checked = [check_run(config, on_gpu, folder) for config in configs][-1]
    except UserError as error:
        return refuse(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # also msgspec.ValidationError
        return refuse(f"the configuration is not valid: {error}")
    except OSError as error:
        return refuse_system_error(error)
    answer(checked)
    return ExitCode.DONE


def check_run(config: RunConfig, on_gpu: bool, folder: Path | None = None) -> Checked:
    """As `check`, for a configuration. Raises: UserError, OSError."""
    if on_gpu or config.device.startswith("cuda"):  # only then: on a CPU the check need not load torch
        from engine.runtime import device

        device.check_gpu(config.device) if on_gpu else device.check(config.device)
    elif config.capture == "on":
        raise ConfigError(f"capture = on, but the run gets no GPU; {WAY_OUT_OF_CAPTURE}")
    source = open_training_data(config, fetch=True)
    check_attack(config.eval.attack, source.facts.classes)
    if config.model.user_code is None:
        _check_network(config, source)
    else:
        from engine.models.user_trial import try_user_network  # slow: loads torch

        try_user_network(config, source.facts, folder, lambda: _check_network(config, source, folder))
    return Checked(
        train_images=source.train_images,
        test_images=source.test_images,
        official_data=source.official,
        data_fingerprint=source.fingerprint(),
    )


def _check_network(config: RunConfig, source: Dataset, folder: Path | None = None) -> bytes:
    """Check that the network exists, takes the images of each phase, and can train on the smallest minibatch.

    Returns nothing, as bytes, for a child process. Raises: ConfigError.
    """
    phases = [source.filled(phase) for phase in config.phase_list]
    if config.phases or not is_own(config.model.name):
        from engine.models.flops import count_crops  # slow: builds the network

        count_crops(config, source.facts, folder)
    if any(smallest_part(source.train_images, phase.batch_size, config.micro_batch) == 1 for phase in phases):
        from engine.models.batchnorm_check import check_minibatches  # slow: builds the network

        check_minibatches(config, phases, source.train_images, source.facts, folder)
    return b""
