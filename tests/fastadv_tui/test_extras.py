"""Optional packages: one line names what to install."""

import tomllib
from pathlib import Path

import pytest

from fastadv_tui.extras import EXTRA_OF, MissingExtraError, load_extra

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(("module", "extra"), EXTRA_OF.items())
def test_each_extra_is_in_the_project_and_brings_the_module(module: str, extra: str) -> None:
    assert any(need.startswith(module) for need in PROJECT["optional-dependencies"][extra])
    assert not any(need.startswith(module) for need in PROJECT["dependencies"])


def test_a_missing_package_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRA_OF, "no_such_package", "parquet")
    with pytest.raises(MissingExtraError) as refused:
        load_extra("no_such_package.deep", "--format parquet")
    assert str(refused.value) == "--format parquet needs no_such_package: pip install 'fastadv[parquet]'"


def test_a_package_that_is_there_and_broken_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("import its_own_missing_part")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(EXTRA_OF, "broken_package", "parquet")
    with pytest.raises(MissingExtraError, match="its_own_missing_part"):
        load_extra("broken_package", "x")
