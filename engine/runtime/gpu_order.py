"""The order in which CUDA counts the GPUs."""

import os

DEVICE_ORDER = "CUDA_DEVICE_ORDER"


def count_gpus_by_bus() -> None:
    """Make CUDA count the GPUs as nvidia-smi does, by the PCI bus. Call this before CUDA starts.

    By default CUDA puts the fastest GPU first. On a machine with unequal GPUs, `cuda:1` and the numbers in
    CUDA_VISIBLE_DEVICES then mean other GPUs than in nvidia-smi, in the queue and in the dashboard.
    """
    os.environ[DEVICE_ORDER] = "PCI_BUS_ID"
