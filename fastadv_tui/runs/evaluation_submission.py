"""Puts an evaluation into line. It is apart from `evaluation_jobs`, which every reader of runs loads."""

import time

import msgspec

from engine.protocol.provenance import code_version
from engine.protocol.requests import EvalRequest
from engine.protocol.rundir import RunDir
from engine.protocol.submission import Submission
from fastadv_tui.errors import HomeError
from fastadv_tui.paths import ensure_home, evaluation_jobs_dir
from fastadv_tui.runs.create import create_whole_folder, unused_path
from fastadv_tui.runs.evaluation_jobs import remove_ended, run_of
from fastadv_tui.runs.submit import submit_run


def submit_evaluation(request: EvalRequest) -> RunDir:
    """Put an evaluation of a run into the queue of this host, and start it if its turn has come.

    Returns: the folder of the evaluation, which `control.stop` takes as it takes a run. Raises: as `submit_run`.
    """
    remove_ended(run_of(request))
    rundir = _create(request)
    submit_run(rundir)
    return rundir


def _create(request: EvalRequest) -> RunDir:
    ensure_home()
    code = code_version()
    try:
        evaluation_jobs_dir().mkdir(mode=0o700, exist_ok=True)
        path = unused_path(evaluation_jobs_dir())
        submission = Submission(
            id=path.name,
            submitted=time.time(),
            config=request.config,
            version=code.version,
            commit=code.commit,
            code_fingerprint=code.fingerprint,
        )
        rundir = RunDir(path)
        files = {rundir.config.name: submission, rundir.request.name: request}
        create_whole_folder(path, {name: msgspec.json.encode(content) for name, content in files.items()})
    except OSError as error:
        raise HomeError(f"cannot write to {evaluation_jobs_dir()} ({error.strerror}); free some space") from None
    return rundir
