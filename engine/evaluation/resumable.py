"""Evaluations that continue after a stop or a kill. A file keeps the progress for an evaluation of the same inputs."""

import contextlib
import hashlib
import time
from pathlib import Path

import msgspec
import torch
from msgspec import Struct, structs
from torch import nn

from engine.config.norms import LINF
from engine.config.sections import ModelConfig
from engine.evaluation.evaluation import Accuracy, Evaluation, Tick
from engine.protocol.files import replacing
from engine.protocol.stop import Stopped
from engine.runtime.zip_checksums import verify_checksums

SAVE_EVERY = 60.0  # seconds between two saves of the progress


class EvaluationInputs(Struct, frozen=True, kw_only=True):
    """Everything that decides the result of an evaluation, except the weights.

    data: fingerprint of the data set; size, crop: of the images in pixels, 0 for full size; attacks: eps and the
    inputs of each attack, for PGD (eps, steps, restarts, step size), with eps and step size in the unit of `norm`;
    limit: number of images, 0 for all; search: precision of the search for perturbations; loss: of PGD, so that no
    result of version 0.1 is taken, whose attacks failed on networks with large logits.
    """

    network: ModelConfig
    data: str
    size: int
    crop: int
    attacks: tuple[tuple[float | int | str, ...], ...]
    seed: int
    limit: int
    search: str
    loss: str = "rescaled cross-entropy"
    norm: str = LINF

    def key(self, model: nn.Module) -> str:
        """A hash of these inputs and the weights of `model`, which names the stored progress and result.

        Network settings and a norm at their default are left out, so that a later version does not change the key.
        """
        network = structs.asdict(self.network)
        changed = {f.name: network[f.name] for f in structs.fields(self.network) if network[f.name] != f.default}
        inputs = structs.asdict(self) | {"network": changed}
        if self.norm == LINF:
            del inputs["norm"]
        return _hash(msgspec.json.encode(inputs, order="sorted"), model)


def weights_hash(model: nn.Module) -> str:
    """A hash of all weights of a network, 16 hexadecimal digits."""
    return _hash(b"", model)


def _hash(inputs: bytes, model: nn.Module) -> str:
    digest = hashlib.blake2b(inputs, digest_size=8)
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class ResumableEvaluation:
    """An evaluation with its progress in the file `path`. Progress of other inputs is overwritten.

    key: the key of the inputs.
    """

    def __init__(self, evaluation: Evaluation, path: Path, key: str) -> None:
        self.evaluation, self.path, self.key = evaluation, path, key
        self._saved = time.monotonic()

    def run(self, tick: Tick) -> list[Accuracy]:
        """Evaluate from the saved progress on. An exception of `tick` ends the evaluation after a save.

        Raises: OSError, if the progress cannot be written.
        """
        self._restore()
        try:
            accuracies = self.evaluation.run(lambda done, total: self._tick(tick, done, total))
        except Stopped:
            self._save()
            raise
        except Exception:  # the progress up to here is right; a broken device or a full disk may refuse to save it
            with contextlib.suppress(Exception):  # a second error must not hide the first
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
            torch.save({"asked": self.key, **self.evaluation.state_dict()}, file)
        self._saved = time.monotonic()

    def _restore(self) -> None:
        with contextlib.suppress(Exception):  # a damaged file can raise nearly any exception; only its work is lost
            verify_checksums(self.path)
            state = torch.load(self.path, map_location=self.evaluation.data.labels.device, weights_only=True)
            if state.pop("asked") == self.key:
                self.evaluation.load_state_dict(state)
