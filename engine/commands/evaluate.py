"""`engine --eval`: the accuracy of given weights, in answers on standard output; a stop saves the progress."""

import time
from pathlib import Path

import msgspec
import torch
from msgspec import structs

from engine.attacks.threat import Threat
from engine.config.errors import UserError
from engine.data.dataset import open_dataset
from engine.evaluation.evaluation import Accuracy, Evaluation
from engine.evaluation.resumable import ResumableEvaluation
from engine.evaluation.settings import attack_of, eval_batch, evaluation_question
from engine.models import pretrained
from engine.models.build import build_network
from engine.protocol.answers import answer, refuse
from engine.protocol.exit_code import ExitCode
from engine.protocol.files import write_atomic
from engine.protocol.requests import EvalRequest, Measured, Understood, Working
from engine.protocol.stop import Stopped, StopRequest
from engine.runtime import precision
from engine.runtime.allocator import tune_allocator
from engine.runtime.device import pick

ANSWER_EVERY = 0.5  # seconds


def evaluate(request: bytes) -> int:
    """Answer an EvalRequest; returns the exit code."""
    stop = StopRequest()
    tune_allocator()
    try:
        asked = msgspec.json.decode(request, type=EvalRequest)
        answer(_measure(asked, stop))
    except UserError as error:
        return refuse(str(error))
    except (Stopped, BrokenPipeError):  # nobody listens any more
        return ExitCode.STOPPED
    return ExitCode.DONE


def _measure(asked: EvalRequest, stop: StopRequest) -> Measured:
    config, begun = asked.config, time.monotonic()
    device, source = pick(config.device), open_dataset(config, fetch=True)
    facts = source.facts
    search, _ = precision.choose(config.eval.search, device)
    path = Path(asked.weights)
    tensors = pretrained.read(path)
    model = build_network(config.model, facts)
    ordered = path.suffix != ".safetensors"
    matched, normalized = pretrained.load_state_dict_from(model, tensors, config.model, facts, asked.normalize, ordered)
    model = model.to(device).to(memory_format=torch.channels_last).eval()
    _, limit = attack_of(config, device)
    phase = source.filled(config.phase_list[-1])
    everything = source.test(phase, device)
    test = everything.first(limit)
    attacks = [(Threat(eps), attack_of(structs.replace(config, eps=eps), device)[0]) for eps in asked.eps]
    name = attacks[0][1].name
    answer(
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
    what = evaluation_question(config, source.fingerprint(), phase, attacks, limit, search)
    keys = what.key(model), what.old_key(model)
    result, before = (Path(asked.folder) / f"{key}.json" for key in keys)
    if not asked.again and (known := _known(result) or _known(before)):
        return known
    evaluation = Evaluation(model, test, attacks, config.seed, precision.DTYPES[search], eval_batch(config))
    progress = result.with_suffix(".pt")
    if not progress.exists() and before.with_suffix(".pt").exists():
        before.with_suffix(".pt").rename(progress)
    found = ResumableEvaluation(evaluation, progress, *keys).run(_Ticker(stop))
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
            answer(Working(done=done, total=total))
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
