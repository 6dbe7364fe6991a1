"""How torch's threads wait in the real engine, as OpenMP itself says."""

import os
import re
import subprocess
import sys

import pytest

from engine.runtime.openmp import SPINS, WAITING, let_waiting_threads_sleep
from tests.support.engine import ROOT

CHECK = b"{}"  # the engine refuses this request after it has imported what it needs


def reported(**environment: str) -> tuple[set[str], set[str]]:
    """The waiting policies and the counts of spins that OpenMP reports when torch loads it in an engine."""
    clean = {key: value for key, value in os.environ.items() if key not in WAITING}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "engine", "--eval"],
        input=CHECK,
        env={**clean, "PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "VERBOSE", **environment},
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode()
    return set(re.findall(r"OMP_WAIT_POLICY = '(\w+)'", said)), set(re.findall(r"GOMP_SPINCOUNT = '(\w+)'", said))


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="torch has GNU's OpenMP, which reports, on Linux")


def test_waiting_threads_of_the_engine_sleep() -> None:
    assert reported() == ({"PASSIVE"}, {SPINS})


def test_the_policy_that_the_user_set_wins() -> None:
    policies, spins = reported(OMP_WAIT_POLICY="ACTIVE")
    assert policies == {"ACTIVE"}
    assert SPINS not in spins


@pytest.mark.parametrize("name", WAITING)
def test_a_choice_of_the_user_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for each in WAITING:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "7")
    let_waiting_threads_sleep()
    assert {each: os.environ.get(each) for each in WAITING} == dict.fromkeys(WAITING) | {name: "7"}
