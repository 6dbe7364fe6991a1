"""Starts the runs of a form."""

from collections.abc import Callable, Mapping

from engine.config.run import RunConfig
from fastadv_tui.launch.form import plan_form
from fastadv_tui.launch.form_fields import TAGS
from fastadv_tui.launch.start_runs import StartedRuns, start_runs
from fastadv_tui.launch.submission import sweep_tag
from fastadv_tui.paths import ensure_home
from fastadv_tui.runs.engine_client import runs_to_check


def start_form(texts: Mapping[str, str], check: Callable[[RunConfig], object]) -> StartedRuns:
    """Check one run of each kind, then submit all runs that a form describes. Waits while `check` waits.

    check: raises a UserError if a run could not start. Raises: UserError, OSError.
    """
    ensure_home()
    plan = plan_form(texts)
    tags = texts.get(TAGS, "").split() or ([sweep_tag()] if plan.count > 1 else [])
    for config in runs_to_check(plan.configs):
        check(config)
    return start_runs(plan.configs, plan.command, tags)
