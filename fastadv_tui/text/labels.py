"""Short labels for runs: what tells their names apart."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from fastadv_tui.text.sanitize import one_line

_WORDS = re.compile(r"[^\s_-]+")


def telling_apart(runs: Sequence[tuple[str, str]], limit: int) -> list[str]:
    """A label of at most `limit` characters for each run, given as (name, id).

    Words that stand at the same place in all names are left out, so `cifar-fgsm-eps8-s0` and `cifar-pgd-eps8-s1` become
    `fgsm s0` and `pgd s1`. Runs that would share a label have their id.
    """
    names = [one_line(name) for name, _ in runs]
    words = [_WORDS.findall(name) for name in names]
    labels = (
        names
        if len(runs) < 2
        else [_without_shared(own, words) or name for own, name in zip(words, names, strict=True)]
    )
    shared = Counter(labels)
    return [
        run_id if shared[label] > 1 else label[: limit - 1] + "…" if len(label) > limit else label
        for label, (_, run_id) in zip(labels, runs, strict=True)
    ]


def _without_shared(own: Sequence[str], all_words: Sequence[Sequence[str]]) -> str:
    """The words of one name without those that all names have at the same place. Names of other lengths share none."""
    if len({len(words) for words in all_words}) > 1:
        return " ".join(own)
    return " ".join(word for place, word in enumerate(own) if len({words[place] for words in all_words}) > 1)


def shortened_apart(names: Sequence[str], width: int) -> list[str]:
    """Names of at most `width` characters. Words that many of the names share are left out first: `…fgsm-eps51 s0`."""
    counts = Counter(word for name in {*names} for word in {*_WORDS.findall(name)})
    return [_without_common(name, counts, width) for name in names]


def _without_common(name: str, counts: Mapping[str, int], width: int) -> str:
    words = [*dict.fromkeys(_WORDS.findall(name))]
    common = sorted((word for word in words if counts[word] > 1), key=lambda word: -counts[word])
    shown = name
    for word in common[: len(words) - 1]:  # something must stay
        if len(shown) <= width:
            break
        whole_word = rf"(?<![^\s_…-]){re.escape(word)}(?![^\s_-])[\s_-]?"
        shown = re.sub(r"…[\s_-]*…", "…", re.sub(whole_word, "…", shown, count=1))
    return shortened(shown, width)


def shortened(name: str, width: int) -> str:
    """A name of at most `width` characters. Names of runs differ at both ends, so the middle is left out."""
    if len(name) <= width or width < 3:
        return name[:width]
    return f"{name[: width // 2]}…{name[len(name) - (width - 1) // 2 :]}"
