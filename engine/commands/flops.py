"""`engine --flops`: counts the floating-point operations of a network for one image."""

import msgspec

from engine.config.datasets import facts_of, spec_of
from engine.config.errors import UserError
from engine.config.run import RunConfig
from engine.config.typed import decode
from engine.data.dataset import open_dataset
from engine.plan.cost import Passes
from engine.protocol.answers import answer, refuse
from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import Counted


def flops(request: bytes) -> int:
    """Count the floating-point operations of a run's network for one image. `request` is a RunConfig as JSON.

    Answers Counted or Refused; returns the exit code.
    """
    try:
        answer(count_run(decode(request, RunConfig)))
    except UserError as error:
        return refuse(str(error))
    return ExitCode.DONE


def count_run(config: RunConfig) -> Counted:
    """As `flops`, for a configuration. Raises: UserError."""
    from engine.models.flops import count_crops

    if spec_of(config.dataset).facts is None:
        source = open_dataset(config)
        facts, images = source.facts, source.train_images
    else:
        facts = facts_of(config.dataset)
        images = facts.train_images
    if config.model.user_code is None:
        return Counted(passes=dict(count_crops(config, facts)), train_images=images)
    from engine.models import measured_flops  # noqa: F401 - loaded once here, and not again in each child
    from engine.models.user_trial import try_user_network

    passes = try_user_network(config, facts, then=lambda: msgspec.json.encode(count_crops(config, facts)))
    return Counted(passes=decode(passes, dict[int, Passes]), train_images=images)
