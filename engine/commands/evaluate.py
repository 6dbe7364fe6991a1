"""Measures the accuracy of given weights. A stop saves the progress.

`engine --eval` answers on standard output; an evaluation in a folder of its own writes events.
"""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from msgspec import structs
from torch import nn

from engine.attacks.stage import Attack
from engine.attacks.threat import Threat
from engine.commands.evaluate_corruptions import RequestedCorruptions
from engine.config.attacks import remarks_on
from engine.config.errors import UserError
from engine.config.norms import Norm
from engine.config.typed import decode
from engine.data.dataset import open_dataset
from engine.evaluation.evaluation import Accuracy, Evaluation
from engine.evaluation.resumable import ResumableEvaluation, weights_hash
from engine.evaluation.run_checkpoint import RunCheckpoint
from engine.evaluation.settings import attack_of, eval_batch, evaluation_inputs
from engine.models import pretrained
from engine.models.build import build_network
from engine.models.user_trial import try_user_network
from engine.protocol.answers import answer, printing_elsewhere, refuse, refuse_system_error
from engine.protocol.event_log import Writer
from engine.protocol.events import Progress, Starting
from engine.protocol.exit_code import ExitCode
from engine.protocol.files import WriteError, write_atomic
from engine.protocol.requests import EvalRequest, Measured, Understood, Unsaved, Working
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped, StopRequest
from engine.runtime import precision
from engine.runtime.allocator import tune_allocator
from engine.runtime.determinism import compute_deterministically
from engine.runtime.device import pick
from engine.runtime.fp32 import check_fp32
from engine.runtime.gpu_memory import OTHERS, explaining_full_memory

ANSWER_EVERY = 0.5  # seconds between two answers with the progress


def evaluate(request: bytes) -> int:
    """Answer an EvalRequest. `request` is JSON; returns the exit code."""
    with printing_elsewhere():  # the code of a user's network may print
        return _answered(request)


def _answered(request: bytes) -> int:
    stop = StopRequest()
    tune_allocator()
    try:
        with explaining_full_memory(OTHERS):
            return _evaluate(decode(request, EvalRequest), _Ticker(stop, _tell))
    except UserError as error:
        return refuse(str(error))
    except WriteError as error:  # of the progress
        answer(Unsaved(message=str(error)))
        return ExitCode.FAILED
    except (Stopped, BrokenPipeError):  # stopped, or nobody reads the answers
        return ExitCode.STOPPED
    except OSError as error:
        return refuse_system_error(error)


def _evaluate(asked: EvalRequest, ticker: "_Ticker") -> int:
    """Answer what will be measured, the progress and the result. Returns the exit code."""
    if asked.corruptions:
        corrupted = RequestedCorruptions(asked)
        answer(corrupted.understood())
        found = corrupted.measure(ticker)
        answer(found)
        return _store(lambda: corrupted.store(found))
    requested = _RequestedEvaluation(asked)
    answer(requested.understood())
    measured = _measure(requested, ticker)
    answer(measured)  # before the files are written: a full disk must not hide the result
    return _store(lambda: requested.store(measured))


def _tell(done: int, total: int) -> None:
    answer(Working(done=done, total=total))


def evaluate_in_folder(rundir: RunDir, writer: Writer, stop: StopRequest) -> None:
    """Do the evaluation that `request.json` asks for, with its progress as events, and record the result with the run.

    Raises: Stopped, with saved progress; UserError; WriteError; OSError.
    """
    writer.write(Starting(phase="loading the data"))
    requested = _RequestedEvaluation(decode(rundir.request.read_bytes(), EvalRequest))

    def tell(done: int, total: int) -> None:
        writer.write(Progress(attack=requested.attack_name, done=done, total=total))

    tell(0, 1)
    requested.store(_measure(requested, _Ticker(stop, tell)))


def _measure(requested: "_RequestedEvaluation", ticker: "_Ticker") -> Measured:
    begun = time.monotonic()
    if known := requested.stored_result():
        return known
    found = requested.evaluation().run(ticker)
    seconds = time.monotonic() - begun
    return _measured(requested, found, seconds)


def _store(store: Callable[[], None]) -> ExitCode:
    """Store the result. If that fails, answer why. Returns the exit code."""
    try:
        store()
    except OSError as error:
        text = str(error) if isinstance(error, WriteError) else f"cannot write {error.filename}: {error.strerror}"
        answer(Unsaved(message=text))
        return ExitCode.FAILED
    return ExitCode.DONE


