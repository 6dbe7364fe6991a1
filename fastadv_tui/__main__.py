"""Entry point of `fastadv`. Opens the dashboard without importing Typer, which keeps the first paint fast.

The imports stand inside the functions, because a Ctrl-C may come during an import: `main` must be able to catch it.
"""

import os
import sys

COMPLETION_VARIABLE = "_FASTADV_COMPLETE"  # environment variable: a shell sets it to ask for completions
STOPPED = 130  # ExitCode.STOPPED, which may not be imported yet


def main() -> None:
    """Run the command line. A Ctrl-C at any moment ends the process with exit code 130 and without a traceback."""
    try:
        from fastadv_tui.interrupts import interrupt_quietly, was_interrupted

        interrupt_quietly()
        try:
            _run(sys.argv[1:])
        finally:
            if was_interrupted():
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def _run(words: list[str]) -> None:
    """An error that the user can correct is printed in one line, with exit code 2."""
    from engine.protocol.exit_code import ExitCode
    from fastadv_tui.errors import UserError
    from fastadv_tui.text.encoding import print_everywhere

    print_everywhere()
    try:
        try:
            _check_words(words)
            _check_working_folder()
            _start(words)
        finally:
            _flush_output()
    except UserError as error:
        from fastadv_tui.text.sanitize import one_line

        print(f"fastadv: {one_line(str(error))}", file=sys.stderr)  # file names may contain control characters
        sys.exit(ExitCode.REFUSED)
    except BrokenPipeError:  # `fastadv runs | head`
        sys.stderr.close()
        sys.exit(ExitCode.DONE)
    except OSError as error:  # e.g. a folder without permission, or an unmounted disk
        print(f"fastadv: {error}", file=sys.stderr)
        sys.exit(ExitCode.FAILED)


def _start(words: list[str]) -> None:
    if os.environ.get(COMPLETION_VARIABLE):
        from fastadv_tui.cli import complete

        complete(COMPLETION_VARIABLE)
    elif words in ([], ["--readonly"]):
        from fastadv_tui.dashboard.open import open_dashboard

        open_dashboard(readonly=bool(words))
    else:
        from fastadv_tui.cli import run

        run(words)


def _flush_output() -> None:
    """Write what the command has printed. When Python ends, it would do so itself, and print a traceback on an error.

    Raises: OSError, such as for a full disk. The rest of the output is then discarded.
    """
    try:
        if sys.stdout is not None:  # None: the stream is closed
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _check_words(words: list[str]) -> None:
    """Raises: UserError, if a word is not UTF-8: such a word can be neither stored in JSON nor printed."""
    from fastadv_tui.errors import UserError

    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UserError(f"{word!r} is not UTF-8; rename the file, or make a link to it with a UTF-8 name") from None


def _check_working_folder() -> None:
    """Raises: UserError, if the working folder was deleted. Libraries of torch abort there with words of their own."""
    from fastadv_tui.errors import UserError

    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() takes the import of pathlib
    except FileNotFoundError:
        raise UserError("the working folder does not exist any more; change to another one with `cd`") from None


if __name__ == "__main__":
    main()
