"""Several runs, one of which fails: the others go on, and the exit code tells."""

import pytest

from engine.protocol.exit_code import ExitCode
from fastadv_tui.errors import UserError
from fastadv_tui.terminal.each_run import for_each

OUTCOMES = {
    "fine": lambda: None,
    "refused": lambda: fail(UserError("no \x1b checkpoint")),
    "unreadable": lambda: fail(PermissionError("no")),
    "failed": lambda: ExitCode.FAILED,
    "stopped": lambda: ExitCode.STOPPED,
}


def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("items", "code", "reached"),
    [
        (["fine", "fine"], ExitCode.DONE, 2),
        (["refused", "refused"], ExitCode.REFUSED, 2),
        (["refused", "fine"], ExitCode.FAILED, 2),
        (["unreadable"], ExitCode.FAILED, 1),
        (["failed", "refused", "fine"], ExitCode.FAILED, 3),
        (["fine", "stopped", "fine"], ExitCode.STOPPED, 2),
    ],
)
def test_the_exit_code_of_all(items: list[str], code: int, reached: int) -> None:
    seen: list[str] = []

    def act(item: str) -> int | None:
        seen.append(item)
        return OUTCOMES[item]()  # type: ignore[no-any-return, no-untyped-call]

    assert (for_each(items, act), len(seen)) == (code, reached)


def test_each_error_is_one_printable_line(capsys: pytest.CaptureFixture[str]) -> None:
    for_each(["refused", "refused"], lambda item: OUTCOMES[item]())  # type: ignore[no-untyped-call]
    assert capsys.readouterr().err == 2 * "fastadv: no \\x1b checkpoint\n"
