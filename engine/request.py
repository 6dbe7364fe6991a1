"""What is asked of `engine --eval`, one JSON object on standard input, and its answers, one JSON object a line."""

from msgspec import Struct

from engine.config import RunConfig


class EvalRequest(Struct, frozen=True, kw_only=True):
    """`config` says data set, network, attack, images, seed and device; eps are in [0,1].

    normalize: what the weights were trained on: `dataset` (its mean and std), `none` (images in [0,1]), or
    MEAN/STD; empty is what the file says, else `dataset`. folder: where progress and results are kept.
    """

    config: RunConfig
    weights: str
    eps: tuple[float, ...]
    folder: str
    normalize: str = ""
    again: bool = False


class Answer(Struct, tag_field="type", kw_only=True):
    """One line of the engine's answer. Tags are the protocol: a class may be renamed, its tag not."""


class Understood(Answer, tag="Understood"):
    """What will be done: `matched` says how the tensors of the file found their places."""

    device: str
    search: str
    matched: str
    normalize: str
    attack: str
    images: int
    test_images: int
    official_data: bool | None
    held_out: bool


class Working(Answer, tag="Working"):
    """Images looked at and gradients computed so far, and an estimate of how many it will be in all."""

    done: int
    total: int


class Measured(Answer, tag="Measured"):
    """Accuracies in [0,1], one robust accuracy for each eps; `before`: it was measured at another time.

    unreadable: images among them that could not be read, and count as wrong.
    """

    attack: str
    eps: tuple[float, ...]
    clean: float
    robust: tuple[float, ...]
    images: int
    seconds: float
    before: bool = False
    unreadable: int = 0


class Refused(Answer, tag="Refused"):
    """What a user can put right, in one line."""

    message: str


AnyAnswer = Understood | Working | Measured | Refused
