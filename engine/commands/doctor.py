"""`engine --doctor`: reports what this machine has for training."""

import os
import platform
from pathlib import Path

from engine.config.datasets import DatasetSpec, datasets
from engine.config.errors import UserError
from engine.data.memory.datasets import open_arrays
from engine.protocol.answers import answer
from engine.protocol.cores import usable_cores
from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import MachineReport


def doctor(data_dir: str) -> int:
    """Report what this machine has for training: versions, devices, precision, and the data in `data_dir`.

    Answers a MachineReport; returns the exit code.
    """
    import torch

    from engine.runtime import no_gpu, precision

    no_gpu_because = no_gpu.why_no_gpu()
    device = torch.device("cpu" if no_gpu_because else "cuda:0")
    chosen, why = precision.choose("auto", device)
    answer(
        MachineReport(
            python=platform.python_version(),
            torch=str(torch.__version__),
            cuda=torch.version.cuda or "",
            platform=platform.platform(),
            cpu=f"{usable_cores()} of {os.cpu_count()} cores, {torch.get_num_threads()} threads",
            gpus=[] if no_gpu_because else _gpu_names(),
            no_gpu=no_gpu_because,
            device=str(device),
            precision=chosen,
            precision_reason=why,
            data={name: _found(spec, data_dir) for name, spec in datasets().items() if not spec.in_folder},
        )
    )
    return ExitCode.DONE


def _gpu_names() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def _found(spec: DatasetSpec, data_dir: str) -> str:
    if spec.slow and any(Path(data_dir).glob(spec.files)):
        return "found; its images are checked when a run starts"
    try:
        arrays = open_arrays(spec.name, data_dir)
    except UserError as error:
        return str(error)
    release = {True: ", official release", False: ", not the official files", None: ""}[arrays.official]
    return f"{len(arrays.train_labels):,} training and {len(arrays.test_labels):,} test images{release}"
