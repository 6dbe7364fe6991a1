"""The import rules of the packages, and their purpose: commands that start at once."""

import ast
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FREE = ("config", "plan", "protocol")  # packages of the engine
HEAVY = ("torch", "torchvision", "sklearn", "numpy", "textual")


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import, at any depth."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "fastadv_tui").rglob("*.py")), ids=lambda path: path.stem)
def test_fastadv_tui_imports_only_the_torch_free_packages_of_the_engine(path: Path) -> None:
    used = {name.split(".")[1] for name in imported(path) if name.split(".")[0] == "engine"}
    assert used <= {*FREE}


@pytest.mark.parametrize("path", sorted((ROOT / "engine").rglob("*.py")), ids=lambda path: path.stem)
def test_the_engine_never_imports_fastadv_tui(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported(path)}
    assert not tops & {"fastadv_tui", "textual", "rich", "typer", "tinydb"}


def graph(package: str) -> dict[str, set[str]]:
    """Every module of a package and the modules of the package that it imports, in functions and for types, too."""
    paths = {path.relative_to(ROOT).with_suffix("").parts: path for path in (ROOT / package).rglob("*.py")}
    files = {".".join(parts).removesuffix(".__init__"): path for parts, path in paths.items()}
    found = {}
    for module, path in files.items():
        names = {name if name in files else name.rpartition(".")[0] for name in imported(path)}
        found[module] = (names & set(files)) - {module}
    return found


@pytest.mark.parametrize("package", ["engine", "fastadv_tui"])
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    imports = graph(package)
    assert sum(map(len, imports.values())) > len(imports)
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_only_one_module_reads_typed_json() -> None:
    paths = [path for package in ("engine", "fastadv_tui") for path in (ROOT / package).rglob("*.py")]
    found = {path.stem for path in paths if re.search(r"msgspec\.json\.(decode|Decoder)\(", path.read_text())}
    assert found == {"typed"}, "elsewhere an interrupt can be lost; see engine/config/typed.py"


def test_files_that_are_no_modules_are_packaged() -> None:
    """`py.typed` of both packages among them: without it a type checker ignores our annotations."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = project["tool"]["setuptools"]["package-data"]
    files = [path for package in ("engine", "fastadv_tui") for path in (ROOT / package).rglob("*") if path.is_file()]
    data = [path.relative_to(ROOT) for path in files if path.suffix not in (".py", ".pyc")]
    assert {"engine/py.typed", "fastadv_tui/py.typed"} <= set(map(str, data))
    for path in data:
        assert any(fnmatch(path.name, wanted) for wanted in listed.get(".".join(path.parent.parts), [])), path


def test_the_torch_free_packages_load_nothing_heavy() -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for name in FREE for path in (ROOT / "engine" / name).rglob("*.py")]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    assert len(names) > 2 * len(FREE)
    assert loaded_by(f"import {', '.join(names)}") == set()


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["runs"], ["run", "--help"], ["runs", "--json"]])
def test_headless_commands_load_neither_torch_nor_textual(arguments: list[str], home: Path) -> None:
    assert loaded_by(_command(arguments)) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["runs"]])
def test_commands_that_read_no_settings_do_not_build_their_classes(arguments: list[str], home: Path) -> None:
    assert loaded_by(_command(arguments), ("engine.config.run", "engine.config.method_section")) == set()


def _command(arguments: list[str]) -> str:
    code = f"import sys; sys.argv[1:] = {arguments!r}\nfrom fastadv_tui.__main__ import main\n"
    return code + "try: main()\nexcept SystemExit: pass"


def loaded_by(code: str, names: tuple[str, ...] = HEAVY) -> set[str]:
    """The modules of `names` that a fresh interpreter has loaded after running some code."""
    report = f"\nimport sys; print('LOADED', *[name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code + report], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])
