"""What the process that mirrors a run says to the process that holds the client of a tracker, and the answers."""

from typing import Any

from msgspec import Struct


class Begin(Struct, frozen=True, tag="begin", kw_only=True):
    """Open a run of the tracker.

    tool: `wandb`, `mlflow` or `trackio`. remote: the id that the tracker gave it before; empty for a new one.
    wanted: the id to give, if the tracker lets its users choose. settings: of the run, by dotted key.
    offline: write to this machine only.
    """

    tool: str
    remote: str
    wanted: str
    name: str
    project: str
    settings: dict[str, Any]
    tags: list[str]
    offline: bool


class Point(Struct, frozen=True):
    """Numbers by name after a weight update. t: Unix time in seconds."""

    step: int
    t: float
    values: dict[str, float]


class Points(Struct, frozen=True, tag="points"):
    points: list[Point]


class End(Struct, frozen=True, tag="end"):
    """Close the run of the tracker. status: of the run of fastadv; one that is live goes on later."""

    status: str


Message = Begin | Points | End


class Answer(Struct, frozen=True):
    """The answer to each message. error: one line; empty if all went well.

    remote: the id of the run in the tracker. where: what a user types, or opens, to see it.
    """

    error: str = ""
    remote: str = ""
    where: str = ""
