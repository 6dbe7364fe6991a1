"""The settings file: valid and invalid contents, and that changing one setting keeps the rest of the file."""

import tomllib
from pathlib import Path

import pytest

from fastadv_tui.dashboard import settings
from fastadv_tui.errors import UserError
from tests.support.small_disk import full_disk

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
    with pytest.raises(UserError, match=r"settings.toml: .*correct the file or remove it"):
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


def test_a_key_of_the_same_name_in_a_table_is_not_changed() -> None:
    text = settings.changed('[keymap]\ntheme = "ctrl+t"\n', "theme", "ansi")
    assert tomllib.loads(text) == {"theme": "ansi", "keymap": {"theme": "ctrl+t"}}


def test_brackets_quotes_and_comments_in_a_list_do_not_end_the_list() -> None:
    before = 'columns = [  # mine\n    "a]",  # "]\n    \'b"]\',\n]\nrefresh = 2  # seconds\n'
    assert settings.changed(before, "columns", ["c]"]) == 'columns = ["c]"]\nrefresh = 2  # seconds\n'
    assert settings.changed(before, "theme", "ansi") == 'theme = "ansi"\n' + before


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("last", ["", "END"], ids=["no final newline", "final newline"])
def test_every_other_line_stays_byte_for_byte(home: Path, end: str, last: str) -> None:
    lines = [
        "# mine",
        "",
        "refresh = 2  # s",
        'theme = "x"  # over ssh',
        "[keymap]  # keys",
        "# one",
        'stop = "ctrl+x"',
    ]
    home.mkdir()
    settings.path().write_bytes((end.join(lines) + last.replace("END", end)).encode())
    settings.remember("theme", 'a"b')
    lines[3] = 'theme = "a\\"b"  # over ssh'
    assert settings.path().read_bytes().decode() == end.join(lines) + last.replace("END", end)
    settings.remember("columns", ("name", "clean"))
    lines.insert(0, 'columns = ["name", "clean"]')
    assert settings.path().read_bytes().decode() == end.join(lines) + last.replace("END", end)


@pytest.mark.parametrize("text", ["theme = ", "\udcff"])
def test_an_invalid_file_is_not_overwritten(home: Path, text: str) -> None:
    home.mkdir()
    settings.path().write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"settings\.toml"):
        settings.remember("theme", "ansi")
    assert settings.path().read_bytes() == text.encode(errors="surrogateescape")


def test_the_first_changed_setting_creates_the_file(home: Path) -> None:
    settings.remember("theme", "ansi")
    assert settings.load().theme == "ansi"


def test_settings_on_a_full_disk_are_not_written_and_one_line_says_why(home: Path) -> None:
    with full_disk(home), pytest.raises(UserError) as refused:
        settings.remember("theme", "ansi")
    assert str(refused.value) == (
        f"cannot write {home / 'settings.toml'}: No space left on device (0 kB free); make room, and try again"
    )


def test_saved_views_leave_the_rest_of_the_file(home: Path) -> None:
    write(home, WRITTEN)
    views = {'my "best" ä': settings.View(filter='tag:"a b"', sort="+robust", group="seeds", columns=("name",))}
    settings.remember("views", views)
    assert settings.path().read_text().endswith(WRITTEN)
    assert settings.load().views == views
    settings.remember("views", {})
    settings.remember("theme", "ansi")
    assert (settings.load().views, settings.load().keymap) == ({}, {"stop": "ctrl+x"})
