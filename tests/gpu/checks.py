"""All checks. Importing this module registers them; the order of the numbers is the order in which they run."""

from tests.gpu import (
    checks_evaluation,
    checks_folder,
    checks_machine,
    checks_numbers,
    checks_runs,
    checks_speed,
    checks_training,
)
from tests.gpu.facts import facts, why_refused

__all__ = ["MODULES", "facts", "why_refused"]

MODULES = (
    checks_evaluation,
    checks_folder,
    checks_machine,
    checks_numbers,
    checks_runs,
    checks_speed,
    checks_training,
)
