"""One engine process answers all questions, leaves an old one for a new one, and ends with the process that asks."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch

from engine.commands.check import check_run
from engine.config.presets import build
from engine.protocol.requests import Checked, Counted
from fastadv_tui.errors import UserError
from fastadv_tui.runs import engine_server
from fastadv_tui.runs.engine_client import EngineError
from fastadv_tui.runs.engine_server import EngineServer, SupersededError
from tests.support.gpu_machine import show_gpus
from tests.support.runs import config, gone
from tests.support.waiting import wait_until

SLOW = build("cifar", {"model.width": 1024, "model.depth": 12})  # counting this network takes many seconds
QUICK = build("digits", {"model.width": 4})
REFUSED = build("imagefolder:/nowhere", {})


@pytest.fixture
def server() -> Iterator[EngineServer]:
    asked = EngineServer()
    yield asked
    asked.close()


def processes() -> list[int]:
    """The pids of the servers of this process."""
    return [child.pid for child in psutil.Process().children() if not gone(child.pid) and "--serve" in child.cmdline()]


def wait_until_working(process: psutil.Process) -> None:
    """Wait until a process has worked for a while. A busy machine may give it a small share of a core only."""
    before = sum(process.cpu_times()[:2])
    wait_until(lambda: sum(process.cpu_times()[:2]) > before + 0.2)


def scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> Path:
    """Run Python code in place of the engine: `reply(number, type)` replies. Returns a file with a line per start."""
    starts = tmp_path / "starts"
    head = f"""
import json, sys, time
print("start", file=open({str(starts)!r}, "a"))
def reply(number, kind, **fields):
    print(json.dumps({{"number": number, "answer": {{"type": kind, **fields}}}}), flush=True)
def asked():
    return json.loads(sys.stdin.readline())["number"]
def checked(number):
    reply(number, "Begun")
    reply(number, "Checked", train_images=number, test_images=1, official_data=None, data_fingerprint="")
def counted(number):
    reply(number, "Begun")
    reply(number, "Counted", passes={{}}, train_images=number)
