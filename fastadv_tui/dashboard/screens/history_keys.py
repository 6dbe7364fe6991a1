"""The keys of the history: each with its action, its word in the footer, and what the help says."""

from textual.binding import Binding

TARGETS = "the marked runs, else this one"  # the run under the cursor
_KEYS = (  # key, action, word, id, whether the footer shows the key, help
    ("escape", "back", "Back", "back", True, "clear the filter, or go back"),
    ("h", "leave", "Back", "leave", False, "go back; h opens the history as it was left"),
    ("slash", "filter", "Filter", "filter", True, "filter: method=fgsm eps>=8 tag:paper; see below"),
    ("space", "mark", "Mark", "mark", True, "mark the run under the cursor, for c and for the rest"),
    ("u", "unmark", "Unmark all", "unmark", False, "remove all marks"),
    ("c", "compare", "Compare", "compare", True, "compare the marked runs"),
    ("o", "sort", "Sort", "sort", True, "sort by a column; the same again reverses the order"),
    ("g", "group", "Group", "group", True, "group by seeds or any setting: their mean"),
    ("O", "reverse", "Reverse the order", "reverse", False, "reverse the order"),
    ("v", "columns", "Columns", "columns", False, "columns: choose from every setting and figure"),
    ("V", "views", "Views", "views", False, "views: save filter, order and columns under a name"),
    ("a", "evaluate", "Evaluate", "evaluate", False, f"evaluate {TARGETS}"),
    ("E", "export", "Export", "export", False, "export the marked runs, else all that match"),
    ("P", "pin", "Pin", "pin", False, "pin this line: the baseline of differences"),
    ("T", "tag", "Tag", "tag", False, f"tag {TARGETS}; -TAG takes a tag off"),
    ("N", "note", "Note", "note", False, f"note on {TARGETS}"),
    ("r", "rename", "Rename", "rename", False, "rename the run, or all runs, of this line"),
    ("x", "stop", "Stop", "stop", False, f"stop {TARGETS}, after a checkpoint"),
    ("R", "resume", "Resume", "resume", False, f"resume {TARGETS}"),
    ("e", "again", "Run again with changes", "again", False, "new run with these settings"),
    ("D", "delete", "Delete", "delete", False, f"delete {TARGETS}, with folders"),
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
            priority=key == "slash",
        )
        for key, action, word, name, shown, told in _KEYS
    ),
    Binding("home", "edge('top')", "First", show=False, tooltip="go to the first line"),
    Binding("end", "edge('bottom')", "Last", show=False, tooltip="go to the last line"),
    Binding("j", "cursor(1)", "Down", show=False, tooltip="go to the next line"),
    Binding("k", "cursor(-1)", "Up", show=False, tooltip="go to the previous line"),
]
