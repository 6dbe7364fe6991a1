"""Shows outcomes: a line for each as it comes, a table of all, and JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.gpu.registry import Finding
from tests.gpu.worker import Outcome

COLOURS = {"ok": "green", "FAIL": "bold red", "skip": "yellow", "slow": "yellow", "info": "dim"}


def tell(console: Console, outcome: Outcome) -> None:
    """Print an outcome as it comes: its status, seconds, and its reason or the first figure beyond its limit."""
    beyond = [found for kind in ("FAIL", "slow") for found in outcome.findings if found.status == kind]
    words = outcome.reason or next((f"{found.what}: {found.figure}, not {found.limit}" for found in beyond), "")
    console.print(f"{outcome.number:>2} {outcome.name}: {_status(outcome)} {outcome.seconds:.1f} s {escape(words)}")


def table(outcomes: Sequence[Outcome]) -> Table:
    """All outcomes with all figures and limits."""
    made = Table(title="Acceptance checks", title_justify="left", pad_edge=False)
    made.add_column("#", justify="right")
    made.add_column("check", max_width=30)
    made.add_column("figure", ratio=1)
    made.add_column("limit", max_width=26)
    made.add_column("")
    made.add_column("s", justify="right")
    for outcome in outcomes:
        rows = [_row(found) for found in outcome.findings]
        if outcome.reason:
            rows.append((escape(outcome.reason), "", ""))
        for number, row in enumerate(rows or [("", "", "")]):
            first = (str(outcome.number), outcome.name) if not number else ("", "")
            last = (_status(outcome), f"{outcome.seconds:.1f}") if not number else (row[2], "")
            made.add_row(*first, *row[:2], *last, end_section=number == len(rows) - 1)
    return made


def _row(found: Finding) -> tuple[str, str, str]:
    status = f"[{COLOURS[found.status]}]{found.status}[/]" if found.status in ("FAIL", "slow") else ""
    return f"{escape(found.what)}: {escape(found.figure)}", escape(found.limit), status


def _status(outcome: Outcome) -> str:
    return f"[{COLOURS[outcome.status]}]{outcome.status}[/]"


def as_json(facts: Mapping[str, str], outcomes: Sequence[Outcome], seconds: float) -> str:
    """One line: the machine, the numbers of the failed checks, the seconds of all, and every outcome."""
    failed = [outcome.number for outcome in outcomes if outcome.status == "FAIL"]
    content = {**facts, "failed": failed, "seconds": round(seconds, 1), "checks": [asdict(one) for one in outcomes]}
    return json.dumps(content)
