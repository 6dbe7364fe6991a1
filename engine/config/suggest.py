"""Suggest the known name that a user probably meant."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`did you mean NAME?` with the known name most similar to `word`. Empty if no name is similar enough.
    Upper and lower case are alike.

    cutoff: the least similarity that is enough, in [0,1].
    """
    from difflib import get_close_matches  # imported only after a typing error

    names = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), names, n=1, cutoff=cutoff)
    return f"did you mean {names[near[0]]}?" if near else ""
