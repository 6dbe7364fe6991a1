"""The runs of the home for notebooks and scripts.

>>> from fastadv_tui.api import find_runs
>>> runs = find_runs("method=fgsm eps>=8 status=done")
>>> len(runs)
115

A run knows its settings, its results and its curves:

>>> run = find_runs("p0st00")[0]
>>> run.status, run.method, run.settings["model.width"]
('done', 'fgsm', 64)
>>> [(result.source, result.attack, round(result.robust, 3)) for result in run.results]
[('final', 'pgd-50-10', 0.451)]
>>> robust = run.curve("robust")
>>> len(robust), robust.steps[-1], robust.epochs[-1], round(robust.values[-1], 2)
(15, 5850, 15.0, 0.47)
>>> run.steps()[-1].loss < run.steps()[0].loss
True

`run.load_model()` returns the trained network; nothing else here loads torch. `run.path` is the folder of the run.
`runs.to_pandas()` and `runs.to_polars()` make a data frame, `runs.to_dict()` needs neither package:

>>> table = runs.to_dict()
>>> max(table["robust"]) == max(run.robust for run in runs)
True
>>> best = max(runs, key=lambda run: run.robust)
>>> best.robust > 0.49
True
"""

import warnings

from fastadv_tui.errors import UserError as UserError
from fastadv_tui.history.index import History
from fastadv_tui.history.query import ordered, parse
from fastadv_tui.library.curve import Curve as Curve
from fastadv_tui.library.result import Result as Result
from fastadv_tui.library.run import Run as Run
from fastadv_tui.library.runs import Runs as Runs
from fastadv_tui.paths import runs_dir


def find_runs(query: str = "", sort: str = "submitted") -> Runs:
    """The runs that pass a filter, the last submitted run first.

    query: as in `fastadv runs --filter`: `method=fgsm eps>=8 robust>0.4 tag:paper since:7d text`. Empty: all runs. A
    plain word is searched for in id, name, data set, method, tags and note. sort: as in `fastadv runs --sort`: a
    column or a setting, the largest value first; `+eps` has the smallest first.

    Runs are those of `$FASTADV_HOME`, or of the default home. What the history says on the way, such as that a
    damaged file was rebuilt, is a warning.

    Raises: QueryError, for a filter or a sort key that cannot be understood.
    """
    matches, history, folder = parse(query), History(), runs_dir()
    rows = [row for row in history.rows() if matches(row)]
    for notice in history.notices:
        warnings.warn(notice, stacklevel=2)
    return Runs(Run(row, folder / row.id) for row in ordered(rows, sort))
