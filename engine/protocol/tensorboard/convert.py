"""The events of a run as events of TensorBoard."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.protocol.events import Alarm, AnyEvent, Evaluated, Finished, Note, RolledBack, Started, Step
from engine.protocol.scalars import scalars_of
from engine.protocol.tensorboard import messages
from engine.protocol.tensorboard.messages import event, markdown, scalar, summary

SETTINGS_TAG, LOG_TAG = "settings", "log"  # of texts


class Converter:
    """Converts the events of one run, in their order.

    run_id: the name of the session group of hparams. settings: reads the settings of the run by dotted key; called
    when the first attempt begins.
    """

    def __init__(self, run_id: str, settings: Callable[[], Mapping[str, Any]]) -> None:
        self._run_id, self._settings = run_id, settings
        self._step = 0
        self._told = False

    def convert(self, given: AnyEvent) -> list[bytes]:
        """The events of TensorBoard that one event becomes; none for an event that has nothing to show."""
        match given:
            case Step() | Evaluated():
                self._step = given.step
                values = [scalar(tag, value) for tag, value in scalars_of(given).items()]
                return [event(given.t, summary(values), step=given.step)]
            case Started():
                return self._start(given)
            case RolledBack():
                return [self._restart(given, given.to_step), self._log(given, given.message)]
            case Alarm():
                return [self._log(given, f"alarm ({given.kind}): {given.message}")]
            case Note():
                return [self._log(given, given.message)]
            case Finished():
                return self._finish(given)
        return []

    def _start(self, given: Started) -> list[bytes]:
        restart = [self._restart(given, given.from_step)] if given.attempt > 1 or given.from_step else []
        if self._told:
            return restart
        self._told = True
        settings = self._settings()
        values = [
            messages.session_start(settings, self._run_id, given.t),
            markdown(SETTINGS_TAG, _table({**settings, "device": given.device, "precision": given.precision})),
        ]
        return [*restart, event(given.t, summary(values), step=given.from_step)]

    def _restart(self, given: AnyEvent, from_step: int) -> bytes:
        self._step = from_step
        return event(given.t, messages.restart(), step=from_step + 1)

    def _finish(self, given: Finished) -> list[bytes]:
        """A run that can be resumed has no outcome yet: TensorBoard takes the first one that it reads."""
        said = self._log(given, ": ".join(filter(None, (given.status, given.error))))
        if given.status != "done" and (given.status == "stopped" or given.resumable):
            return [said]
        status = messages.SUCCESS if given.status == "done" else messages.FAILURE
        return [said, event(given.t, summary([messages.session_end(status, given.t)]), step=self._step)]

    def _log(self, given: AnyEvent, said: str) -> bytes:
        return event(given.t, summary([markdown(LOG_TAG, said)]), step=self._step)


def _table(settings: Mapping[str, Any]) -> str:
    """The settings as a table in Markdown."""
    lines = (f"| {key} | {str(value).replace('|', chr(92) + '|')} |" for key, value in settings.items())
    return "\n".join(("| setting | value |", "| --- | --- |", *lines))
