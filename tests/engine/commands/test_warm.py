"""The engine that checks a run before the run exists, and trains it then."""

import socket
import subprocess
from pathlib import Path

import msgspec
import pytest
import torch

from engine.config.run import RunConfig
from engine.protocol.handover import GoAhead, send
from engine.protocol.requests import ON_GPU, Checked, Refused
from engine.protocol.rundir import RunDir
from tests.support import engine
from tests.support.waiting import seconds


def start(config: RunConfig, *arguments: str) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """An engine that has been asked to check a run, and the connection on which it waits for the run."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            engine.command("--warm", str(theirs.fileno()), *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=engine.environment(),
            pass_fds=[theirs.fileno()],
        )
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(msgspec.json.encode(config))
    return process, ours


def answer(process: "subprocess.Popen[bytes]") -> Checked | Refused:
    assert process.stdout is not None
    with process.stdout as pipe:
        return msgspec.json.decode(pipe.read().splitlines()[-1], type=Checked | Refused)


def end(process: "subprocess.Popen[bytes]") -> tuple[int, bytes]:
    assert process.stderr is not None
    with process.stderr as pipe:
        return process.wait(seconds(60)), pipe.read()


def test_a_run_that_was_checked_before_trains_bit_for_bit_as_another_one(tmp_path: Path) -> None:
    """The last of its minibatches has one image. For such a run the check builds the network and draws numbers."""
    typed = {"batch_size": 359, "epochs": 1, "eval.attack": "pgd-2"}
    usual, warm = (engine.run_folder(tmp_path / name, typed) for name in ("usual", "warm"))
    assert engine.finish(engine.start(usual)) == 0
    process, connection = start(warm.submission().config)
    with connection:
        checked = answer(process)
        assert isinstance(checked, Checked)
        assert checked.train_images % 359 == 1
        send(connection, GoAhead(folder=str(warm.path), environment={"FASTADV_DEVICE": "cpu"}), [])
    assert end(process) == (0, b"")
    engine.assert_same_end(usual, warm)


def test_an_engine_without_a_run_ends_when_its_supervisor_does(tmp_path: Path) -> None:
    process, connection = start(engine.run_folder(tmp_path / "run", {}).submission().config)
    connection.close()
    assert isinstance(answer(process), Checked)
    assert end(process) == (130, b"")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use the GPU of this machine")
def test_the_check_of_a_gpu_leaves_the_process_free_to_choose_its_gpu_later(tmp_path: Path) -> None:
    """CUDA reads CUDA_VISIBLE_DEVICES once. So the check runs in a child, whose refusal is that of the process."""
    rundir: RunDir = engine.run_folder(tmp_path / "run", {"device": "auto"})
    process, connection = start(rundir.submission().config, ON_GPU)
    with connection:
        refused = answer(process)
        assert isinstance(refused, Refused)
        assert "torch cannot use this machine's GPU" in refused.message
        assert end(process) == (2, b"")
