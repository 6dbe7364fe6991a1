"""The line of text for an event, the same in every display."""

from engine.protocol import events
from fastadv_tui.runs.state import RunState
from fastadv_tui.text.quantities import (
    attack_name,
    figure_warnings,
    first_images,
    format_duration,
    format_flops,
    format_loss,
    format_percent,
    kind_of_images,
    phase_words,
    stages_text,
)

MANY_PARAMETERS = 1_000_000  # of our networks, only those that are slow on a CPU have more parameters
LONG_SECONDS = 1800  # from this duration of training on a CPU on, the user gets advice


def event_line(event: events.AnyEvent, state: RunState) -> str:
    """The line of text for an event; empty if the event needs no line."""
    match event:
        case events.Started():
            return _started_line(event)
        case events.Evaluated(stage="watch"):
            return _epoch_line(event, state)
        case events.Evaluated(stage="final"):
            return _final_line(event, state)
        case events.Alarm():
            return f"ALARM {event.kind} in epoch {event.epoch:.1f}: {event.message}"
        case events.RolledBack():
            return f"rolled back from epoch {event.epoch:.4g} to epoch {event.to_epoch:.4g}: {event.message}"
        case events.Note():
            return event.message
    return ""


def _started_line(event: events.Started) -> str:
    other = f"{event.test_images:,} {kind_of_images(event.held_out)}"
    data = f"{event.train_images:,} training and {other}, data {event.data_fingerprint}"
    official = " (not the official files)" if event.official_data is False else ""
    again = f"resumed from step {event.from_step:,} (attempt {event.attempt}) · " if event.from_step else ""
    size = f"{event.parameters:,} parameters" + (f", {format_flops(event.flops)} of training" if event.flops else "")
    stretches = event.stretches if len(event.stretches) > 1 else ()
    phases = "".join(f" · {phase_words(stretch.phase)}" for stretch in stretches)
    compiled = ", compiled" if event.compiled else ""
    return f"{again}{event.device} · {event.precision}{compiled} · {size} · {data}{official}{phases}"


def accuracy_line(event: events.Evaluated, state: RunState) -> str:
    """The accuracies of an evaluation after an epoch."""
    robust = f"{attack_name(event.attack)} {format_percent(event.robust):>6}"
    return f"epoch {event.epoch:>3.0f}/{state.total_epochs:.0f}  clean {format_percent(event.clean):>6}  {robust}"


def _epoch_line(event: events.Evaluated, state: RunState) -> str:
    parts = [accuracy_line(event, state)]
    if state.last_step is not None:
        step = state.last_step
        parts += [f"loss {format_loss(step.loss)}", f"lr {step.lr:.4f}", f"{step.images_per_second:,.0f} images/s"]
    return "  ".join([*parts, eta_text(state)]).rstrip()


def _final_line(event: events.Evaluated, state: RunState) -> str:
    began = state.started
    which = first_images(event.images, began.test_images, began.held_out) if began else f"{event.images:,} images"
    robust = f"{attack_name(event.attack)} {format_percent(event.robust)}"
    warnings = figure_warnings(event.without_gradient, event.images, event.answers, event.fooled_by)
    stages = f" ({stages_text(event.fooled_by)})" if event.fooled_by else ""
    said = "".join(f"; warning: {warning}" for warning in warnings)
    return f"final: clean {format_percent(event.clean)}, {robust} on {which}{stages}{said}"


def eta_text(state: RunState) -> str:
    return "" if state.eta_seconds is None else f"ETA {format_duration(state.eta_seconds)}"


def eta_lines(state: RunState) -> list[str]:
    """The remaining duration of training; for a long training on a CPU also ways to shorten the training."""
    eta = state.eta_seconds or 0.0
    lines = [f"training will take about {format_duration(eta)} more"]
    if eta > LONG_SECONDS and state.started is not None and state.started.device.startswith("cpu"):
        narrower = (
            "--set model.width=16 (a sixteenth of the work), " if state.started.parameters > MANY_PARAMETERS else ""
        )
        lines.append(f"training is slow on a CPU; shorter: {narrower}--epochs 5, or `fastadv run digits`")
    return lines
