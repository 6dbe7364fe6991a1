"""The command line in this process, which has loaded torch already."""

import io
import subprocess
import sys

import msgspec
import pytest
import rich

from engine.config.run import RunConfig
from engine.protocol.requests import Checked
from fastadv_tui.__main__ import main
from fastadv_tui.cli import app
from fastadv_tui.runs.engine_client import read_answer
from fastadv_tui.runs.warm_engine import WarmEngine
from tests.support.engine import ask_here


def fastadv_here(*words: str) -> "subprocess.CompletedProcess[str]":
    """What a command prints, and its exit code. The engine's check of a run is answered here, too."""
    out, told = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        for commands in ("registered_commands", "registered_groups"):
            patch.setattr(app, commands, [])  # a process registers those that it needs
        patch.setitem(sys.modules, "rich", rich)  # completion hides it from Typer
        patch.setattr("fastadv_tui.interrupts.interrupt_quietly", lambda: None)  # signals stay those of pytest
        patch.setattr(WarmEngine, "check", lambda engine: _check(engine._config))
        patch.setattr(sys, "argv", ["fastadv", *words])
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", told)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    printed = (stream.buffer.getvalue().decode() for stream in (_flushed(out), _flushed(told)))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(words, code or 0, *printed)


def _flushed(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    return stream


def _check(config: RunConfig) -> Checked:
    code, answer = ask_here("--check", stdin=msgspec.json.encode(config))
    return read_answer("check", Checked, answer, lambda: code)
