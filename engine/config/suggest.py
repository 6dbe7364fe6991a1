"""Suggest the known name that a user probably meant."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`did you mean NAME?` with the known name most similar to `word`. Empty if no name is similar enough.

    cutoff: the least similarity that is enough, in [0,1].
    """
    from difflib import get_close_matches  # imported only after a typing error

    near = get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"did you mean {near[0]}?" if near else ""
