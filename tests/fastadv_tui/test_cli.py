"""Which commands are loaded, and what the help tells of the others."""

import inspect
import subprocess
import sys
from typing import cast

import pytest
import typer

from fastadv_tui.cli import COMMANDS, app, load
from tests.support.shell import fastadv

LOADED = (
    "import sys; from fastadv_tui.__main__ import main\n"
    "try: main()\nexcept SystemExit: pass\n"
    "print('LOADED', *[name for name in sys.modules if name.startswith('fastadv_tui.commands.')])"
)


def test_the_help_lists_each_command_with_the_first_paragraph_of_its_own_help() -> None:
    for name in COMMANDS:
        if name not in cast(typer.core.TyperGroup, typer.main.get_command(app)).commands:
            load(name)  # else another test has loaded it in this process
    whole = cast(typer.core.TyperGroup, typer.main.get_command(app))
    listed = plain(fastadv("--help").stdout)
    for name in COMMANDS:
        own = inspect.cleandoc(whole.commands[name].help or "").split("\n\n")[0]
        assert own, name
        assert f" {name} {plain(own)} " in listed


def plain(text: str) -> str:
    """The words of a text, without the lines around a table."""
    return " ".join(text.translate(str.maketrans("│─╭╮╰╯", " " * 6)).split())


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"], ["rnus"]])
def test_words_without_a_command_load_no_command(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-P", "-c", LOADED, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_a_command_is_found_behind_an_option_too() -> None:
    assert "wong2020" in fastadv("--readonly", "presets").stdout


def test_a_help_that_is_asked_for_before_a_command_lists_all_commands() -> None:
    assert fastadv("--help", "watch").stdout == fastadv("--help").stdout


def test_a_mistyped_command_is_answered_with_a_similar_one() -> None:
    done = fastadv("rnus")
    assert done.returncode == 2
    assert "No such command 'rnus'. Did you mean 'runs'?" in done.stderr