class _RequestedEvaluation:
    """The network with its weights, the images and the attacks of a request. Raises, when built: UserError, OSError."""

    def __init__(self, asked: EvalRequest) -> None:
        self._asked, self._config = asked, asked.config
        self._device = pick(self._config.device)
        check_fp32(self._device)
        if self._config.deterministic == "on":
            compute_deterministically(self._device)
        self._dataset = open_dataset(self._config, fetch=True, folder=Path(asked.run) if asked.run else None)
        self._search, _ = precision.choose(self._config.eval.search, self._device)
        weights = pretrained.read(Path(asked.weights))
        self._of_run = RunCheckpoint(asked, weights.content) if asked.run else None
        self._data = self._dataset.fingerprint()
        self._notes = self._of_run.notes((self._dataset.shape, self._data)) if self._of_run else []
        self._notes += precision.emulated("eval.search", self._config.eval.search, self._device)
        self._notes += remarks_on(self._config.eval.attack, self._dataset.facts.classes)
        self._model, self._loaded = self._network(weights)
        self._phase = self._dataset.filled(self._config.phase_list[-1])
        self._limit = attack_of(self._config, self._device, self._dataset.facts.classes)[1]
        self._all_test_images = self._dataset.test(self._phase, self._device)
        self.test = self._all_test_images.first(self._limit)
        self._attacks = [(Threat(eps, self._config.norm), self._attack(eps)) for eps in asked.eps]
        self._key = self._make_key()

    @property
    def attack_name(self) -> str:
        return self._attacks[0][1].name

    @property
    def eps(self) -> tuple[float, ...]:
        return self._asked.eps

    @property
    def norm(self) -> Norm:
        return self._config.norm

    @property
    def result(self) -> Path:
        """The file of the result."""
        return Path(self._asked.folder) / f"{self._key}.json"

    def understood(self) -> Understood:
        """The answer that says what will be measured."""
        return Understood(
            device=str(self._device),
            search=self._search,
            matched=self._loaded.matched,
            normalize=self._loaded.normalize,
            attack=self.attack_name,
            images=len(self.test),
            test_images=len(self._all_test_images),
            official_data=self._dataset.official,
            held_out=bool(self._config.holdout),
            source=self._loaded.source,
            others=self._loaded.others,
            ignored=self._loaded.ignored,
            places=tuple(self._loaded.places.items()) if self._asked.explain else (),
            notes=tuple(self._notes),
        )

    def stored_result(self) -> Measured | None:
        """The stored result, if the same inputs were measured before and shall not be measured again."""
        return None if self._asked.again else _read(self.result)

    def store(self, measured: Measured) -> None:
        """Store the result, and record it in the run directory if a run was evaluated. Raises: OSError."""
        if self._of_run:
            self._of_run.record(measured, weights_hash(self._model), self._attacks, self._data)
        if not measured.stored:
            write_atomic(self.result, msgspec.json.encode(measured))

    def evaluation(self) -> ResumableEvaluation:
        """The evaluation, with the saved progress of the same inputs."""
        dtype, batch = precision.DTYPES[self._search], eval_batch(self._config, self._device)
        evaluation = Evaluation(self._model, self.test, self._attacks, self._config.seed, dtype, batch)
        return ResumableEvaluation(evaluation, self.result.with_suffix(".pt"), self._key)

    def _network(self, weights: pretrained.Weights) -> tuple[nn.Module, pretrained.Loaded]:
        """The network with the weights, and what was loaded."""
        asked, facts = self._asked, self._dataset.facts
        folder = Path(asked.run) if asked.run else None
        if self._config.model.user_code is not None:
            try_user_network(self._config, facts, folder)
        model = build_network(self._config.model, facts, folder)
        loaded = pretrained.load_into(model, weights, self._config.model, facts, asked.normalize, asked.key)
        return model.to(self._device).to(memory_format=torch.channels_last).eval(), loaded

    def _attack(self, eps: float) -> Attack:
        config = structs.replace(self._config, eps=eps)
        return attack_of(config, self._device, self._dataset.facts.classes)[0]

    def _make_key(self) -> str:
        """The key under which progress and result are stored."""
        inputs = evaluation_inputs(self._config, self._data, self._phase, self._attacks, self._limit, self._search)
        return inputs.key(self._model)


class _Ticker:
    """Tells the progress, done and total, at most every ANSWER_EVERY seconds. Raises: Stopped."""

    def __init__(self, stop: StopRequest, tell: Callable[[int, int], None]) -> None:
        self._stop, self._tell, self._last = stop, tell, 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._last > ANSWER_EVERY or done == total:
            self._last = time.monotonic()
            self._tell(done, total)
        self._stop.check()


def _measured(requested: _RequestedEvaluation, found: list[Accuracy], seconds: float) -> Measured:
    robust = tuple(accuracy.robust for accuracy in found)
    clean, images = found[0].clean, found[0].images
    return Measured(
        attack=requested.attack_name,
        norm=requested.norm,
        eps=requested.eps,
        clean=clean,
        robust=robust,
        images=images,
        seconds=round(seconds, 1),
        unreadable=len(requested.test.unreadable),
        without_gradient=tuple(accuracy.without_gradient for accuracy in found),
        answers=found[0].answers,
        fooled_by=tuple(accuracy.fooled_by for accuracy in found),
        measured=time.time(),
    )


def _read(path: Path) -> Measured | None:
    try:
        measured = decode(path.read_bytes(), Measured)
    except (OSError, msgspec.DecodeError):
        return None
    return structs.replace(measured, stored=True)
