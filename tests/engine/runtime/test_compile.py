"""torch.compile: what a version or a machine may lack."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from engine.runtime.compile import MAX_GRAPHS, allow_graphs, missing_for_compiling


class Strict(SimpleNamespace):
    """As torch's configuration objects: a name that it does not know cannot be set."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__dict__:
            raise AttributeError(f"{name} does not exist")
        super().__setattr__(name, value)


@pytest.mark.parametrize("name", ["recompile_limit", "cache_size_limit"])  # torch 2.7 and later; 2.5 and 2.6
def test_the_limit_of_graphs_is_set_under_the_name_of_the_torch_version(name: str) -> None:
    config = Strict(**{name: 8})
    allow_graphs(config)
    assert vars(config) == {name: MAX_GRAPHS}


PROGRAMS = {"cpu": ("g++", "clang++"), "cuda": ("gcc", "cc", "clang")}


@pytest.mark.parametrize(("kind", "program"), [(kind, name) for kind, names in PROGRAMS.items() for name in names])
def test_any_usual_compiler_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, program: str) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name == program else None)
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"include": str(tmp_path)})
    (tmp_path / "Python.h").touch()
    assert missing_for_compiling(torch.device(kind)) == ""


@pytest.mark.parametrize(
    ("kind", "variable", "missing"), [("cpu", "CXX", "a C++ compiler (g++)"), ("cuda", "CC", "a C compiler (gcc)")]
)
def test_a_missing_compiler_is_named_on_cpu_and_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, variable: str, missing: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert missing_for_compiling(torch.device(kind)) == missing
    monkeypatch.setenv(variable, "/opt/bin/a-compiler")
    assert missing_for_compiling(torch.device(kind)) != missing


def test_python_without_its_headers_cannot_start_what_triton_compiles(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"include": str(tmp_path)})
    assert "headers" in missing_for_compiling(torch.device("cuda"))
    assert missing_for_compiling(torch.device("cpu")) == ""
