"""Checks whether fastadv works on this machine's GPU: 24 checks with figures and limits, in about eight minutes.

    python tests/gpu/accept.py                          everything, on the first GPU
    python tests/gpu/accept.py --only 3,14              two of the checks
    python tests/gpu/accept.py --minutes 3 --json a.json
    python tests/gpu/accept.py --device cpu --small     the same checks in small, where no GPU is

Prints a line for each check, a table of all figures, and one line of JSON. A check that fails, crashes or hangs stops
none of the others. Needs the packages of `pip install -e '.[dev]'`, and no network: images are made up, or the digits.
If $FASTADV_TEST_DATA holds CIFAR-10, check 17 trains on it. Exit codes: 0 no check has failed, 1 a check has failed,
2 no check could be done, 130 interrupted.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # also as `python tests/gpu/accept.py`, which has this folder alone on the path
    sys.path.insert(0, str(Path(__file__).parents[2]))

from rich.console import Console

from engine.runtime.openmp import let_waiting_threads_sleep
from tests.gpu.registry import CHECKS, Check, Machine
from tests.gpu.report import as_json, table, tell
from tests.gpu.runner import RefusedError, Runner

REFUSED, INTERRUPTED = 2, 130  # exit codes


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code."""
    begun = time.monotonic()
    parser = _parser()
    options = parser.parse_args(arguments)
    machine = Machine(options.device, options.small)
    let_waiting_threads_sleep()  # the checks run as the engine does
    try:
        importlib.import_module(options.checks)
        chosen = _chosen(options.only)
    except ModuleNotFoundError as error:
        parser.error(f"{error}; type pip install -e '.[dev]'")
    except ValueError as error:
        parser.error(str(error))
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    runner = Runner(options.checks, machine, begun + 60 * options.minutes)
    try:
        outcomes = runner.run(chosen, lambda outcome: tell(console, outcome))
    except RefusedError as error:
        print(f"accept: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    console.print(table(outcomes))
    content = as_json(runner.facts, outcomes, time.monotonic() - begun)
    if options.json:
        options.json.write_text(content + "\n")
    else:
        print(content)
    return int(any(outcome.status == "FAIL" for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="skip what does not fit into this time; default: 8")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="default: cuda, the first GPU")
    parser.add_argument("--small", action="store_true", help="small networks and few steps")
    parser.add_argument("--only", default="", metavar="3,14", help="numbers of the checks to do; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON to this file; default: last line")
    parser.add_argument("--checks", default="tests.gpu.checks", help=argparse.SUPPRESS)  # other ones, for tests
    return parser


def _chosen(only: str) -> list[Check]:
    """The checks of these numbers, in their order. Raises: ValueError, if there is no such check."""
    words = [word.strip() for word in only.split(",") if word.strip()] or [str(number) for number in sorted(CHECKS)]
    if unknown := [word for word in words if not word.isdigit() or int(word) not in CHECKS]:
        raise ValueError(f"--only {only}: there is no check {unknown[0]}; use numbers from 1 to {max(CHECKS)}")
    return [CHECKS[number] for number in sorted({int(word) for word in words})]


if __name__ == "__main__":
    sys.exit(main())
