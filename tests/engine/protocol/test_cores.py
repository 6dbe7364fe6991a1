"""Cores are those that the process may use, not those of the machine."""

import os

import pytest
import torch

from engine.protocol.cores import usable_cores
from engine.training import setup


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_a_process_that_is_bound_to_one_core_has_one() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
        assert setup.device_name(torch.device("cpu")) == "cpu (1 core)"
    finally:
        os.sched_setaffinity(0, before)
    assert usable_cores() == len(before)
