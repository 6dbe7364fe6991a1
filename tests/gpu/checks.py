"""All checks. Importing this module registers them; the order of the numbers is the order in which they run."""

from tests.gpu import checks_evaluation, checks_numbers, checks_runs, checks_speed, checks_training

MODULES = (checks_evaluation, checks_numbers, checks_runs, checks_speed, checks_training)
