"""Any text can be sent as JSON, also names of files that are not UTF-8."""

import os

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.config.sendable import sendable


@given(st.text(st.characters(), max_size=20))
def test_any_text_can_be_sent_and_text_without_surrogates_stays(text: str) -> None:
    sent = msgspec.json.decode(msgspec.json.encode(sendable(text)))
    assert sent == sendable(text)
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert sent == text


def test_a_byte_that_is_not_utf8_is_shown_by_its_number() -> None:
    assert sendable(os.fsdecode(b"x\xff.png")) == r"x\udcff.png"