reply(0, "Ready")
first = sum(1 for _ in open({str(starts)!r})) == 1
"""
    monkeypatch.setattr(engine_server, "engine_command", lambda *_: [sys.executable, "-c", head + code, "--serve"])
    return starts


def test_one_process_answers_many_questions_and_leaves_an_old_one_for_a_new_one(server: EngineServer) -> None:
    checked = server.check(QUICK)
    assert isinstance(checked, Checked)
    assert checked == check_run(QUICK, on_gpu=False)
    with pytest.raises(UserError, match="nowhere"):
        server.count_flops(REFUSED)
    (pid,) = processes()
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(server.count_flops, SLOW)
        wait_until_working(psutil.Process(pid))  # the network is being built
        counted = server.count_flops(QUICK)
        with pytest.raises(SupersededError):
            slow.result()
    assert isinstance(counted, Counted)
    assert processes() == [pid]
    server.close()
    wait_until(lambda: gone(pid))


@pytest.mark.parametrize(("device", "on_gpu"), [("auto", True), ("cpu", False)])
def test_the_check_of_a_run_that_takes_a_gpu_is_asked_about_the_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: EngineServer, device: str, on_gpu: bool
) -> None:
    show_gpus(monkeypatch, tmp_path / "nvml")
    code = "asked = json.loads(sys.stdin.readline()); reply(asked['number'], 'Begun')\n"
    scripted(monkeypatch, tmp_path, code + "reply(asked['number'], 'Refused', message=str(asked['on_gpu'])); asked()")
    with pytest.raises(UserError, match=f"^{on_gpu}$"):
        server.check(build("digits", {"device": device}))


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use the GPU of this machine")
def test_the_server_refuses_a_gpu_that_torch_cannot_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: EngineServer
) -> None:
    show_gpus(monkeypatch, tmp_path / "nvml")
    with pytest.raises(UserError, match=r"^device = auto: torch cannot use this machine's GPU: "):
        server.check(build("digits", {"model.width": 4}))


def test_a_process_that_does_not_leave_an_old_question_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: EngineServer
) -> None:
    stuck_code = f"reply(number, 'Begun'); open({str(tmp_path / 'begun')!r}, 'w'); time.sleep(60)"
    starts = scripted(monkeypatch, tmp_path, f"number = asked()\nif first: {stuck_code}\nchecked(number)\nasked()")
    with ThreadPoolExecutor() as pool:
        stuck = pool.submit(server.count_flops, config())
        wait_until(lambda: starts.exists() and len(processes()) == 1)
        (pid,) = processes()
        wait_until(lambda: (tmp_path / "begun").exists())
        assert server.check(config()).train_images == 2
        with pytest.raises(SupersededError):
            stuck.result()
    assert starts.read_text().split() == ["start", "start"]
    wait_until(lambda: gone(pid))


def test_questions_do_not_pile_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: EngineServer) -> None:
    """Many questions at once, as from a user who types: the newest is answered, by one process."""
    starts = scripted(monkeypatch, tmp_path, "time.sleep(0.2)\nwhile True: counted(asked())")
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(server.count_flops, config()) for _ in range(20)]
        errors = [future.exception() for future in futures]
    assert sum(error is None for error in errors) >= 1
    assert all(error is None or isinstance(error, SupersededError) for error in errors)
    assert starts.read_text().split() == ["start"]


def test_a_check_is_never_cancelled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: EngineServer) -> None:
    """A run starts after its check, whatever another form asks meanwhile."""
    go = tmp_path / "go"
    code = f"number = asked()\nwhile not __import__('os').path.exists({str(go)!r}): time.sleep(0.01)\nchecked(number)"
    scripted(monkeypatch, tmp_path, f"reply(1, 'Begun')\n{code}\ncounted(asked())\nasked()")
    with ThreadPoolExecutor() as pool:
        check = pool.submit(server.check, config())
        wait_until(processes)
        count = pool.submit(server.count_flops, config())
        go.touch()
        assert check.result().train_images == 1
        assert count.result().train_images == 2


def test_a_process_that_dies_is_one_line_and_the_next_question_gets_a_new_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: EngineServer
) -> None:
    scripted(monkeypatch, tmp_path, "number = asked()\nif first: sys.exit(1)\nchecked(number)\nasked()")
    with pytest.raises(EngineError, match="ended without an answer"):
        server.check(config())
    assert server.check(config()).train_images == 2


def test_a_process_that_cannot_start_is_one_line(monkeypatch: pytest.MonkeyPatch, server: EngineServer) -> None:
    monkeypatch.setattr(engine_server, "engine_command", lambda *_: ["/nowhere/python"])
    with pytest.raises(EngineError, match="cannot start the engine"):
        server.check(config())


def test_closing_lets_every_question_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: EngineServer) -> None:
    scripted(monkeypatch, tmp_path, "reply(asked(), 'Begun')\ntime.sleep(60)")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(server.check, config())
        wait_until(processes)
        server.close()
        with pytest.raises(SupersededError):
            waiting.result()
    with pytest.raises(SupersededError):
        server.check(config())
    wait_until(lambda: not processes())


ASKER = """
import threading, time
from engine.config.presets import build
from fastadv_tui.runs.engine_server import EngineServer
server = EngineServer()
server.check(build("digits", {}))
print("answered", flush=True)
slow = build("cifar", {"model.width": 1024, "model.depth": 12})
threading.Thread(target=server.count_flops, args=[slow], daemon=True).start()
time.sleep(60)
"""


def test_the_process_ends_when_the_asking_one_is_killed_even_while_it_works() -> None:
    with subprocess.Popen([sys.executable, "-c", ASKER], stdout=subprocess.PIPE, text=True) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "answered\n"
        (engine,) = psutil.Process(asker.pid).children()
        wait_until_working(engine)
        asker.send_signal(signal.SIGKILL)
    wait_until(lambda: gone(engine.pid), timeout=3)
