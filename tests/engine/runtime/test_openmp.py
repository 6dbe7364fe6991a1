"""How torch's threads wait in the real engine, as OpenMP itself says."""

import os
import re
import subprocess
import sys

import pytest

from engine.runtime.openmp import WAITING, let_waiting_threads_sleep
from tests.support.engine import ROOT

CHECK = b"{}"  # the engine refuses this request after it has imported what it needs


def wait_policy(**environment: str) -> set[str]:
    """The waiting policies that OpenMP reports when torch loads it in an engine."""
    clean = {key: value for key, value in os.environ.items() if key not in WAITING}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "engine", "--eval"],
        input=CHECK,
        env={**clean, "PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "TRUE", **environment},
        capture_output=True,
        check=False,
    )
    return set(re.findall(r"OMP_WAIT_POLICY = '(\w+)'", (done.stdout + done.stderr).decode()))


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="torch has GNU's OpenMP, which reports, on Linux")


def test_waiting_threads_of_the_engine_sleep() -> None:
    assert wait_policy() == {"PASSIVE"}


def test_the_policy_that_the_user_set_wins() -> None:
    assert wait_policy(OMP_WAIT_POLICY="ACTIVE") == {"ACTIVE"}


@pytest.mark.parametrize("name", WAITING)
def test_a_choice_of_the_user_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for each in WAITING:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "7")
    let_waiting_threads_sleep()
    assert {each: os.environ.get(each) for each in WAITING} == dict.fromkeys(WAITING) | {name: "7"}
