"""What a followed run looks like: a Rich progress display on a terminal, plain lines in a pipe, JSON for machines.

Data goes to standard output, narration to standard error.
"""

import sys
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from engine.protocol import events
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import Verdict
from fastadv_tui.text import sanitize
from fastadv_tui.text.quantities import attack_name, duration, first_images, kind_of_images, percent, phase_words, work

if TYPE_CHECKING:
    from rich.progress import TaskID

LARGE = 1_000_000  # parameters: of the networks, only the one that is too slow for a CPU has so many
LONG = 1800  # seconds of training after which a machine without a GPU gets advice


class Display(Protocol):
    """Shows one run. `note` is narration; `event` comes after the state has taken it in."""

    def note(self, text: str) -> None: ...

    def event(self, event: events.AnyEvent, state: RunState) -> None: ...

    def tick(self, state: RunState, verdict: Verdict) -> None: ...

    def close(self) -> None: ...


class JsonDisplay:
    """The events as they are, one JSON object a line."""

    def note(self, text: str) -> None:
        print(sanitize.line(text), file=sys.stderr)

    def event(self, event: events.AnyEvent, state: RunState) -> None:
        sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
        sys.stdout.flush()

    def tick(self, state: RunState, verdict: Verdict) -> None:
        """Machines read events only."""

    def close(self) -> None:
        sys.stdout.flush()


class PlainDisplay:
    """A line per epoch and per thing that happened, for pipes and log files."""

    def __init__(self) -> None:
        self._told_eta = False

    def note(self, text: str) -> None:
        print(sanitize.line(text), file=sys.stderr, flush=True)

    def event(self, event: events.AnyEvent, state: RunState) -> None:
        line = event_line(event, state)
        if line:
            print(sanitize.line(line), flush=True)

    def tick(self, state: RunState, verdict: Verdict) -> None:
        if not self._told_eta and state.eta_seconds is not None:
            self._told_eta = True
            for line in eta_lines(state):
                print(line, flush=True)

    def close(self) -> None:
        sys.stdout.flush()


class RichDisplay:
    """Live bars for training and evaluation below the lines of the epochs."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[facts]}"),
            console=self._console,
            refresh_per_second=4,
        )
        self._tasks: dict[str, TaskID] = {}
        self._told_eta = False
        self._progress.start()

    def note(self, text: str) -> None:
        self._print(text, "yellow")

    def event(self, event: events.AnyEvent, state: RunState) -> None:
        line = event_line(event, state)
        if line:
            self._print(line, _style(event))
        if isinstance(event, events.Progress):
            self._bar(f"evaluating {attack_name(event.attack)}", event.done, event.total, "")
        elif isinstance(event, events.Step):
            facts = f"loss {event.loss:.3f}  {event.images_per_second:,.0f} images/s  {_eta(state)}"
            self._bar("training", event.step, state.total_steps, facts)

    def tick(self, state: RunState, verdict: Verdict) -> None:
        if not self._told_eta and state.eta_seconds is not None:
            self._told_eta = True
            for line in eta_lines(state):
                self._print(line, None)

    def close(self) -> None:
        self._progress.stop()

    def _bar(self, name: str, done: int, total: int, facts: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total or None, facts=facts)
        self._progress.update(self._tasks[name], completed=done, total=total or None, facts=facts)

    def _print(self, text: str, style: str | None) -> None:
        from rich.text import Text

        self._console.print(Text(sanitize.line(text), style=style or ""))


def choose(as_json: bool) -> Display:
    """The display for where standard output goes."""
    if as_json:
        return JsonDisplay()
    return RichDisplay() if sys.stdout.isatty() else PlainDisplay()


def event_line(event: events.AnyEvent, state: RunState) -> str:
    """The line that an event deserves; empty if none."""
    match event:
        case events.Started():
            return _started_line(event)
        case events.Evaluated(stage="watch"):
            return _epoch_line(event, state)
        case events.Evaluated(stage="final"):
            return _final_line(event, state)
        case events.Alarm():
            return f"ALARM {event.kind} in epoch {event.epoch:.1f}: {event.message}"
        case events.Note():
            return event.message
    return ""


def _started_line(event: events.Started) -> str:
    other = f"{event.test_images:,} {kind_of_images(event.held_out)}"
    data = f"{event.train_images:,} training and {other}, data {event.data_fingerprint}"
    official = " (not the official files)" if event.official_data is False else ""
    again = f"attempt {event.attempt} from step {event.from_step:,} · " if event.from_step else ""
    size = f"{event.parameters:,} parameters" + (f", {work(event.flops)} of training" if event.flops else "")
    stretches = event.stretches if len(event.stretches) > 1 else ()
    phases = "".join(f" · {phase_words(stretch.phase)}" for stretch in stretches)
    compiled = ", compiled" if event.compiled else ""
    return f"{again}{event.device} · {event.precision}{compiled} · {size} · {data}{official}{phases}"


def accuracy_line(event: events.Evaluated, state: RunState) -> str:
    """What was measured after an epoch."""
    robust = f"{attack_name(event.attack)} {percent(event.robust):>6}"
    return f"epoch {event.epoch:>3.0f}/{state.total_epochs:.0f}  clean {percent(event.clean):>6}  {robust}"


def _epoch_line(event: events.Evaluated, state: RunState) -> str:
    parts = [accuracy_line(event, state)]
    if state.last_step is not None:
        step = state.last_step
        parts += [f"loss {step.loss:.3f}", f"lr {step.lr:.4f}", f"{step.images_per_second:,.0f} images/s"]
    return "  ".join([*parts, _eta(state)]).rstrip()


def _final_line(event: events.Evaluated, state: RunState) -> str:
    began = state.started
    which = first_images(event.images, began.test_images, began.held_out) if began else f"{event.images:,} images"
    return f"final: clean {percent(event.clean)}, {attack_name(event.attack)} {percent(event.robust)} on {which}"


def _eta(state: RunState) -> str:
    return "" if state.eta_seconds is None else f"ETA {duration(state.eta_seconds)}"


def eta_lines(state: RunState) -> list[str]:
    """How long training will take, and on a slow machine how to make it shorter."""
    eta = state.eta_seconds or 0.0
    lines = [f"training will take about {duration(eta)} more"]
    if eta > LONG and state.started is not None and state.started.device.startswith("cpu"):
        thinner = "--set model.width=16 (a sixteenth of the work), " if state.started.parameters > LARGE else ""
        lines.append(f"that is long, for want of a GPU; smaller: {thinner}--epochs 5, or `fastadv run digits`")
    return lines


def _style(event: Any) -> str | None:
    if isinstance(event, events.Alarm):
        return "bold red"
    if isinstance(event, events.Evaluated) and event.stage == "final":
        return "bold"
    return "dim" if isinstance(event, events.Started) else None
