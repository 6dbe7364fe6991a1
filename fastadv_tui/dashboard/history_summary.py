"""What the line below the history says of its order and its groups."""

from collections.abc import Sequence

from fastadv_tui.history.leaderboard import SEEDS, GroupRows, split_by
from fastadv_tui.history.paper import is_published
from fastadv_tui.history.significance import MIN_SEEDS


def groups_text(lines: Sequence[GroupRows], by: str) -> str:
    """What the lines of a grouped table are: how many, and what runs of one line agree in."""
    own = [rows for rows in lines if not is_published(rows[0])]
    if by == SEEDS:
        agree = "differ only in their seed"
    else:
        split = split_by(own, by)
        agree = f"agree in {', '.join([by, *split])}"
    count = f"{len(own):,} line{'s' * (len(own) != 1)}"
    return f"{count} of runs that {agree}; mean, from {MIN_SEEDS} runs on ± std"  # a narrow screen cuts the end


def sort_text(sort: str) -> str:
    """The order in words: `robust`, `robust, lowest first`."""
    return f"{sort[1:]}, lowest first" if sort.startswith("+") else sort
