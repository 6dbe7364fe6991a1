"""A user's code is tried in a process of its own, which is gone afterwards, whatever the code does."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine.config.errors import ConfigError
from engine.config.user_code import UserCode
from engine.runtime import isolated as module
from engine.runtime.isolated import isolated
from engine.runtime.user_code import load

MODEL = "def model():\n    return 'made'\n"


def attempt(path: Path, text: str) -> bytes:
    """What the function `model` of a file with this text returns, called in isolation."""
    path.write_text(text)
    code = UserCode(str(path), "model")

    def work(loaded: Callable[[], None]) -> bytes:
        model = load(code, path)
        loaded()
        return str(model()).encode()

    before = psutil.Process().children(recursive=True)
    try:
        return isolated(work, code, path)
    finally:
        assert psutil.Process().children(recursive=True) == before


def refusal(path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        attempt(path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_result_comes_back(tmp_path: Path) -> None:
    assert attempt(tmp_path / "net.py", MODEL) == b"made"
    assert attempt(tmp_path / "net.py", "def model():\n    return 'x' * 300_000\n") == b"x" * 300_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise ValueError('so')\n" + MODEL, "net.py line 1: ValueError: so"),
        ("def model():\n    raise ValueError('so')\n", "net.py line 2: ValueError: so"),
        ("import sys\nsys.exit(0)\n", "net.py line 2: exits"),
        ("def model():\n    raise SystemExit(0)\n", "net.py line 2: exits"),
        ("def model():\n    raise KeyboardInterrupt\n", "net.py line 2: KeyboardInterrupt"),
        ("import os\nos._exit(0)\n", "net.py: ends its process (with exit code 0)"),
        ("import os\nos._exit(3)\n", "net.py: ends its process (with exit code 3)"),
        ("import os\nos.kill(os.getpid(), 9)\n", "net.py: ends its process (by SIGKILL)"),
        ("\nprint('hello')\n" + MODEL, "net.py line 2: prints 'hello'"),
        ("def model():\n    print(1)\n    print(2)\n", "net.py line 2: prints '1'"),
        ("net = 1\n", "net.py has no model"),
    ],
)
def test_what_goes_wrong_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    assert refusal(tmp_path / "net.py", text).startswith(words)


def test_standard_output_stays_clean(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    refusal(tmp_path / "net.py", "import os\nprint('loud')\nos.write(1, b'louder')\nos.write(2, b'loudest')\n" + MODEL)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "while True:\n    pass\n",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass\n",
        "import time\ntime.sleep(1000)\n",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)\n",
        "import subprocess\nsubprocess.run(['sleep', '1000'])\n",
        "import os\nos.fork()\nwhile True:\n    pass\n",
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')\n",  # never gives up the interpreter's lock
    ],
)
def test_a_file_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(module, "IMPORT_SECONDS", 1.0)
    began = time.monotonic()
    assert refusal(tmp_path / "net.py", text).startswith("net.py: takes more than 1 s to import")
    assert time.monotonic() - began < 15


def test_the_limit_of_an_import_leaves_room_to_answer_within_20_seconds() -> None:
    assert module.IMPORT_SECONDS <= 10


def test_a_network_that_is_never_built_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIAL_SECONDS", 1.0)
    assert "to build and try" in refusal(tmp_path / "net.py", "def model():\n    while True:\n        pass\n")


def test_an_interrupt_of_the_parent_ends_the_child(tmp_path: Path) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise LookupError("enough")

    old = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(LookupError, match="enough"):
            attempt(tmp_path / "net.py", "while True:\n    pass\n")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    attempt(tmp_path / "net.py", MODEL)
    refusal(tmp_path / "net.py", "import os\nos._exit(3)\n")
    assert len(os.listdir("/dev/fd")) == before
