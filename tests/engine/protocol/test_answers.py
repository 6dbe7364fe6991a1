"""Answers go to standard output, one a line, and nothing else does."""

import json

import pytest

from engine.protocol.answers import answer, printing_elsewhere


def test_what_other_code_prints_is_not_among_the_answers(capfd: pytest.CaptureFixture[str]) -> None:
    answer({"number": 1})
    with printing_elsewhere():
        print("a network that prints")
        answer({"number": 2})
    answer({"number": 3})
    printed = capfd.readouterr()
    assert [json.loads(line)["number"] for line in printed.out.splitlines()] == [1, 2, 3]
    assert printed.err == "a network that prints\n"
