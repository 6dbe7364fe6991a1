"""The draft of a form is whole, or absent, whatever dies."""

import stat
import threading
from pathlib import Path

import pytest

from fastadv_tui.launch.draft import Draft, load_draft, path
from fastadv_tui.paths import ensure_home


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def test_a_draft_is_kept_and_forgotten() -> None:
    draft = Draft()
    assert load_draft() == {}
    draft.keep({"eps": "8", "epochs": ""})
    draft.save()
    assert load_draft() == {"eps": "8"}
    assert stat.S_IMODE(path().stat().st_mode) == 0o600
    draft.forget()
    draft.save()
    draft.save()
    assert not path().exists()


def test_the_newest_texts_win_whichever_thread_is_last() -> None:
    draft = Draft()
    for number in range(30):
        draft.keep({"epochs": str(number)})
        threading.Thread(target=draft.save).start()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    assert load_draft() == {"epochs": "29"}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"eps": 8}', b"\xff"])
def test_a_damaged_draft_counts_as_none(content: bytes) -> None:
    path().write_bytes(content)
    assert load_draft() == {}
