"""Answers about this machine and its data that need the engine's libraries: one JSON line on standard output."""

import os
import platform
import sys
from typing import Any

import msgspec

from engine import data
from engine.config.errors import ConfigError
from engine.config.facts import DATASETS
from engine.config.networks import NETWORKS
from engine.config.run import RunConfig
from engine.data.source import open_source
from engine.plan.cost import smallest_part
from engine.protocol.requests import Counted

OK, REFUSED = 0, 2


def check(request: bytes) -> int:
    """Whether a run can start: data (fetched if missing) and device. `request` is a RunConfig as JSON.

    Prints facts and returns 0, or prints {"error": one line} and returns 2.
    """
    try:
        facts = _check(msgspec.json.decode(request, type=RunConfig))
    except ConfigError as error:
        return _answer({"error": str(error)}, REFUSED)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # also msgspec.ValidationError
        return _answer({"error": f"the configuration is not valid: {error}"}, REFUSED)
    return _answer(facts, OK)


def _check(config: RunConfig) -> dict[str, Any]:
    if config.device.startswith("cuda"):
        from engine import devices

        devices.check(config.device)
    source = open_source(config, fetch=True)
    phases = [source.filled(phase) for phase in config.phase_list]
    if config.phases or config.model.name not in NETWORKS:
        from engine.models.counting import count_crops  # builds the network and looks through it

        count_crops(config, source.facts)
    if any(smallest_part(source.train_images, phase.batch_size, config.micro_batch) == 1 for phase in phases):
        from engine.models.minibatches import check_minibatches  # the same

        check_minibatches(config, phases, source.train_images, source.facts)
    return {
        "train_images": source.train_images,
        "test_images": source.test_images,
        "official_data": source.official,
        "data_fingerprint": source.fingerprint(),
    }


def doctor(data_dir: str) -> int:
    """What this machine has for training: versions, devices, precision, and the data in `data_dir`."""
    import torch

    from engine import devices, precision

    device = devices.pick("auto")
    chosen, why = precision.choose("auto", device)
    return _answer(
        {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "platform": platform.platform(),
            "cpu": f"{os.cpu_count()} cores, {torch.get_num_threads()} threads",
            "gpus": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
            "device": str(device),
            "precision": chosen,
            "precision_reason": why,
            "data": {name: _found(name, data_dir) for name in data.READERS},
        },
        OK,
    )


def flops(request: bytes) -> int:
    """What one image costs the network of a run. `request` is a RunConfig as JSON. Prints a Counted, returns 0."""
    from engine.models.counting import count_crops

    config = msgspec.json.decode(request, type=RunConfig)
    if config.in_folder:
        source = open_source(config)
        facts, images = source.facts, source.train_images
    else:
        facts = DATASETS[config.dataset]
        images = facts.train_images
    return _answer(msgspec.to_builtins(Counted(count_crops(config, facts), images), str_keys=True), OK)


def _found(dataset: str, data_dir: str) -> str:
    try:
        arrays = data.open(dataset, data_dir)
    except ConfigError as error:
        return str(error)
    release = "official release" if arrays.official else "not the official files"
    return f"{len(arrays.train_labels):,} training and {len(arrays.test_labels):,} test images, {release}"


def _answer(content: dict[str, Any], code: int) -> int:
    sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    return code
