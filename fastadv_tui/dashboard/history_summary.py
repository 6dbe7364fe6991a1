"""What the line below the history says of its order and its groups."""

from collections.abc import Sequence

from fastadv_tui.history.leaderboard import SEEDS, GroupRows, split_by
from fastadv_tui.history.paper import is_published
from fastadv_tui.history.significance import MIN_SEEDS


def groups_text(lines: Sequence[GroupRows], by: str) -> str:
    """What the lines of a grouped table are: how many, and what runs of one line agree in.

    Runs that were measured unlike, such as one that has not begun, have no mean, so they are apart.
    """
    own = [rows for rows in lines if not is_published(rows[0])]
    if by == SEEDS:
        agree = "equal but for the seed and measured alike"
    else:
        split = split_by(own, by)
        agree = f"equal {', '.join([by, *split])}"
    count = f"{len(own):,} line{'s' * (len(own) != 1)}"
    return f"{count}: {agree}; mean, ± std from {MIN_SEEDS} runs on"  # a narrow screen cuts the end


def sort_text(sort: str, pinned_first: bool = False) -> str:
    """The order in words: `robust`, `robust, lowest first`, `submitted, pinned first`."""
    words = f"{sort[1:]}, lowest first" if sort.startswith("+") else sort
    return words + ", pinned first" * pinned_first
