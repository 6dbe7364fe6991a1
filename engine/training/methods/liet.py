"""LIET: fast adversarial training by label information elimination (Pan et al., 2025)."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from engine.config.errors import ConfigError
from engine.config.methods import Cost, MethodSpec
from engine.config.section import Count, Section
from engine.training.methods.options import Weight

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.attacks.threat import Threat
    from engine.data.minibatch import Minibatch
    from engine.training.learner import Learner


CONSTANT = 0.5  # grey level of the image whose gradient carries nothing but the label, in [0,1]


class LietOptions(Section, frozen=True):
    weight: Weight = 100.0
    mask_low: Annotated[
        float, Meta(ge=0, le=1, title="mask at least", description="Least fraction of the start's pixels with noise")
    ] = 0.1
    mask_high: Annotated[
        float, Meta(ge=0, le=1, title="mask at most", description="Highest fraction of the start's pixels with noise")
    ] = 0.5
    table_steps: Annotated[
        Count,
        Meta(
            title="table every", extra={"unit": "updates"}, description="Updates between two tables of label gradients"
        ),
    ] = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mask_low > self.mask_high:
            raise ConfigError(
                f"method.mask_low = {self.mask_low:g} is above method.mask_high = {self.mask_high:g}: lower the first"
            )


def liet(
    learner: "Learner",
    batch: "Minibatch",
    threat: "Threat",
    rng: "torch.Generator",
    *,
    alpha: float,
    weight: float = 100.0,
    mask_low: float = 0.1,
    mask_high: float = 0.5,
    table_steps: int = 20,
) -> "Tensor":
    """One sign step from a start that carries the label: the gradient of the label at a grey image.

    Every `table_steps` updates, LI[k] = eps sign(input gradient of CE for label k at a constant image of 0.5), with the
    network in eval mode. start = box(s LI[y]), where s is 1 or -1, one for each minibatch, and a fraction of the pixels
    is noise ~ U(-eps, eps) instead. The fraction is drawn from U(mask_low, mask_high) for each minibatch.
    delta = ball(start + alpha sign(g)), where g is the input gradient at x + start. Update: CE(x + delta) + l JS(p at
    x + start, p at x + delta), with the gradient through both and l = weight t/T. p is the softmax output, t the number
    of the update, T the number of all updates.

    ball() clips to [-eps, eps] and to the image box [0,1]. alpha, eps: fractions in [0,1]. Each micro-batch draws its
    own s and fraction. The defaults are the paper's for CIFAR-10; on CIFAR-100, weight = 200. Not here: random label
    smoothing, and the wider noise of the paper's code for eps above 8/255. The cost leaves out the table's passes.
    """
    from engine.training.losses import js_divergence  # late: a spec is read before torch is loaded

    x, y = batch.x, batch.y
    labelled = _table(learner, batch, threat, table_steps)[y]
    start = threat.project(x, _start(labelled, threat, rng, mask_low, mask_high))
    gradient, before, logits = learner.traced_input_grad(x + start, y)
    delta = threat.step(x, start, gradient, alpha)
    scale = weight * learner.progress
    learner.update(
        x + delta,
        y,
        before,
        loss=lambda moved: learner.training_loss(moved, y) + scale * js_divergence(logits, moved),
    )
    return delta


def _start(labelled: "Tensor", threat: "Threat", rng: "torch.Generator", low: float, high: float) -> "Tensor":
    """The start before it is clipped to the box. labelled: the perturbation of each image's label, (B, C, H, W)."""

    def uniform(shape: "torch.Size | tuple[()]", bound: float = 1.0) -> "Tensor":
        return labelled.new_empty(shape).uniform_(-bound, bound, generator=rng)

    noise, sign = uniform(labelled.shape, threat.eps), uniform(()).sign()
    fraction = low + (high - low) * (uniform(()) + 1) / 2
    chosen = (uniform(labelled.shape) + 1) / 2 < fraction
    return sign * noise.where(chosen, labelled)


def _table(learner: "Learner", batch: "Minibatch", threat: "Threat", every: int) -> "Tensor":
    """LI, (classes, C, H, W), made anew every `every` updates and when the image size changes."""
    shape, known = batch.x.shape[1:], learner.memory.get("label_table")
    due = learner.step % every == 0 and learner.micro_batch.first
    if known is not None and known.shape[1:] == shape and not due:
        return known
    import torch  # late: a spec is read before torch is loaded

    grey = batch.x.new_full((1, *shape), CONSTANT)
    labels = torch.arange(learner.answers(grey).shape[1], device=grey.device)
    parts = [  # in parts that fit into memory as a minibatch does
        learner.input_grad(grey.expand(len(part), *shape), part, eval_mode=True)[0].sign()
        for part in torch.tensor_split(labels, -(-len(labels) // len(batch)))
    ]
    learner.memory["label_table"] = threat.eps * torch.cat(parts)
    return learner.memory["label_table"]


METHOD = MethodSpec(
    name="liet",
    title="LIET",
    summary="one sign step from the label's gradient at a grey image; trains the loss and the change of the answer",
    paper="Pan et al., 2025, ICCV, pages 2991-3000; github.com/fzjcdt/LIET",
    step=liet,  # not capturable: its weight grows, and some updates make the table anew
    options=LietOptions,
    alpha=lambda eps, pgd_step: eps,
    cost=lambda options: Cost(attacks=1, updates=1, backwards=1),
    signals=True,
)
