"""`top`: the runs and the devices, refreshed in place."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = "Examples: fastadv top · fastadv top --filter tag:sweep-1 · fastadv top --once | mail -s runs me@example.org"
OTHER_LINES = 4  # lines of a frame besides those of devices and runs, and the prompt below the frame
CPU_SECONDS = 0.2  # over which the use of the processor is measured for a single frame


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(top)


def top(
    filter_: Annotated[
        str,
        typer.Option("--filter", metavar="FILTER", help="Show only the runs that pass (see `fastadv runs --help`)."),
    ] = "",
    once: Annotated[
        bool, typer.Option("--once", help="Print one frame and return, as into a pipe: for cron or a pager.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.2, max=3600.0, help="Seconds between two frames.")] = 2.0,
    ended: Annotated[int, typer.Option(min=0, help="Number of runs to show that have ended.")] = 10,
) -> None:
    """Show the devices and the runs, refreshed in place, without the dashboard. Ctrl-C ends it."""
    from fastadv_tui.hardware.sampler import Sampler
    from fastadv_tui.history.query import parse
    from fastadv_tui.supervise.queue import RunQueue
    from fastadv_tui.terminal import colours
    from fastadv_tui.terminal.fitted_table import terminal_width
    from fastadv_tui.terminal.top_runs import TopRuns
    from fastadv_tui.terminal.top_text import frame

    runs, queue = TopRuns(parse(filter_)), RunQueue.of_home()
    with Sampler() as sampler:
        sampler.sample()  # the use of the processor is known from the second sample on

        def draw(height: int | None) -> list[str]:
            sample = sampler.sample()
            room = ended if height is None else max(min(ended, height - OTHER_LINES - len(sample.gpus)), 0)
            return frame(sample, runs.look(room), queue.paused, terminal_width(), colours.wanted())

        if once or not sys.stdout.isatty():
            time.sleep(CPU_SECONDS)
            print("\n".join(draw(None)))
        else:
            _refresh_in_place(draw, interval)


def _refresh_in_place(draw: "Callable[[int | None], list[str]]", interval: float) -> None:
    """Draw frames until Ctrl-C. Ctrl-Z stops this process; the next frame stands below what the shell wrote."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from fastadv_tui.terminal.follow import POLL_SECONDS, Interrupts

    console = Console(highlight=False)

    def picture() -> Text:
        lines = draw(console.height)
        return Text("\n", no_wrap=True, overflow="crop").join(Text.from_ansi(line) for line in lines)

    with Interrupts() as interrupts:
        while not interrupts.stops:
            with Live(picture(), console=console, auto_refresh=False) as live:
                due = time.monotonic() + interval
                while not interrupts.stops and not interrupts.suspend:
                    time.sleep(min(POLL_SECONDS, interval))
                    if time.monotonic() >= due:
                        live.update(picture(), refresh=True)
                        due = time.monotonic() + interval
            if interrupts.suspend:
                interrupts.stop_process()
