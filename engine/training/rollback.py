"""Which method trains after a collapse. The setting `on_collapse = rollback` asks for this.

A rollback goes back to the last good epoch: robust accuracy was above chance, and nothing spoke of a collapse. PGD-2
trains the next epoch. A safer method trains the epochs after that. If no epoch was good, the training begins anew with
the safer method: there is nothing to recover, and with MNIST's recipe PGD-2 teaches an untrained network nothing.
PGD-2 restores robustness to an attack of several steps (Li et al., 2020, arXiv 2006.03089, recover a collapsed network
with PGD, too). N-FGSM with noise from 2 eps on collapses later than FGSM (de Jorge et al., 2022, section 4).
"""

from typing import Any

import msgspec
from msgspec import structs

from engine.config.method_section import MethodConfig
from engine.config.run import RunConfig
from engine.config.typed import decode
from engine.training.methods.step import Step, step_of

MAX_ROLLBACKS = 3  # in a run; later collapses are only reported
RECOVERY_STEPS = 2  # PGD steps of the epoch after a rollback
NOISE = 2.0  # of N-FGSM after a rollback, in units of eps


class MethodInForce:
    """The training method of each epoch of a run.

    rollbacks: how often the run was rolled back.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config, self._method = config, config.method
        self._recovery: int | None = None  # the epoch that recovers from the last collapse
        self.rollbacks = 0

    def of_epoch(self, epoch: int) -> MethodConfig:
        """The method that trains an epoch, counted from 0."""
        return recovery(self._config) if epoch == self._recovery else self._method

    def step(self, epoch: int) -> Step:
        """The function that trains on a minibatch of an epoch, counted from 0."""
        return step_of(structs.replace(self._config, method=self.of_epoch(epoch)))

    def roll_back(self, epoch: int) -> str:
        """Train `epoch` with the recovery method, and later epochs with a safer method. Returns both in words.

        From epoch 0 on, the safer method trains alone.
        """
        self._method, self._recovery = safer(self._method, self._config), epoch or None
        self.rollbacks += 1
        if not epoch:
            return f"{_in_words(self._method)} from the beginning"
        return f"{_in_words(recovery(self._config))} for one epoch, then {_in_words(self._method)}"

    def state_dict(self) -> dict[str, Any]:
        method = msgspec.json.encode(self._method).decode()
        return {"method": method, "recovery": self._recovery, "rollbacks": self.rollbacks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._method = decode(state["method"], MethodConfig)
        self._recovery, self.rollbacks = state["recovery"], state["rollbacks"]


def recovery(config: RunConfig) -> MethodConfig:
    """PGD-2 with steps of eps/2, so that two steps reach from the centre of the ball to its border."""
    start = {"start_in_box": config.method.options["start_in_box"]} if "start_in_box" in config.method.options else {}
    options = {"steps": RECOVERY_STEPS, **start}
    return MethodConfig(name="pgd", alpha=config.eps / 2, **options)


def safer(method: MethodConfig, config: RunConfig) -> MethodConfig:
    """The method after a collapse of `method`: N-FGSM with noise of 2 eps; after that PGD-2, then twice the steps.

    FGSM with another start than the random one, or with a larger step than its default, first becomes the FGSM of the
    paper: those are the causes of collapse that the paper names (Wong et al., 2020, table 1). More noise is no way
    out: with eps = 0.3, MNIST networks learn nothing from N-FGSM with noise of 2 eps, but from that FGSM they do.
    """
    if method.name == "fgsm" and _riskier_than_default(method, config):
        return structs.replace(method, init="random", noise=1.0, alpha=None)
    if method.name == "pgd":
        return structs.replace(method, steps=2 * method.options["steps"])
    if method.name == "nfgsm" and method.options["noise"] >= NOISE:
        return recovery(config)
    options = {"noise": NOISE}
    return MethodConfig(name="nfgsm", **options)


def _riskier_than_default(method: MethodConfig, config: RunConfig) -> bool:
    default = structs.replace(method, alpha=None)
    long_step = structs.replace(config, method=method).alpha > structs.replace(config, method=default).alpha
    return long_step or method.options["init"] != "random"


def _in_words(method: MethodConfig) -> str:
    if method.name == "fgsm":
        return "fgsm with a random start"
    if method.name == "pgd":
        return f"pgd with {method.options['steps']} steps"
    return f"{method.name} with noise {method.options['noise']:g}"
