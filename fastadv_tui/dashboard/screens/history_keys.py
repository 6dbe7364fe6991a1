"""The keys of the history: each with its action, its word in the footer, and what the help says."""

from textual.binding import Binding

_KEYS = (  # key, action, word, id, whether the footer shows the key, help
    ("escape,h", "back", "Back", "back", True, "clear the filter, or go back"),
    ("slash", "filter", "Filter", "filter", True, "filter: method=fgsm eps>=8 tag:paper; see below"),
    ("space", "mark", "Mark", "mark", True, "mark the run, for a comparison or for the actions below"),
    ("c", "compare", "Compare", "compare", True, "compare the marked runs"),
    ("o", "sort", "Sort", "sort", True, "sort by the column under the cursor, or choose one"),
    ("g", "group", "Group", "group", True, "group by seeds or any setting: mean ± std"),
    ("O", "reverse", "Reverse the order", "reverse", False, "reverse the order"),
    ("v", "columns", "Columns", "columns", False, "columns: choose from every setting and figure"),
    ("V", "views", "Views", "views", False, "views: save filter, order and columns under a name"),
    ("a", "evaluate", "Evaluate", "evaluate", False, "evaluate the marked runs"),
    ("E", "export", "Export", "export", False, "export the marked runs as CSV"),
    ("P", "pin", "Pin", "pin", False, "pin the run: the baseline of differences"),
    ("T", "tag", "Tag", "tag", False, "tag the marked runs; -TAG takes a tag off"),
    ("N", "note", "Note", "note", False, "note on the marked runs"),
    ("r", "rename", "Rename", "rename", False, "rename the run"),
    ("x", "stop", "Stop", "stop", False, "stop the marked runs; each saves a checkpoint first"),
    ("R", "resume", "Resume", "resume", False, "resume the marked runs"),
    ("e", "again", "Run again with changes", "again", False, "new run with these settings"),
    ("D", "delete", "Delete", "delete", False, "delete the marked runs and their folders"),
    ("n", "app.launch", "New run", "new", False, "new run: a form"),  # in the footer it hides the help at 80 columns
)
BINDINGS = [
    *(
        Binding(
            key,
            action,
            word,
            show=shown,
            id=f"history-{name}",
            tooltip=told,
            key_display="/" if key == "slash" else None,
        )
        for key, action, word, name, shown, told in _KEYS
    ),
    Binding("j", "cursor(1)", "Down", show=False),
    Binding("k", "cursor(-1)", "Up", show=False),
]
