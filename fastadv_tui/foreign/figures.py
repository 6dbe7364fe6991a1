"""The figures that fastadv compares, under the names that other programs give them."""

from collections.abc import Iterable, Mapping

from fastadv_tui.errors import UserError
from fastadv_tui.foreign.found import ImportFileError

# Names of each figure in lower case, the most certain one first. `clean` and `robust` are on test or validation images.
KNOWN: dict[str, tuple[str, ...]] = {
    "loss": ("train/loss", "train_loss", "loss/train", "loss", "training loss"),
    "accuracy": ("train/accuracy", "train/acc", "train_acc", "train_accuracy", "acc/train", "accuracy/train"),
    "lr": ("train/lr", "lr", "learning_rate", "train/learning_rate"),
    "clean": (
        "watch/clean", "clean", "clean_acc", "clean_accuracy", "nat_acc", "natural_acc", "test/clean", "test/acc",
        "test_acc", "test/accuracy", "val/acc", "val_acc", "val/accuracy", "acc/test", "accuracy/test", "acc/val",
    ),
    "robust": (
        "watch/robust", "robust", "robust_acc", "robust_accuracy", "adv_acc", "pgd_acc", "test/robust", "test/adv_acc",
        "test_robust_acc", "test/pgd_acc", "val/robust", "val/adv_acc", "val_robust_acc", "test/robust_acc",
    ),
    "final_clean": ("final/clean", "final_clean", "final/acc"),
    "final_robust": ("final/robust", "final_robust", "final/robust_acc", "aa_acc", "autoattack"),
}  # fmt: skip
ACCURACIES = ("accuracy", "clean", "robust", "final_clean", "final_robust")
NAMED = 20  # names that an error lists


def parse_maps(words: Iterable[str]) -> dict[str, str]:
    """What a user typed as `robust=val/pgd`: the name in the file by figure. Raises: UserError."""
    found = {}
    for word in words:
        figure, sign, name = word.partition("=")
        if not sign or figure not in KNOWN or not name:
            raise UserError(
                f"--map {word!r}: type FIGURE=NAME, such as robust=val/pgd_acc; figures: {', '.join(KNOWN)}"
            )
        found[figure] = name
    return found


def names_of_figures(names: Iterable[str], maps: Mapping[str, str]) -> dict[str, str]:
    """The name in the file of each figure that it has. maps: what the user typed, which wins.

    Raises: ImportFileError, if a typed name is not in the file, or if nothing is known.
    """
    present = {name.casefold().strip(): name for name in names}
    found: dict[str, str] = {}
    for figure, known in KNOWN.items():
        if figure in maps:
            if maps[figure].casefold() not in present:
                raise ImportFileError(f"has no {maps[figure]!r}; it has {_listed(present.values())}")
            found[figure] = present[maps[figure].casefold()]
        elif name := next((present[name] for name in known if name in present), None):
            found[figure] = name
    if not found:
        raise ImportFileError(
            f"has no figure with a known name; name one with --map robust=NAME; it has {_listed(present.values())}"
        )
    return found


def divisor_of_accuracies(values: Mapping[str, Iterable[float]]) -> float:
    """What to divide the accuracies of a run by: 100 if they are in percent, else 1. values: by figure.

    All accuracies of a run are judged together: 0.3 in a column beside 80 is 0.3 percent. Raises: ImportFileError.
    """
    found = {figure: [*values[figure]] for figure in ACCURACIES if figure in values}
    for figure, own in found.items():
        if own and (min(own) < 0 or max(own) > 100):
            raise ImportFileError(f"has a value of {figure} that is no accuracy: {min(own):g} to {max(own):g}")
    return 100.0 if any(value > 1 + 1e-6 for own in found.values() for value in own) else 1.0


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:NAMED]) + ", ..." * (len(names) > NAMED) if names else "nothing"
