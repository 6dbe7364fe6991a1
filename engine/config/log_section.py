"""The section `log` of a RunConfig: what a run writes for other programs."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from engine.config.groups import Group
from engine.config.section import Section


class LogConfig(Section, frozen=True):
    group: ClassVar[Group] = Group.SAVING

    tensorboard: Annotated[
        Literal["on", "off"],
        Meta(
            title="TensorBoard",
            description="Write an event file of TensorBoard into the run folder while the run trains. Needs no package."
            " `fastadv export RUN --format tensorboard` writes one of any run",
        ),
    ] = "off"
