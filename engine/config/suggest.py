"""What somebody who mistyped a name may have meant."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`did you mean NAME?` with the known name that is most like `word`, empty if none is.

    cutoff: the least likeness of two names that counts, in [0,1].
    """
    from difflib import get_close_matches  # only for who mistyped

    near = get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"did you mean {near[0]}?" if near else ""
