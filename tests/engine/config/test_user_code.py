"""Code of a user's own is named, found and hashed without running it."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from engine.config.user_code import MODEL_COPY, UserCode, file_to_run, parse

TRAP = "raise SystemExit('this file must not run')\n"


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("text", "source", "name"),
    [
        ("net.py:model", "net.py", "model"),
        ("/home/me/a b:c/net.py:Net2", "/home/me/a b:c/net.py", "Net2"),
        ("package.module:_net", "package.module", "_net"),
        ("größe:Netz", "größe", "Netz"),
    ],
)
def test_the_source_and_the_name_are_told_apart(text: str, source: str, name: str) -> None:
    assert parse(text) == UserCode(source, name)
    assert UserCode(source, name).text == text


@pytest.mark.parametrize(
    "text", ["resnet18", "net.py", "net.py:", "net.py:2a", "a/b:c", ":x", "imagefolder:/data/x", "a b:c"]
)
def test_other_texts_name_no_code(text: str) -> None:
    assert parse(text) is None


def test_a_file_is_hashed_and_a_change_is_told(tmp_path: Path) -> None:
    code = UserCode("net.py", "model").at(tmp_path / "net.py")
    (tmp_path / "net.py").write_text(TRAP)
    assert code.content() == TRAP.encode()
    assert code.change(fingerprint(TRAP)) == ""
    (tmp_path / "net.py").write_text("other")
    then, now = fingerprint(TRAP), fingerprint("other")
    assert code.change(then) == f"net.py has changed ({then} then, {now} now)"
    (tmp_path / "net.py").unlink()
    assert "net.py does not exist" in code.change(then)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "huge"])
def test_what_is_no_file_of_code_is_refused_in_a_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "net.py"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)  # to open it would wait for ever
    elif kind == "huge":
        path.write_bytes(b"#" * 1_000_001)
    words = {"missing": "does not exist", "folder": "a folder", "pipe": "a named pipe", "huge": "larger than 1 MB"}
    with pytest.raises(ConfigError, match=words[kind]) as caught:
        UserCode(str(path), "model").content()
    assert "\n" not in str(caught.value)


def test_a_path_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="not UTF-8"):
        UserCode("net.py", "model").at(Path(os.fsdecode(b"/tmp/\xff/net.py")))


def test_a_module_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "trap_package"
    (package / "inner").mkdir(parents=True)
    for file in (package / "__init__.py", package / "inner" / "__init__.py", package / "inner" / "nets.py"):
        file.write_text(TRAP)
    monkeypatch.syspath_prepend(tmp_path)
    assert UserCode("trap_package.inner.nets", "model").file() == package / "inner" / "nets.py"
    assert UserCode("trap_package.inner", "model").file() == package / "inner" / "__init__.py"
    assert not any(name.startswith("trap_package") for name in sys.modules)
    for missing in ("trap_package.outer", "trap_package.inner.nets.more", "sys", "no_such_module_at_all"):
        with pytest.raises(ConfigError, match=f"no module {missing} is installed"):
            UserCode(missing, "model").file()


def test_the_working_folder_is_not_searched(tmp_path: Path) -> None:
    """`python -m` puts the working folder first, where the engine does not look."""
    (tmp_path / "lies_here.py").write_text(TRAP)
    ask = "from engine.config.user_code import UserCode; print(UserCode('lies_here', 'model').file())"
    (tmp_path / "ask.py").write_text(ask)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-m", "ask"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "no module lies_here" in done.stderr


def test_the_copy_of_a_run_is_preferred(tmp_path: Path) -> None:
    original, run = tmp_path / "net.py", tmp_path / "run"
    run.mkdir()
    original.write_text("one")
    code = UserCode(str(original), "model")
    assert file_to_run(code, "", None, MODEL_COPY) == original
    assert file_to_run(code, fingerprint("one"), run, MODEL_COPY) == original
    (run / MODEL_COPY).write_text("one")
    original.write_text("two")
    assert file_to_run(code, fingerprint("one"), run, MODEL_COPY) == run / MODEL_COPY
    assert file_to_run(code, fingerprint("two"), run, MODEL_COPY) == original  # asked for by an evaluation
    (run / MODEL_COPY).write_text("three")
    with pytest.raises(ConfigError, match=r"model\.py is not the code that the run was submitted with"):
        file_to_run(code, fingerprint("one"), run, MODEL_COPY)
    (run / MODEL_COPY).unlink()
    with pytest.raises(ConfigError, match=r"net\.py has changed .*model\.py, the copy of then, is missing"):
        file_to_run(code, fingerprint("one"), run, MODEL_COPY)
