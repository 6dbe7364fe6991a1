"""The clients of the trackers. Only the worker process loads this module's packages, each by `load_extra`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from fastadv_tui.extras import load_extra
from fastadv_tui.trackers.messages import Begin, Point

LIVE = ("queued", "running")
SUCCESS = "done"
INIT_SECONDS = 30  # in which W&B's server must answer
BATCH = 1000  # numbers that MLflow takes at once


class Client(Protocol):
    """A run of a tracker. remote, where: as in Answer. Each method may raise what the package raises."""

    remote: str
    where: str

    def log(self, points: Sequence[Point]) -> None: ...
    def end(self, status: str) -> None: ...


class Wandb:
    """A run of W&B. Its own variables hold: `WANDB_API_KEY`, `WANDB_ENTITY`, `WANDB_BASE_URL`, `WANDB_DIR`."""

    def __init__(self, asked: Begin) -> None:
        wandb = load_extra("wandb", "--to wandb")
        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, init_timeout=INIT_SECONDS,
            x_disable_stats=True, x_disable_meta=True,
        )  # fmt: skip
        self._run = wandb.init(
            project=asked.project, id=asked.remote or asked.wanted, name=asked.name, config=asked.settings,
            tags=asked.tags, resume="allow", mode="offline" if asked.offline else None, settings=settings,
        )  # fmt: skip
        self._run.define_metric("*", step_metric="step")  # not W&B's own step, which can never go back
        self.remote = str(self._run.id)
        self.where = f"wandb sync {Path(self._run.dir).parent}" if self._run.offline else str(self._run.url)

    def log(self, points: Sequence[Point]) -> None:
        for point in points:
            self._run.log({**point.values, "step": point.step, "time": point.t})

    def end(self, status: str) -> None:
        self._run.finish(exit_code=0 if status in (SUCCESS, *LIVE) else 1)


class Mlflow:
    """A run of MLflow, at `MLFLOW_TRACKING_URI`; offline in `mlflow.db` in the present folder."""

    def __init__(self, asked: Begin) -> None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        uri = f"sqlite:///{Path('mlflow.db').absolute()}" if asked.offline else None
        self._entities = load_extra("mlflow.entities", "--to mlflow")
        self._client = load_extra("mlflow", "--to mlflow").MlflowClient(tracking_uri=uri)
        self.remote = self._existing(asked.remote) or self._new(asked)
        self.where = f"mlflow ui --backend-store-uri {self._client.tracking_uri}"

    def _existing(self, remote: str) -> str:
        """The id of the run if the store has it. A store that was deleted since, or another one, has not."""
        try:
            return str(self._client.get_run(remote).info.run_id) if remote else ""
        except load_extra("mlflow.exceptions", "--to mlflow").MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return ""
            raise

    def _new(self, asked: Begin) -> str:
        found = self._client.get_experiment_by_name(asked.project)
        experiment = found.experiment_id if found else self._client.create_experiment(asked.project)
        tags = {"fastadv.run": asked.wanted, "fastadv.tags": " ".join(asked.tags)}
        run_id = str(self._client.create_run(experiment, run_name=asked.name, tags=tags).info.run_id)
        params = [self._entities.Param(key, str(value)) for key, value in asked.settings.items()]
        self._client.log_batch(run_id, params=params)
        return run_id

    def log(self, points: Sequence[Point]) -> None:
        metrics = [
            self._entities.Metric(name, value, round(1000 * point.t), point.step)
            for point in points
            for name, value in point.values.items()
        ]
        for begin in range(0, len(metrics), BATCH):
            self._client.log_batch(self.remote, metrics=metrics[begin : begin + BATCH])

    def end(self, status: str) -> None:
        if status not in LIVE:
            self._client.set_terminated(self.remote, "FINISHED" if status == SUCCESS else "FAILED")


class Trackio:
    """A run of trackio: on this machine, unless `TRACKIO_SPACE_ID` or `TRACKIO_SERVER_URL` is set."""

    def __init__(self, asked: Begin) -> None:
        if asked.offline:
            for variable in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
                os.environ.pop(variable, None)
        self._trackio = load_extra("trackio", "--to trackio")
        self.remote, self._project = asked.remote or asked.wanted, asked.project
        self._run = self._trackio.init(
            project=asked.project, name=self.remote, config={**asked.settings, "name": asked.name}, resume="allow",
            embed=False, auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip
        self.where = f"trackio show --project {asked.project}"

    def log(self, points: Sequence[Point]) -> None:
        for point in points:
            self._run.log(point.values, step=point.step)

    def end(self, status: str) -> None:
        """Raises: RuntimeError, if the server is away: trackio then keeps everything and says nothing."""
        self._trackio.finish()
        storage = load_extra("trackio.sqlite_storage", "--to trackio").SQLiteStorage
        if storage.has_pending_data(self._project):
            raise RuntimeError("the server took not everything; trackio keeps the rest, and a second mirror sends it")


CLIENTS: dict[str, Callable[[Begin], Any]] = {"wandb": Wandb, "mlflow": Mlflow, "trackio": Trackio}
