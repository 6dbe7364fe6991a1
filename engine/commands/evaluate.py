"""`engine --eval`: measures the accuracy of given weights and answers on standard output. A stop saves progress."""

import time
from pathlib import Path

import msgspec
import torch
from msgspec import structs
from torch import nn

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.config.errors import UserError
from engine.data.dataset import open_dataset
from engine.evaluation.evaluation import Accuracy, Evaluation
from engine.evaluation.resumable import ResumableEvaluation
from engine.evaluation.settings import attack_of, eval_batch, evaluation_inputs
from engine.models import pretrained
from engine.models.build import build_network
from engine.protocol.answers import answer, refuse, refuse_system_error
from engine.protocol.exit_code import ExitCode
from engine.protocol.files import WriteError, write_atomic
from engine.protocol.requests import EvalRequest, Failed, Measured, Understood, Working
from engine.protocol.stop import Stopped, StopRequest
from engine.runtime import precision
from engine.runtime.allocator import tune_allocator
from engine.runtime.device import pick

ANSWER_EVERY = 0.5  # seconds between two answers with the progress


def evaluate(request: bytes) -> int:
    """Answer an EvalRequest. `request` is JSON; returns the exit code."""
    stop = StopRequest()
    tune_allocator()
    try:
        asked = msgspec.json.decode(request, type=EvalRequest)
        answer(_measure(asked, stop))
    except UserError as error:
        return refuse(str(error))
    except WriteError as error:
        answer(Failed(message=str(error)))
        return ExitCode.FAILED
    except (Stopped, BrokenPipeError):  # stopped, or nobody reads the answers
        return ExitCode.STOPPED
    except OSError as error:
        return refuse_system_error(error)
    return ExitCode.DONE


def _measure(asked: EvalRequest, stop: StopRequest) -> Measured:
    begun, requested = time.monotonic(), _RequestedEvaluation(asked)
    answer(requested.understood())
    if not asked.again and (known := requested.stored_result()):
        return known
    found = requested.evaluation().run(_Ticker(stop))
    measured = _measured(
        requested.attack_name, asked.eps, found, time.monotonic() - begun, len(requested.test.unreadable)
    )
    write_atomic(requested.result, msgspec.json.encode(measured))
    return measured


class _RequestedEvaluation:
    """The network with its weights, the images and the attacks of a request. Raises, when built: UserError, OSError."""

    def __init__(self, asked: EvalRequest) -> None:
        self._asked, self._config = asked, asked.config
        self._device = pick(self._config.device)
        self._dataset = open_dataset(self._config, fetch=True)
        self._search, _ = precision.choose(self._config.eval.search, self._device)
        self._model, self._loaded = self._network()
        self._phase = self._dataset.filled(self._config.phase_list[-1])
        self._limit = attack_of(self._config, self._device)[1]
        self._all_test_images = self._dataset.test(self._phase, self._device)
        self.test = self._all_test_images.first(self._limit)
        self._attacks = [(Threat(eps), self._attack(eps)) for eps in asked.eps]
        self._key = self._make_key()

    @property
    def attack_name(self) -> str:
        return self._attacks[0][1].name

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
        )

    def stored_result(self) -> Measured | None:
        """The stored result, if the same inputs were measured before."""
        return _read(self.result)

    def evaluation(self) -> ResumableEvaluation:
        """The evaluation, with the saved progress of the same inputs."""
        dtype, batch = precision.DTYPES[self._search], eval_batch(self._config)
        evaluation = Evaluation(self._model, self.test, self._attacks, self._config.seed, dtype, batch)
        return ResumableEvaluation(evaluation, self.result.with_suffix(".pt"), self._key)

    def _network(self) -> tuple[nn.Module, pretrained.Loaded]:
        """The network with the weights, and what was loaded."""
        asked, facts = self._asked, self._dataset.facts
        model = build_network(self._config.model, facts)
        weights = pretrained.read(Path(asked.weights))
        loaded = pretrained.load_into(model, weights, self._config.model, facts, asked.normalize, asked.key)
        return model.to(self._device).to(memory_format=torch.channels_last).eval(), loaded

    def _attack(self, eps: float) -> Pgd:
        return attack_of(structs.replace(self._config, eps=eps), self._device)[0]

    def _make_key(self) -> str:
        """The key under which progress and result are stored."""
        data = self._dataset.fingerprint()
        inputs = evaluation_inputs(self._config, data, self._phase, self._attacks, self._limit, self._search)
        return inputs.key(self._model)


class _Ticker:
    """Answers with the progress, at most every ANSWER_EVERY seconds. Raises: Stopped."""

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
        without_gradient=tuple(accuracy.without_gradient for accuracy in found),
        answers=found[0].answers,
    )


def _read(path: Path) -> Measured | None:
    try:
        measured = msgspec.json.decode(path.read_bytes(), type=Measured)
    except (OSError, msgspec.DecodeError):
        return None
    return structs.replace(measured, stored=True)
