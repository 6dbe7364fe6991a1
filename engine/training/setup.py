"""Makes what a run needs before its first update: data, timeline, network and optimizer."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.config.run import FP16_IS_UNCAPTURABLE, WAY_OUT_OF_CAPTURE, RunConfig
from engine.data.dataset import Batches, Dataset, Images, open_training_data
from engine.models.build import build_network, has_random_layers, has_unknown_layers
from engine.models.flops import count_crops
from engine.models.user_network import note_random_numbers
from engine.plan.cost import epoch_flops
from engine.plan.learning_rate import learning_rate
from engine.plan.timeline import Timeline
from engine.protocol import events
from engine.protocol.cores import usable_cores
from engine.runtime import precision
from engine.runtime.compile import missing_for_compiling, should_compile
from engine.runtime.cuda_graph import Graphs, open_graphs
from engine.runtime.determinism import compute_deterministically
from engine.runtime.device import pick
from engine.runtime.fp32 import check_fp32
from engine.training.alarm import THRESHOLD
from engine.training.captured_step import NOT_CAPTURED
from engine.training.checkpoint import data_state
from engine.training.learner import Learner


@dataclass(frozen=True)
class Setup:
    """The parts of a training.

    precision: of training; search: precision of evaluation attacks; fingerprint: a hash of the data; phases: with their
    sizes filled in; batches: the minibatches of each phase; test: the images of the final evaluation; not_compiled: why
    a network is not compiled although that would pay, in words; graphs: make graphs of training steps, None if the
    steps are not captured; not_captured: why they are not, although the device has graphs.
    """

    config: RunConfig
    device: torch.device
    precision: str
    search: str
    dataset: Dataset
    fingerprint: str
    phases: list[Phase]
    batches: list[Batches]
    test: Images
    timeline: Timeline
    learner: Learner
    not_compiled: str = ""
    graphs: Graphs | None = None
    not_captured: str = ""

    @property
    def signals(self) -> bool:
        """Whether the run has an overfitting signal. Dropout changes with each pass and would hide the signal."""
        return self.config.method.spec.signals and not has_random_layers(self.learner.model)

    @property
    def aligns(self) -> bool:
        """Whether the run knows PertAlign. Dropout would lower it."""
        return self.config.method.spec.aligns and not has_random_layers(self.learner.model)

    @property
    def data_state(self) -> dict[str, Any]:
        """The part of a checkpoint that describes the data."""
        return data_state(self.dataset.facts, self.dataset.shape, self.fingerprint, self.dataset.extra_images)

    def batches_of(self, epoch: int) -> Batches:
        """The minibatches of the phase that an epoch belongs to."""
        return self.batches[self.timeline.stretches.index(self.timeline.of_epoch(epoch))]

    def started(self, attempt: int, rollbacks: int = 0) -> events.Started:
        """The event that begins an attempt. rollbacks: of the training so far."""
        return events.Started(
            attempt=attempt,
            from_step=self.learner.step,
            total_steps=self.timeline.total_steps,
            steps_per_epoch=self.timeline.stretches[0].steps_per_epoch,
            stretches=self.timeline.stretches,
            device=device_name(self.device),
            precision=precision.in_words(self.precision, self.device),
            threads=torch.get_num_threads(),
            parameters=sum(p.numel() for p in self.learner.model.parameters()),
            train_images=self.dataset.train_images,
            test_images=len(self.test),
            data_fingerprint=self.fingerprint,
            official_data=self.dataset.official,
            held_out=bool(self.config.holdout),
            flops=self.timeline.flops,
            compiled=self.learner.compiled,
            signal_threshold=THRESHOLD if self.signals else None,
            rollbacks=rollbacks,
            versions={"python": platform.python_version(), "torch": str(torch.__version__)},
        )

    def notes(self) -> list[str]:
        """Notes for the reader of the log, without the remarks on the data."""
        notes = precision.emulated("precision", self.config.precision, self.device)
        notes += precision.emulated("eval.search", self.config.eval.search, self.device)
        if self.config.method.spec.signals and not self.signals:
            notes.append("no overfitting signal: dropout changes with each forward pass and would hide the signal")
        return notes + [note for note in (self.not_compiled, self.not_captured) if note]


def set_up(config: RunConfig, tell: Callable[[str], None] = lambda phase: None, folder: Path | None = None) -> Setup:
    """Open the data of a run and make its network on its device. tell: called with what it does next, in words.

    folder: the run directory, which may hold copies of the user's files of code.

    Raises: ConfigError (DataError is one), OSError.
    """
    tell("loading the data")
    device = pick(config.device)
    check_fp32(device)
    if config.deterministic == "on":
        compute_deterministically(device)
    chosen, _ = precision.choose(config.precision, device)
    search, _ = precision.choose(config.eval.search, device)
    dataset = open_training_data(config, folder=folder)
    phases = [dataset.filled(phase) for phase in config.phase_list]
    timeline = _timeline(config, dataset, phases, folder)
    pays = should_compile(config.compile, device, timeline.flops)
    missing = missing_for_compiling(device) if pays and config.compile == "auto" else ""
    possible = open_graphs(device)
    graphs, not_captured = _graphs(config, possible, chosen)
    capturable = possible is not None and chosen != "fp16"  # with `capture = off`, too, for the same numbers
    tell("building the network")
    network = _network(config, dataset, phases, folder)
    return Setup(
        config=config,
        device=device,
        precision=chosen,
        search=search,
        dataset=dataset,
        fingerprint=dataset.fingerprint(),
        phases=phases,
        batches=[dataset.batches(phase, config.seed, device) for phase in phases],
        test=dataset.test(phases[-1], device),
        timeline=timeline,
        learner=_learner(config, network, phases, timeline, device, chosen, pays and not missing, capturable),
        not_compiled=f"not compiled: {missing} is missing" if missing else "",
        graphs=graphs,
        not_captured=not_captured,
    )


def _graphs(config: RunConfig, graphs: Graphs | None, precision: str) -> tuple[Graphs | None, str]:
    """The graphs if they hold the training steps, else None and why not, if that needs to be said.

    graphs: those of the device, if it has any. Raises: ConfigError, if the steps must be captured.
    """
    obstacle = config.uncapturable or (FP16_IS_UNCAPTURABLE if precision == "fp16" else "")
    if config.capture == "on" and (obstacle or not graphs):
        raise ConfigError(f"capture = on, but {obstacle or 'the run trains on the CPU'}; {WAY_OUT_OF_CAPTURE}")
    if config.capture == "auto" and graphs and obstacle:
        return None, f"{NOT_CAPTURED}: {obstacle}"
    return None if config.capture == "off" else graphs, ""


def _timeline(config: RunConfig, dataset: Dataset, phases: list[Phase], folder: Path | None) -> Timeline:
    images, passes = dataset.train_images, count_crops(config, dataset.facts, folder)
    typed = zip(config.phase_list, phases, strict=True)
    costs = [epoch_flops(config, phase, passes[asked.crop], images) for asked, phase in typed]
    return Timeline.plan(phases, images, config.updates_per_minibatch, costs)


def _network(config: RunConfig, dataset: Dataset, phases: list[Phase], folder: Path | None) -> nn.Module:
    """The network of a run with its initial weights. Raises: ConfigError."""
    torch.manual_seed(config.seed)
    model = build_network(config.model, dataset.facts, folder)
    if has_unknown_layers(config.model):
        facts, crop = dataset.facts, phases[0].crop
        note_random_numbers(model, torch.zeros(2, facts.channels, crop or facts.height, crop or facts.width))
    return model


def _learner(
    config: RunConfig,
    model: nn.Module,
    phases: list[Phase],
    timeline: Timeline,
    device: torch.device,
    chosen: str,
    compiled: bool,
    capturable: bool,
) -> Learner:
    def lr_at(step: int) -> float:
        planned = timeline.lr_at(step)
        return learning_rate(config.optim, step, timeline.total_steps) if planned is None else planned

    sizes = {min(phase.batch_size, config.micro_batch or phase.batch_size) for phase in phases}
    or_fail = config.compile == "on"
    compile_for = sizes if compiled else ()
    return Learner(model, config.optim, lr_at, device, chosen, compile_for, or_fail, timeline.total_steps, capturable)


def device_name(device: torch.device) -> str:
    """A GPU's name; of a CPU the number of cores that this process may use, as a container or `taskset` limits them."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cores = usable_cores()
    return f"cpu ({cores} core{'s' * (cores != 1)})"
