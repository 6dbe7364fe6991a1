"""Displays of a followed run: progress bars on a terminal, plain lines in a pipe, JSON for programs.

PlainDisplay and JsonDisplay write events to standard output and notes to standard error.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from engine.protocol import events
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import RunStatus
from fastadv_tui.terminal.event_data import event_as_data
from fastadv_tui.text import sanitize
from fastadv_tui.text.quantities import attack_name, format_loss

if TYPE_CHECKING:
    from rich.progress import TaskID
from fastadv_tui.runs.event_text import eta_lines, eta_text, event_line


class Display(Protocol):
    """Shows one run. `note` shows a message to the user; `event` gets an event and the state after this event."""

    def note(self, text: str) -> None: ...

    def event(self, event: events.AnyEvent, state: RunState) -> None: ...

    def tick(self, state: RunState, verdict: RunStatus) -> None: ...

    def away(self) -> AbstractContextManager[None]:
        """Leaves the terminal to the shell inside the block, and draws anew after the block."""
        ...

    def close(self) -> None: ...


class JsonDisplay:
    """Prints the events as JSON, one object per line."""

    def note(self, text: str) -> None:
        print(sanitize.one_line(text), file=sys.stderr)

    def event(self, event: events.AnyEvent, state: RunState) -> None:
        sys.stdout.write(msgspec.json.encode(event_as_data(event)).decode() + "\n")
        sys.stdout.flush()

    def tick(self, state: RunState, verdict: RunStatus) -> None:
        """Nothing to do: JSON output consists of events only."""

    def away(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        sys.stdout.flush()


class PlainDisplay:
    """Prints plain lines for pipes and log files: a line per epoch and per other event worth a line."""

    def __init__(self) -> None:
        self._eta_shown = False

    def note(self, text: str) -> None:
        print(sanitize.one_line(text), file=sys.stderr, flush=True)

    def event(self, event: events.AnyEvent, state: RunState) -> None:
        line = event_line(event, state)
        if line:
            print(sanitize.one_line(line), flush=True)

    def tick(self, state: RunState, verdict: RunStatus) -> None:
        if not self._eta_shown and state.eta_seconds is not None:
            self._eta_shown = True
            for line in eta_lines(state):
                print(line, flush=True)

    def away(self) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        sys.stdout.flush()


class RichDisplay:
    """Shows progress bars of training and evaluation, below the lines of the events."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False)
        self._bars: dict[str, tuple[int, int, str]] = {}  # by name: done, total, facts
        self._eta_shown = False
        self._draw_bars()

    def note(self, text: str) -> None:
        self._print(text, "yellow")

    def event(self, event: events.AnyEvent, state: RunState) -> None:
        line = event_line(event, state)
        if line:
            self._print(line, _style(event))
        if isinstance(event, events.Progress):
            self._bar(f"evaluating {attack_name(event.attack)}", event.done, event.total, "")
        elif isinstance(event, events.Step):
            facts = f"loss {format_loss(event.loss)}  {event.images_per_second:,.0f} images/s  {eta_text(state)}"
            self._bar("training", event.step, state.total_steps, facts)

    def tick(self, state: RunState, verdict: RunStatus) -> None:
        if not self._eta_shown and state.eta_seconds is not None:
            self._eta_shown = True
            for line in eta_lines(state):
                self._print(line, None)

    @contextmanager
    def away(self) -> Iterator[None]:
        self._progress.stop()
        yield
        self._draw_bars()  # new ones: the old ones would move the cursor up, over what the shell has written

    def close(self) -> None:
        self._progress.stop()

    def _draw_bars(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[facts]}"),
            console=self._console,
            refresh_per_second=4,
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()
        for name, bar in self._bars.items():
            self._bar(name, *bar)

    def _bar(self, name: str, done: int, total: int, facts: str) -> None:
        self._bars[name] = done, total, facts
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total or None, facts=facts)
        self._progress.update(self._tasks[name], completed=done, total=total or None, facts=facts)

    def _print(self, text: str, style: str | None) -> None:
        from rich.text import Text

        self._console.print(Text(sanitize.one_line(text), style=style or ""))


def choose(as_json: bool) -> Display:
    """The display for JSON, for a terminal, or for a pipe."""
    if as_json:
        return JsonDisplay()
    return RichDisplay() if sys.stdout.isatty() else PlainDisplay()


def _style(event: Any) -> str | None:
    if isinstance(event, events.Alarm):
        return "bold red"
    if isinstance(event, events.RolledBack):
        return "yellow"
    if isinstance(event, events.Evaluated) and event.stage == "final":
        return "bold"
    return "dim" if isinstance(event, events.Started) else None
