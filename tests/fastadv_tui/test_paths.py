"""Odd places: a home or a working folder that cannot be used is told in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastadv_tui.errors import HomeError, UserError
from fastadv_tui.paths import engine_environment, typed_path
from fastadv_tui.paths import home as home_folder
from tests.support.processes import ROOT
from tests.support.shell import FASTADV
from tests.support.waiting import seconds


def refused(words: list[str], cwd: Path | str, **environment: str) -> str:
    """The line with which a command refuses."""
    done = subprocess.run(
        [*FASTADV, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    return done.stderr


@pytest.mark.parametrize("words", [["run", "digits"], ["runs"], ["doctor"]])
def test_a_home_that_is_not_utf8_is_refused_in_one_line(tmp_path: Path, words: list[str]) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/x\xff")
    assert "is not UTF-8; set FASTADV_HOME to another one" in refused(words, tmp_path, FASTADV_HOME=odd)
    assert not Path(odd).exists()


def test_a_home_of_an_unknown_user_is_refused_in_one_line(tmp_path: Path) -> None:
    said = refused(["runs"], tmp_path, FASTADV_HOME="~nosuchuser/fastadv")
    assert "~nosuchuser/fastadv names a user who does not exist" in said


GONE = """
import os, subprocess, sys
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
os.rmdir(sys.argv[1])
sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""


@pytest.mark.parametrize("words", [["run", "digits"], ["runs"], []])
def test_a_working_folder_that_was_deleted_is_told_in_one_line(home: Path, tmp_path: Path, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GONE, str(tmp_path / "gone"), *FASTADV, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastadv: the working folder does not exist any more; change to another one with `cd`\n"


def test_typed_paths_are_absolute_and_know_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert typed_path("a/b") == tmp_path / "a" / "b"
    assert typed_path("~/a") == Path("/home/somebody/a")
    with pytest.raises(UserError, match="~nosuchuser/a names a user who does not exist"):
        typed_path("~nosuchuser/a")
    monkeypatch.setenv("FASTADV_HOME", os.fsdecode(b"/tmp/\xff"))
    with pytest.raises(HomeError, match="is not UTF-8"):
        home_folder()


def test_an_empty_part_of_pythonpath_does_not_let_the_engine_import_from_the_working_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lies_here.py").write_text("")
    monkeypatch.chdir(tmp_path)
    code = [sys.executable, "-P", "-c", "import lies_here"]
    monkeypatch.setenv("PYTHONPATH", f":{ROOT}:")
    assert subprocess.run(code).returncode == 0
    assert subprocess.run(code, env=engine_environment(), stderr=subprocess.DEVNULL).returncode == 1
    assert engine_environment()["PYTHONPATH"] == str(ROOT)
