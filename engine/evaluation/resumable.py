"""Evaluations that survive a stop or a kill: their progress in a file, for whoever asks the same question again."""

import contextlib
import hashlib
import time
from pathlib import Path

import msgspec
import torch
from msgspec import Struct, structs
from torch import nn

from engine.config.sections import ModelConfig
from engine.evaluation.evaluation import Accuracy, Evaluation, Tick
from engine.protocol.files import replacing

SAVE_EVERY = 60.0  # seconds


class EvaluationQuestion(Struct, frozen=True, kw_only=True):
    """What an evaluation asks, its weights aside; a hash over this names its stored progress and result.

    data: fingerprint; size, crop: of the images in pixels, 0 is full; attacks: (eps, steps, restarts, step size) with
    sizes in [0,1]; limit: images, 0 is all; search: its arithmetic.
    """

    network: ModelConfig
    data: str
    size: int
    crop: int
    attacks: tuple[tuple[float, int, int, float], ...]
    seed: int
    limit: int
    search: str

    def key(self, model: nn.Module) -> str:
        """The key of this question about these weights.

        Settings at their default are left out: a setting that a later version adds must not change the key.
        """
        network = structs.asdict(self.network)
        changed = {f.name: network[f.name] for f in structs.fields(self.network) if network[f.name] != f.default}
        return _hash(msgspec.json.encode(structs.asdict(self) | {"network": changed}, order="sorted"), model)

    def old_key(self, model: nn.Module) -> str:
        """The key of the same question in version 0.1, where it was a hash over the `repr` of its parts."""
        net = self.network
        network = f"name={net.name!r}, width={net.width!r}, depth={net.depth!r}, activation={net.activation!r}"
        attacks = ", ".join(
            f"(Threat(eps={eps!r}), Pgd(steps={steps!r}, restarts={restarts!r}, step_size={step_size!r}))"
            for eps, steps, restarts, step_size in self.attacks
        )
        details = f"({self.size!r}, {self.crop!r}, [{attacks}], {self.seed!r}, {self.limit!r}, {self.search!r})"
        return _hash(f"(ModelConfig({network}), {self.data!r}, {details})".encode(), model)


def _hash(asked: bytes, model: nn.Module) -> str:
    digest = hashlib.blake2b(asked, digest_size=8)
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class ResumableEvaluation:
    """An evaluation with its progress in `path`; what is there of another question is of no use, and overwritten.

    asked: the key of the question, and those under which earlier versions stored its progress.
    """

    def __init__(self, evaluation: Evaluation, path: Path, *asked: str) -> None:
        self.evaluation, self.path, self.asked = evaluation, path, asked
        self._saved = time.monotonic()

    def run(self, tick: Tick) -> list[Accuracy]:
        """Evaluate from where it was left. What `tick` raises ends it for now, after a save.

        Raises: OSError, if the progress cannot be written.
        """
        self._restore()
        try:
            accuracies = self.evaluation.run(lambda done, total: self._look(tick, done, total))
        except Exception:  # a stop, or whatever broke: it was right up to here
            self._save()
            raise
        self.path.unlink(missing_ok=True)
        return accuracies

    def _look(self, tick: Tick, done: int, total: int) -> None:
        tick(done, total)
        if time.monotonic() - self._saved > SAVE_EVERY:
            self._save()

    def _save(self) -> None:
        with replacing(self.path) as file:
            torch.save({"asked": self.asked[0], **self.evaluation.state_dict()}, file)
        self._saved = time.monotonic()

    def _restore(self) -> None:
        with contextlib.suppress(Exception):  # a damaged file can raise nearly anything, and costs only its minutes
            state = torch.load(self.path, map_location=self.evaluation.data.labels.device, weights_only=True)
            if state.pop("asked") in self.asked:
                self.evaluation.load_state_dict(state)
