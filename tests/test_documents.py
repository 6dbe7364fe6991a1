"""The pages for readers, and the laboratory notes: what they name is there."""

import importlib.util
import re
from pathlib import Path

import pytest

from engine.config.methods import methods

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
ENGINE, FACE = ROOT / "engine" / "README.md", ROOT / "fastadv_tui" / "README.md"
PAGES = (README, ENGINE, FACE)
NOTES = sorted((ROOT / "tests" / "benchmarks").glob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
COMMAND = re.compile(r"python (?:-m ([\w.]+)|(tests/[\w/]+\.py))")


@pytest.mark.parametrize("page", [*PAGES, *NOTES], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", [*PAGES, *NOTES], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_command_that_a_page_names_exists(page: Path) -> None:
    for module, script in COMMAND.findall(page.read_text()):
        assert importlib.util.find_spec(module) if module else (ROOT / script).exists(), module or script


def test_the_index_of_the_notes_links_to_every_note() -> None:
    index = ROOT / "tests" / "benchmarks" / "README.md"
    assert {*LINK.findall(index.read_text())} >= {note.name for note in NOTES if note != index}


@pytest.mark.parametrize("name", methods())
def test_the_page_of_the_engine_gives_each_training_method_its_options_and_its_paper(name: str) -> None:
    (row,) = [line for line in ENGINE.read_text().splitlines() if line.startswith(f"| `{name}`")]
    spec = methods()[name]
    assert {option for option in spec.defaults if f"`{option}`" in row} == {*spec.defaults}
    assert re.findall(r"\d{4}\.\d{5}", spec.paper) == re.findall(r"arxiv\.org/abs/(\d{4}\.\d{5})", row)
