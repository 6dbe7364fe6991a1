"""The answers to a shell that asks, at a press of tab, what could stand at the cursor."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.config.keys import fields
from engine.config.methods import methods
from engine.config.presets import PRESETS
from fastadv_tui.cli import COMMANDS
from fastadv_tui.commands.completion import LAST
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.paths import history_path
from tests.end_to_end.test_command_line import cpu_seconds
from tests.support.shell import FASTADV
from tests.support.shell_here import fastadv_here
from tests.support.waiting import seconds

ALL = "import sys, fastadv_tui.__main__ as m\ntry: m.main()\nexcept SystemExit: pass\nprint(*sys.modules)"


@pytest.fixture
def runs(home: Path) -> None:
    for name in ("k3f9aa", "k3x000", "p2x7bb", ".making"):
        (home / "runs" / name).mkdir(parents=True)


def asked(line: str, shell: str = "bash") -> dict[str, str]:
    """The environment in which a shell asks for completions at the end of a line."""
    words = line.split(" ")
    by_shell = {
        "bash": {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }
    return {**os.environ, "_FASTADV_COMPLETE": f"complete_{shell}", **by_shell[shell]}


def answer(line: str, shell: str = "bash") -> str:
    done = subprocess.run(FASTADV, env=asked(line, shell), capture_output=True, text=True, timeout=seconds(60))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def offered(line: str) -> set[str]:
    """What is offered to bash, by this process: starting one takes most of the time of an answer."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in asked(line).items():
            patch.setenv(name, value)
        done = fastadv_here()
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("line", ["fastadv ", "fastadv show k3", "fastadv run digits --set watch."])
def test_a_process_of_its_own_offers_the_same(line: str) -> None:
    assert set(answer(line).split()) == offered(line) != set()


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("fastadv ", set(COMMANDS)),
        ("fastadv re", {"resume", "rerun", "reproduce", "reindex"}),
        ("fastadv show ", {*LAST, "k3f9aa", "k3x000", "p2x7bb"}),
        ("fastadv show k3", {"k3f9aa", "k3x000"}),
        ("fastadv compare k3f9aa p", {"p2x7bb"}),
        ("fastadv export la", {*LAST}),
        ("fastadv eval p", {"p2x7bb"}),
        ("fastadv run ci", {"cifar", "cifar10", "cifar100"}),
        ("fastadv run --prec", {"--precision"}),
        ("fastadv run digits --method ", set(methods())),
        ("fastadv run digits --preset ", set(PRESETS)),
        ("fastadv sweep digits --preset digi", {"digits"}),
        ("fastadv run digits --set watch.", {f"{key}=" for key in fields() if key.startswith("watch.")}),
        ("fastadv sweep digits --grid ep", {"eps=", "epochs="}),
        ("fastadv eval last --dataset mn", {"mnist"}),
        ("fastadv runs --filter ", set()),
        ("fastadv --version ", set(COMMANDS)),
        ("fastadv no-such-command ", set(COMMANDS)),
        ('fastadv show "', {*LAST, "k3f9aa", "k3x000", "p2x7bb"}),
    ],
)
def test_what_is_offered(line: str, values: set[str]) -> None:
    assert offered(line) == values


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_offers_its_options(command: str, home: Path) -> None:
    help_text = fastadv_here(command, "--help").stdout
    assert offered(f"fastadv {command} --") == set(re.findall(r"^\W*(?:\*\W+)?(--[a-z-]+)", help_text, re.MULTILINE))


def test_completion_makes_nothing_and_needs_no_home(home: Path) -> None:
    assert offered("fastadv show ") == {*LAST}
    assert not home.exists()


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_in_their_own_way(shell: str) -> None:
    said = answer("fastadv run --preset wong2020-m", shell)
    assert said.strip() == {"zsh": "_arguments '*: :((\"wong2020-mnist\"))'", "fish": "wong2020-mnist"}[shell]
    assert "--precision" in answer("fastadv run --pre", shell)
    assert answer("fastadv sh", shell).strip() == {"zsh": "_arguments '*: :((\"show\"))'", "fish": "show"}[shell]
    assert "k3f9aa" in answer("fastadv show k", shell)


@pytest.mark.parametrize(
    "variables", [{}, {"COMP_WORDS": "fastadv show ", "COMP_CWORD": "x"}], ids=["none", "no number"]
)
@pytest.mark.parametrize("instruction", ["complete_bash", "complete_tcsh", "complete", "nonsense_bash"])
def test_a_question_that_makes_no_sense_is_answered_without_a_traceback(
    instruction: str, variables: dict[str, str], home: Path
) -> None:
    environment = {**os.environ, "_FASTADV_COMPLETE": instruction, **variables}
    done = subprocess.run(FASTADV, env=environment, capture_output=True, text=True, timeout=seconds(60))
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not home.exists()


def test_a_home_that_cannot_be_read_offers_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "file"))
    assert offered("fastadv show ") == {*LAST}


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(("line", "modules"), [("fastadv show ", {"show"}), ("fastadv sh", set())])
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_only_the_command_that_is_completed_is_loaded(line: str, modules: set[str], shell: str) -> None:
    done = subprocess.run([sys.executable, "-P", "-c", ALL], env=asked(line, shell), capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {name for name in COMMANDS if f"fastadv_tui.commands.{name}" in loaded} == modules
    assert not loaded & {"rich.console", "textual", "torch", "tinydb"}


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("line", ["fastadv ", "fastadv show ", "fastadv run digits --set op"])
def test_an_answer_is_quick(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `test_start_up_is_quick`: over a bare Python, in imports of asyncio, in seconds of the processor."""
    commands = [sys.executable, "-c", "pass"], [sys.executable, "-c", "import asyncio"]
    for name, value in asked(line).items():
        monkeypatch.setenv(name, value)
    bare, unit, ours = (min(cpu_seconds(command) for _ in range(7)) for command in (*commands, FASTADV))
    assert (ours - bare) / (unit - bare) < 3.0


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.usefixtures("runs")
def test_bash_completes_with_the_function_that_the_program_prints(tmp_path: Path) -> None:
    program = tmp_path / "fastadv"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m fastadv_tui "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(fastadv --show-completion bash)"\n'
        'COMP_WORDS=(fastadv show k3); COMP_CWORD=2; _fastadv_completion fastadv\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["k3f9aa", "k3x000"], done.stderr


def test_a_name_that_means_one_run_is_offered_and_a_damaged_history_offers_none(home: Path) -> None:
    History().upsert([Row(id=f"r{n}", name=name) for n, name in enumerate(("mine", "both", "both", "my own", "$(x)"))])
    assert offered("fastadv show m") == {"mine"}
    assert not {"both", "my", "own", "$(x)"} & offered("fastadv show ")
    assert offered("fastadv tag r0,mi") == {"r0,mine"}
    history_path().write_bytes(b'{"runs": {"1": {"name": \xff')
    assert offered("fastadv show ") == {*LAST}
