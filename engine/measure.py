"""`engine --eval`: the accuracy of given weights, in answers on standard output; a stop saves the progress."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from msgspec import structs

from engine import models, precision, weights
from engine.attacks import Pgd, Threat
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.config.run import RunConfig
from engine.config.sections import parse_attack
from engine.data.source import open_source
from engine.devices import pick
from engine.evaluate import BATCH, Accuracy, Evaluation
from engine.protocol.files import write_atomic
from engine.protocol.requests import AnyAnswer, EvalRequest, Measured, Refused, Understood, Working
from engine.protocol.stop import Stopped, StopRequest
from engine.resumable import Question, Resumable
from engine.tuning import tune_allocator

OK, FAILED, REFUSED, STOPPED = 0, 1, 2, 130
EVAL_IMAGES_ON_CPU = 1000  # of `auto`, unless asked otherwise
ANSWER_EVERY = 0.5  # seconds


def measure(request: bytes) -> int:
    """Answer an EvalRequest; returns the exit code."""
    stop = StopRequest()
    tune_allocator()
    try:
        asked = msgspec.json.decode(request, type=EvalRequest)
        _answer(_measure(asked, stop))
    except ConfigError as error:
        _answer(Refused(message=str(error)))
        return REFUSED
    except Stopped:
        return STOPPED
    return OK


def attack_of(config: RunConfig, device: torch.device) -> tuple[Pgd, int]:
    """The attack of an evaluation and how many test images it takes; 0 is all."""
    chosen = config.eval
    steps, restarts = parse_attack("pgd-50-10" if chosen.attack in ("auto", "none") else chosen.attack)
    few = chosen.attack == "auto" and device.type == "cpu" and not chosen.images
    return Pgd(steps, restarts, config.eval_step), EVAL_IMAGES_ON_CPU if few else chosen.images


def question(
    config: RunConfig, data: str, phase: Phase, attacks: Sequence[tuple[Threat, Pgd]], limit: int, search: str
) -> Question:
    """What an evaluation of a run's network asks. data: fingerprint; phase: with its sizes filled in."""
    return Question(
        network=config.model,
        data=data,
        size=phase.size,
        crop=phase.crop,
        attacks=tuple((threat.eps, pgd.steps, pgd.restarts, pgd.step_size) for threat, pgd in attacks),
        seed=config.seed,
        limit=limit,
        search=search,
    )


def eval_batch(config: RunConfig) -> int:
    """Images evaluated at once: of large ones no more than are trained at once, which is known to fit."""
    return min(BATCH, config.micro_batch or config.phase_list[-1].batch_size) if config.in_folder else BATCH


def _measure(asked: EvalRequest, stop: StopRequest) -> Measured:
    config, begun = asked.config, time.monotonic()
    device, source = pick(config.device), open_source(config, fetch=True)
    facts = source.facts
    search, _ = precision.choose(config.eval.search, device)
    path = Path(asked.weights)
    tensors = weights.read(path)
    model = models.build(config.model, facts)
    ordered = path.suffix != ".safetensors"
    matched, normalized = weights.fill(model, tensors, config.model, facts, asked.normalize, ordered)
    model = model.to(device).to(memory_format=torch.channels_last).eval()
    _, limit = attack_of(config, device)
    phase = source.filled(config.phase_list[-1])
    everything = source.test(phase, device)
    test = everything.first(limit)
    attacks = [(Threat(eps), attack_of(structs.replace(config, eps=eps), device)[0]) for eps in asked.eps]
    name = attacks[0][1].name
    _answer(
        Understood(
            device=str(device),
            search=search,
            matched=matched,
            normalize=normalized,
            attack=name,
            images=len(test),
            test_images=len(everything),
            official_data=source.official,
            held_out=bool(config.holdout),
        )
    )
    what = question(config, source.fingerprint(), phase, attacks, limit, search)
    keys = what.key(model), what.old_key(model)
    result, before = (Path(asked.folder) / f"{key}.json" for key in keys)
    if not asked.again and (known := _known(result) or _known(before)):
        return known
    evaluation = Evaluation(model, test, attacks, config.seed, precision.DTYPES[search], eval_batch(config))
    progress = result.with_suffix(".pt")
    if not progress.exists() and before.with_suffix(".pt").exists():
        before.with_suffix(".pt").rename(progress)
    found = Resumable(evaluation, progress, *keys).run(_Ticker(stop))
    measured = _measured(name, asked.eps, found, time.monotonic() - begun, len(test.broken))
    write_atomic(result, msgspec.json.encode(measured))
    return measured


class _Ticker:
    """Answers how far it is, at a bounded rate. Raises: Stopped."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop, self._last = stop, 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._last > ANSWER_EVERY or done == total:
            self._last = time.monotonic()
            _answer(Working(done=done, total=total))
        self._stop.check()


def _measured(attack: str, eps: tuple[float, ...], found: list[Accuracy], seconds: float, unreadable: int) -> Measured:
    robust = tuple(accuracy.robust for accuracy in found)
    clean, images = found[0].clean, found[0].images
    return Measured(
        attack=attack,
        eps=eps,
        clean=clean,
        robust=robust,
        images=images,
        seconds=round(seconds, 1),
        unreadable=unreadable,
    )


def _known(path: Path) -> Measured | None:
    try:
        measured = msgspec.json.decode(path.read_bytes(), type=Measured)
    except (OSError, msgspec.DecodeError):
        return None
    return structs.replace(measured, before=True)


def _answer(answer: AnyAnswer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()
