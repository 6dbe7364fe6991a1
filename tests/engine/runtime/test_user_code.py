"""A user's code is loaded from one file, and what it does wrong is said in one line with its place."""

import sys
from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from engine.config.user_code import UserCode
from engine.runtime.user_code import load


def write(path: Path, text: str) -> UserCode:
    path.write_text(text)
    return UserCode(str(path), "model")


def refusal(code: UserCode) -> str:
    with pytest.raises(ConfigError) as caught:
        load(code, Path(code.source))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_name_of_a_file_is_loaded(tmp_path: Path) -> None:
    code = write(
        tmp_path / "net.py", "from dataclasses import dataclass\n@dataclass\nclass model:\n    size: int = 3\n"
    )
    assert load(code, tmp_path / "net.py")().size == 3


def test_a_name_of_an_installed_module_is_loaded() -> None:
    assert load(UserCode("colorsys", "rgb_to_hls"), Path("unused"))(0.0, 0.0, 0.0) == (0.0, 0.0, 0.0)


def test_two_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    found = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        code = write(tmp_path / str(number) / "net.py", f"def model():\n    return {number}\n")
        found.append(load(code, Path(code.source)))
    assert [one() for one in found] == [1, 2]
    assert sys.modules[found[0].__module__] is not sys.modules[found[1].__module__]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\nraise ValueError('no')\n", "net.py line 2: ValueError: no"),
        ("def inner():\n    return 1 / 0\n\ninner()\n", "net.py line 2: ZeroDivisionError: division by zero"),
        ("import json\n\njson.loads('{')\n", "net.py line 3: JSONDecodeError: "),
        ("x = 1\n\ndef model(:\n", "net.py line 3: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('bye')\n", "net.py line 2: exits"),
        ("import no_such_module_at_all\n", "net.py line 1: ModuleNotFoundError: No module named"),
        ("def net():\n    pass\n", "net.py has no model; it defines net"),
        ("", "net.py has no model; it defines no function and no class"),
        ("\0", "net.py"),
    ],
)
def test_a_fault_is_said_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    assert refusal(write(tmp_path / "net.py", text)).startswith(words)


@pytest.mark.parametrize("line", ["import blocks", "from blocks.parts import Part", "from .blocks import Part"])
def test_an_import_of_a_neighbour_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "blocks.py").write_text("raise SystemExit\n")
    said = refusal(write(tmp_path / "net.py", f"\n{line}\n"))
    assert said.startswith("net.py line 2: imports ")
    assert "only the one file is kept with a run" in said


def test_a_copy_is_named_by_its_original(tmp_path: Path) -> None:
    code = write(tmp_path / "net.py", "")
    (tmp_path / "model.py").write_text("1 / 0")
    with pytest.raises(ConfigError, match=r"^net\.py line 1: ZeroDivisionError"):
        load(code, tmp_path / "model.py")


def test_a_broken_file_leaves_no_module(tmp_path: Path) -> None:
    before = set(sys.modules)
    refusal(write(tmp_path / "net.py", "raise ValueError"))
    assert set(sys.modules) == before
