"""The settings file: what it may hold, and that a change of one setting keeps the rest."""

import tomllib
from pathlib import Path

import pytest

from fastadv_tui.dashboard import settings
from fastadv_tui.errors import UserError

WRITTEN = """# mine
refresh = 2
theme = "ansi"  # over ssh
columns = [
    "name",
    "robust",
]

[keymap]
stop = "ctrl+x"
"""


def write(home: Path, text: str) -> None:
    home.mkdir()
    settings.path().write_text(text)


def test_settings_without_a_file_are_the_defaults(home: Path) -> None:
    assert settings.load() == settings.Settings()


def test_settings_that_the_user_wrote_are_read(home: Path) -> None:
    write(home, WRITTEN)
    loaded = settings.load()
    assert (loaded.theme, loaded.refresh, loaded.columns) == ("ansi", 2.0, ("name", "robust"))
    assert loaded.keymap == {"stop": "ctrl+x"}


@pytest.mark.parametrize("text", ["refresh = 0", "colour = 1", "theme = ", 'columns = "name"', "\udcff"])
def test_an_invalid_settings_file_is_refused_by_name(home: Path, text: str) -> None:
    home.mkdir()
    settings.path().write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"settings.toml: .*put it right or remove it"):
        settings.load()


def test_changing_one_setting_leaves_the_rest_of_the_file(home: Path) -> None:
    write(home, WRITTEN)
    settings.remember("columns", ("name", "clean", 'od"d\\'))
    settings.remember("theme", "textual-light")
    text = settings.path().read_text()
    assert text.startswith("# mine\nrefresh = 2\n")
    assert tomllib.loads(text) == {
        "refresh": 2,
        "theme": "textual-light",
        "columns": ["name", "clean", 'od"d\\'],
        "keymap": {"stop": "ctrl+x"},
    }


def test_a_new_setting_is_written_before_every_table(home: Path) -> None:
    write(home, '[keymap]\nstop = "ctrl+x"\n')
    settings.remember("theme", "ansi")
    assert settings.load() == settings.Settings(theme="ansi", keymap={"stop": "ctrl+x"})


def test_the_first_changed_setting_creates_the_file(home: Path) -> None:
    settings.remember("theme", "ansi")
    assert settings.load().theme == "ansi"
