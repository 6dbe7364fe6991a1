"""Evaluations that continue after a stop or a kill. A file keeps the progress for an evaluation of the same inputs."""

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

SAVE_EVERY = 60.0  # seconds between two saves of the progress


class EvaluationInputs(Struct, frozen=True, kw_only=True):
    """Everything that decides the result of an evaluation, except the weights.

    data: fingerprint of the data set; size, crop: of the images in pixels, 0 for full size; attacks: (eps, steps,
    restarts, step size), with eps and step size as fractions in [0,1]; limit: number of images, 0 for all; search:
    precision of the search for perturbations.
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
        """A hash of these inputs and the weights of `model`, which names the stored progress and result.

        Network settings at their default are left out, so that a setting of a later version does not change the key.
        """
        network = structs.asdict(self.network)
        changed = {f.name: network[f.name] for f in structs.fields(self.network) if network[f.name] != f.default}
        return _hash(msgspec.json.encode(structs.asdict(self) | {"network": changed}, order="sorted"), model)

    def old_key(self, model: nn.Module) -> str:
        """The key of the same inputs in version 0.1, where the key was a hash over the `repr` of the inputs."""
        net = self.network
        network = f"name={net.name!r}, width={net.width!r}, depth={net.depth!r}, activation={net.activation!r}"
        attacks = ", ".join(
            f"(Threat(eps={eps!r}), Pgd(steps={steps!r}, restarts={restarts!r}, step_size={step_size!r}))"
            for eps, steps, restarts, step_size in self.attacks
        )
        details = f"({self.size!r}, {self.crop!r}, [{attacks}], {self.seed!r}, {self.limit!r}, {self.search!r})"
        return _hash(f"(ModelConfig({network}), {self.data!r}, {details})".encode(), model)


def _hash(inputs: bytes, model: nn.Module) -> str:
    digest = hashlib.blake2b(inputs, digest_size=8)
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class ResumableEvaluation:
    """An evaluation with its progress in the file `path`. Progress of other inputs is overwritten.

    keys: the key of the inputs, then the keys under which earlier versions stored the progress of the same inputs.
    """

    def __init__(self, evaluation: Evaluation, path: Path, *keys: str) -> None:
        self.evaluation, self.path, self.keys = evaluation, path, keys
        self._saved = time.monotonic()

    def run(self, tick: Tick) -> list[Accuracy]:
        """Evaluate from the saved progress on. An exception of `tick` ends the evaluation after a save.

        Raises: OSError, if the progress cannot be written.
        """
        self._restore()
        try:
            accuracies = self.evaluation.run(lambda done, total: self._tick(tick, done, total))
        except Exception:  # a stop or an error: the progress up to here is right
            self._save()
            raise
        self.path.unlink(missing_ok=True)
        return accuracies

    def _tick(self, tick: Tick, done: int, total: int) -> None:
        tick(done, total)
        if time.monotonic() - self._saved > SAVE_EVERY:
            self._save()

    def _save(self) -> None:
        with replacing(self.path) as file:
            torch.save({"asked": self.keys[0], **self.evaluation.state_dict()}, file)
        self._saved = time.monotonic()

    def _restore(self) -> None:
        with contextlib.suppress(Exception):  # a damaged file can raise nearly any exception; only its work is lost
            state = torch.load(self.path, map_location=self.evaluation.data.labels.device, weights_only=True)
            if state.pop("asked") in self.keys:
                self.evaluation.load_state_dict(state)
