"""Clean and robust accuracy, in eval mode and fp32. An attack fools an image if any part of any stage fools it."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.attacks.probe import Probe, misclassified
from engine.attacks.stage import Attack, Stage, parts_of
from engine.attacks.threat import Threat
from engine.data.dataset import Images
from engine.runtime.eval_mode import evaluating

BATCH = 250  # images at once
Tick = Callable[[int, int], None]  # (images seen plus gradients computed, estimated total)


@dataclass(frozen=True)
class Accuracy:
    """Clean and robust accuracy as fractions in [0,1], measured on `images` images.

    without_gradient: number of images that count as robust although their gradient was exactly zero at some iterate.
    The attack could not move these images, so an attack without gradients may still fool the model.
    answers: number of classes among the network's answers to the clean images; 0 if they were not counted.
    fooled_by: for each of several stages of the attack its name and the number of images that it fooled. Each image
    counts for the first stage that fooled it.
    fgsm: accuracy under FGSM; None if it was not measured.
    """

    clean: float
    robust: float
    images: int
    without_gradient: int = 0
    answers: int = 0
    fooled_by: tuple[tuple[str, int], ...] = ()
    fgsm: float | None = None


class Evaluation:
    """Clean accuracy, and robust accuracy under each of several attacks.

    Once one part of an attack (a restart or a target of one of its stages) has fooled an image, the later parts skip
    the image. The image counts as wrong.

    The noise of an image depends on (seed, image, part) alone. On a CPU, an evaluation that was saved between two
    batches therefore ends with the same accuracies as an uninterrupted one. A GPU may add in another order each time,
    so that an image near the border may change sides; see the setting `deterministic`. dtype: precision of the search
    for perturbations, None for fp32; batch: images at once. Kernels for another number may round otherwise, too.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Images,
        attacks: Sequence[tuple[Threat, Attack]],
        seed: int,
        dtype: torch.dtype | None = None,
        batch: int | None = None,
    ) -> None:
        self._batch = batch or BATCH
        self.model, self.data, self.attacks, self.seed = model, data, attacks, seed
        self.accuracies: list[Accuracy] = []  # of the finished attacks
        self.survivors: list[Tensor] = []  # by finished attack: mask of the images that it did not fool, bool, (N,)
        self._dtype = dtype
        self._clean = torch.zeros_like(data.labels, dtype=torch.bool)  # mask of images correct without attack, (N,)
        self._alive = self._clean.clone()  # mask of correct images that the current attack has not fooled, (N,)
        self._unmoved = torch.zeros_like(self._clean)  # mask of images that had a gradient of zero in this attack, (N,)
        self._answers: set[int] = set()  # classes that the network has answered
        self._seen = 0  # images whose clean prediction is known
        self._part, self._next = 0, 0  # current part of the current attack; index of its next image
        self._fooled_by: dict[str, int] = {}  # of the current attack: images by the name of the stage that fooled them
        self._here = self._before = 0  # gradients of the current attack; gradients of the finished attacks

    def run(self, tick: Tick = lambda done, total: None) -> list[Accuracy]:
        """Evaluate what is left.

        tick: called after each clean batch and each step of an attack. An exception of `tick` ends the evaluation. A
        resumed evaluation attacks the unfinished batch again.
        """
        with evaluating(self.model):
            while self._seen < len(self.data):
                self._evaluate_clean_batch()
                tick(self._seen, self._forecast_from_clean())
            probe = Probe(self.model, self._dtype)
            for threat, attack in self.attacks[len(self.accuracies) :]:
                self._attack(probe, threat, attack, tick)
                self._record_accuracy(attack)
        tick(self._seen + self._before, self._seen + self._before)
        return self.accuracies

    def state_dict(self) -> dict[str, Any]:
        return {
            "clean": self._clean,
            "seen": self._seen,
            "answers": sorted(self._answers),
            "alive": self._alive,
            "survivors": self.survivors,
            "unmoved": self._unmoved,
            "accuracies": [astuple(accuracy) for accuracy in self.accuracies],
            "place": (self._part, self._next, self._here, self._before),
            "fooled_by": self._fooled_by,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        # Read before anything is set: a state that lacks a part must leave the evaluation at its beginning.
        masks = state["clean"], state["alive"], state["unmoved"], state["survivors"]
        counted = state["seen"], set(state["answers"]), [Accuracy(*figures) for figures in state["accuracies"]]
        self._part, self._next, self._here, self._before = state["place"]
        self._fooled_by = state.get("fooled_by", {})  # files of version 0.1 lack it
        self._clean, self._alive, self._unmoved, self.survivors = masks
        self._seen, self._answers, self.accuracies = counted

    def _evaluate_clean_batch(self) -> None:
        images = torch.arange(len(self.data), device=self._clean.device)[self._seen :][: self._batch]
        self._clean[images], answers = clean_answers(self.model, self.data, images)
        self._answers.update(answers.tolist())
        self._alive = self._clean.clone()
        self._seen += len(images)

    def _forecast_from_clean(self) -> int:
        """Estimated images and gradients in all: the images to come are like those so far, and no attack fools any."""
        each = sum(_gradients(parts_of(attack)) for _, attack in self.attacks)
        return len(self.data) + round(int(self._clean.sum()) / self._seen * len(self.data)) * each

    def _attack(self, probe: Probe, threat: Threat, attack: Attack, tick: Tick) -> None:
        """Attack one batch after the other, from the current part and image on."""
        parts = parts_of(attack)
        while self._part < len(parts) and bool(self._alive.any()):
            waiting = self._waiting()
            count = self._parts_at_once(parts, len(waiting))
            for images in torch.split(waiting, self._batch) if len(waiting) else ():
                self._attack_batch(probe, threat, parts, count, images, tick)
            self._part, self._next = self._part + count, 0

    def _parts_at_once(self, parts: Sequence[tuple[Stage, int]], waiting: int) -> int:
        """How many parts of the current stage to try at once on `waiting` images.

        Where few images are left, a step takes as long as for a full batch, or nearly.
        """
        stage, part = parts[self._part]
        if not stage.together or self._next:
            return 1
        return max(1, min(self._batch // max(waiting, 1), stage.parts - part))

    def _attack_batch(
        self, probe: Probe, threat: Threat, parts: Sequence[tuple[Stage, int]], count: int, images: Tensor, tick: Tick
    ) -> None:
        """Attack a batch with the current part, or with `count` parts from there on."""
        begin, total = self._here - probe.gradients, self._seen + self._forecast(parts)

        def report() -> None:
            done = self._seen + self._before + begin + probe.gradients
            tick(done, max(done + 1, total))  # the total is an estimate: done == total must mean the end

        x, y = self.data[images]
        probe.tick = report
        stage, part = parts[self._part]
        fooled, unmoved = stage.attack(probe, x, y, images, threat, self.seed, range(part, part + count))
        self._here = begin + probe.gradients
        self._alive[images[fooled]] = False
        self._unmoved[images[unmoved]] = True
        self._fooled_by[stage.name] = self._fooled_by.get(stage.name, 0) + int(fooled.sum())
        self._next = int(images[-1]) + 1

    def _waiting(self) -> Tensor:
        """Indices of the images that the current part still has to attack."""
        alive = self._alive.nonzero().flatten()
        return alive[alive >= self._next]

    def _record_accuracy(self, attack: Attack) -> None:
        count = len(self.data)
        clean, robust = int(self._clean.sum()) / count, int(self._alive.sum()) / count
        unmoved = int((self._alive & self._unmoved).sum())
        names = [stage.name for stage in attack.stages]
        fooled_by = tuple((name, self._fooled_by.get(name, 0)) for name in names) if len(names) > 1 else ()
        self.accuracies.append(Accuracy(clean, robust, count, unmoved, len(self._answers), fooled_by))
        self.survivors.append(self._alive)
        self._before, self._here = self._before + self._here, 0
        self._alive, self._part, self._next, self._fooled_by = self._clean.clone(), 0, 0, {}
        self._unmoved = torch.zeros_like(self._clean)

    def _forecast(self, parts: Sequence[tuple[Stage, int]]) -> int:
        """Estimated gradients in all: the images to come are like those so far."""
        waiting, alive, over = len(self._waiting()), int(self._alive.sum()), len(self.accuracies)
        if not self._here:  # assume the mean of the finished attacks, or that the first attack fools no image
            each = self._before / over if over else alive * _gradients(parts)
            return self._before + round(each * (len(self.attacks) - over))
        current = parts[self._part : self._part + 1]
        most = alive * _gradients(parts[: self._part]) + (alive - waiting) * _gradients(current)
        share = min(self._here / max(most, 1), 1.0)  # of the gradients of each survivor, as attacks may end early
        if self._part:
            here = self._here + share * waiting * _gradients(current)
            survivors = float(alive)
        else:
            seen = int(self._clean[: self._next].sum())
            here = self._here + waiting * self._here / max(seen, 1)
            survivors = alive - waiting + waiting * (alive - waiting) / max(seen, 1)
        here += share * survivors * _gradients(parts[self._part + 1 :])
        return self._before + round(here * (len(self.attacks) - over))


def _gradients(parts: Sequence[tuple[Stage, int]]) -> int:
    """Estimated gradients of these parts on an image that none of them fools."""
    return sum(stage.gradients for stage, _ in parts)


def clean_answers(model: nn.Module, data: Images, images: Tensor) -> tuple[Tensor, Tensor]:
    """Which images are classified correctly without attack, bool, (B,), and the classes that the network answers, (B,).

    images: indices in the data set, (B,).
    """
    x, y = data[images]
    with torch.no_grad():
        logits = model(x)
        return ~misclassified(logits, y), logits.argmax(1)


def attacked_accuracy(
    model: nn.Module, x: Tensor, y: Tensor, threat: Threat, attack: Attack, seed: int, dtype: torch.dtype | None = None
) -> Accuracy:
    """Clean and robust accuracy on one minibatch. Answers and gradients of zero are not counted.

    x: images in [0,1], (B, C, H, W); y: labels, (B,); dtype: as for `Evaluation`.
    """
    images = torch.arange(len(y), device=y.device)
    with evaluating(model):
        probe = Probe(model, dtype)
        alive = ~probe.fooled(x, y)
        clean = alive.float().mean()
        for stage, part in parts_of(attack):
            alive &= ~stage.attack(probe, x, y, images, threat, seed, range(part, part + 1))[0]
    return Accuracy(float(clean), float(alive.float().mean()), len(y))


def fgsm_accuracy(model: nn.Module, x: Tensor, y: Tensor, threat: Threat, dtype: torch.dtype | None = None) -> float:
    """Accuracy, a fraction in [0,1], under FGSM: at x + eps sign(gradient at x), clipped to the image box.

    Goodfellow, Shlens and Szegedy, 2015, arXiv 1412.6572, section 4. The loss is that of the other evaluation attacks.
    x: images in [0,1], (B, C, H, W); y: labels, (B,); dtype: as for `Evaluation`.
    """
    with evaluating(model):
        probe = Probe(model, dtype)
        _, gradient = probe.fooled_and_gradient(x, y)
        delta = threat.step(x, torch.zeros_like(x), gradient, threat.eps)
        return float((~probe.fooled(x.detach() + delta, y)).float().mean())
