"""Where `fastadv` starts: the dashboard alone needs no command line, and its first picture should not wait for one."""

import os
import sys

from engine.protocol.exit_code import ExitCode
from fastadv_tui.errors import UserError

COMPLETE = "_FASTADV_COMPLETE"  # set by a shell that asks what could stand at the cursor


def main() -> None:
    """Run what was asked for; what a user can put right is one line and exit code 2."""
    words = sys.argv[1:]
    try:
        _check_words(words)
        if os.environ.get(COMPLETE):
            from fastadv_tui.cli import complete

            complete(COMPLETE)
        elif words in ([], ["--readonly"]):
            from fastadv_tui.dashboard.open import open_dashboard

            open_dashboard(readonly=bool(words))
        else:
            from fastadv_tui.cli import run

            run(words)
    except UserError as error:
        from fastadv_tui.text.sanitize import one_line

        print(f"fastadv: {one_line(str(error))}", file=sys.stderr)  # names in files of strangers may hold anything
        sys.exit(ExitCode.REFUSED)
    except KeyboardInterrupt:  # before any command had a way of its own
        sys.exit(ExitCode.STOPPED)
    except BrokenPipeError:  # `fastadv runs | head`
        sys.stderr.close()
        sys.exit(ExitCode.DONE)
    except OSError as error:  # a folder of somebody else's, a file system that is away
        print(f"fastadv: {error}", file=sys.stderr)
        sys.exit(ExitCode.FAILED)


def _check_words(words: list[str]) -> None:
    """Raises: UserError, if a word cannot be written into files, or shown."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UserError(f"{word!r} is not UTF-8; rename the file, or link to it by another name") from None


if __name__ == "__main__":
    main()
