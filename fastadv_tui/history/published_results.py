"""Published results, with their sources. Figures are in percent, as they were printed.

Add a result here: history, comparison and `fastadv reproduce` read this list.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.config.norms import LINF, Norm


class Source(Struct, frozen=True):
    """Where a result was published. work: authors, venue, identifier. place: table, page or issue in it."""

    work: str
    place: str = ""

    @property
    def words(self) -> str:
        return ", ".join(filter(None, (self.work, self.place)))


class Published(Struct, frozen=True, kw_only=True):
    """One published result, of the last weights of a training unless the name says otherwise.

    eps: radius of the ball in [0,1], in the norm `norm`. network, epochs: what was trained and how long; 0 epochs if
    the source does not say. clean, robust, autoattack: accuracies in percent on all test images, None if not published.
    attack: that of `robust`. seeds: number of trainings in the mean. std: standard deviation of `robust` over them, in
    percent points. minutes: of training, on the hardware of the source; 0 if unknown.
    settings: by dotted key, the settings of the training attack that set this result apart from others of its method.
    """

    id: str
    name: str
    dataset: str
    method: str
    eps: float
    norm: Norm = LINF
    preset: str = ""
    network: str
    epochs: int = 0
    clean: float | None = None
    robust: float | None = None
    attack: str = "pgd-50-10"
    autoattack: float | None = None
    seeds: int = 1
    std: float | None = None
    minutes: float = 0.0
    settings: Mapping[str, Any] = {}
    source: Source


_WONG = "Wong, Rice and Kolter, ICLR 2020, arXiv 2001.03994"
_CODE = "github.com/locuslab/fast_adversarial"
WONG_CIFAR = Source(_WONG, "results on CIFAR-10 with the DAWNBench schedule")
WONG_MNIST = Source(_WONG, "results on MNIST")
WONG_IMAGENET = Source(_WONG, "results on ImageNet")
RERUN_BY_A_USER = Source(_CODE, "issue 8: a rerun of the released code by a user")
RERUN_BY_THE_AUTHORS = Source(_CODE, "issue 17: a rerun of the released code by an author")
ROBUSTBENCH = Source("RobustBench, arXiv 2010.09670", "Wong2020Fast: the released weights")
CROCE_HEIN = Source("Croce and Hein, ICML 2020, arXiv 2003.01690", "results on MNIST: the released weights")
FASTAT = Source(
    "github.com/fzjcdt/FastAT_Benchmark",
    "public logs: label smoothing and averaged weights for 100 epochs, one-cycle learning rate",
)


def _wong(name: str, run_id: str, method: str, clean: float, robust: float, **more: Any) -> Published:
    return Published(
        id=run_id, name=name, dataset="cifar10", method=method, eps=8 / 255, preset="wong2020",
        network="preact-resnet18", clean=clean, robust=robust, **{"source": WONG_CIFAR, **more},
    )  # fmt: skip


def _imagenet(name: str, run_id: str, method: str, eps: float, clean: float, **more: Any) -> Published:
    return Published(
        id=run_id, name=name, dataset="imagenet", method=method, eps=eps / 255, preset="wong2020-imagenet",
        network="resnet50", epochs=15 if method == "fgsm" else 0, clean=clean, **{"source": WONG_IMAGENET, **more},
    )  # fmt: skip


def _fastat(name: str, method: str, clean: float, pgd: float, autoattack: float, **settings: Any) -> Published:
    run_id = f"fastat-{name.lower().replace(' ', '-')}"
    return Published(
        id=run_id, name=name, dataset="cifar10", method=method, eps=8 / 255, network="resnet18", epochs=100,
        clean=clean, robust=pgd, attack="pgd-50", autoattack=autoattack, seeds=3, settings=settings, source=FASTAT,
    )  # fmt: skip


_EARLY = {"early_stop.enabled": True}
_ZERO, _PREVIOUS, _ALPHA_16 = {"method.init": "zero"}, {"method.init": "previous"}, {"method.alpha": 16 / 255}
_PGD_7, _FREE_8, _FREE_4 = {"method.steps": 7}, {"method.replays": 8}, {"method.replays": 4}
PUBLISHED = (
    _wong("PGD-7", "pgd-7", "pgd", 82.46, 50.69, minutes=68.8, settings=_PGD_7),
    _wong("FGSM, random start", "fgsm", "fgsm", 83.81, 46.06, minutes=12.17, epochs=15),
    _wong("Free, m=8", "free", "free", 78.38, 46.18, settings=_FREE_8),
    _wong("FGSM, zero start", "fgsm-zero", "fgsm", 85.18, 0.00, settings=_ZERO),
    _wong("FGSM, zero start, early stop", "fgsm-zero-early", "fgsm", 71.14, 38.86, settings=_ZERO | _EARLY),
    _wong("FGSM, previous start", "fgsm-previous", "fgsm", 86.02, 42.37, settings=_PREVIOUS),
    _wong("FGSM, alpha 16", "fgsm-alpha-16", "fgsm", 86.05, 0.00, settings=_ALPHA_16),
    _wong("FGSM, rerun", "fgsm-rerun-8", "fgsm", 79.30, 45.31, epochs=15, source=RERUN_BY_A_USER),
    _wong("FGSM, authors' rerun", "fgsm-rerun-17", "fgsm", 79.54, 44.90, epochs=15, source=RERUN_BY_THE_AUTHORS),
    _wong("Free m=8, rerun", "free-rerun-8", "free", 76.95, 45.98, epochs=10, settings=_FREE_8, source=RERUN_BY_A_USER),
    _wong("PGD-7, rerun", "pgd-7-rerun-8", "pgd", 76.64, 47.25, epochs=15, settings=_PGD_7, source=RERUN_BY_A_USER),
    Published(
        id="fgsm-weights", name="FGSM, released weights", dataset="cifar10", method="fgsm", eps=8 / 255,
        preset="wong2020", network="preact-resnet18", clean=83.34, autoattack=43.21, source=ROBUSTBENCH,
    ),
    _fastat("N-FGSM", "nfgsm", 78.59, 53.07, 47.77),
    _fastat("GradAlign", "gradalign", 79.39, 52.87, 47.99),
    _fastat("FGSM-UAP", "fgsm-uap", 80.61, 55.77, 49.44),
    _fastat("LIET", "liet", 80.68, 55.97, 49.99),
    _fastat("NuAT", "nuat", 80.98, 54.63, 50.10),
    _fastat("GAT", "gat", 85.10, 53.81, 49.15),
    _fastat("PGD-10 EMA", "pgd", 82.36, 54.17, 50.49, **{"method.steps": 10}),
    Published(
        id="fgsm-mnist", name="FGSM, random start", dataset="mnist", method="fgsm", eps=0.3, preset="wong2020-mnist",
        network="mnist-cnn", epochs=10, robust=88.77, source=WONG_MNIST,
    ),
    Published(
        id="fgsm-mnist-weights", name="FGSM, released weights", dataset="mnist", method="fgsm", eps=0.3,
        preset="wong2020-mnist", network="mnist-cnn", clean=98.50, autoattack=82.93, source=CROCE_HEIN,
    ),
    _imagenet("FGSM, eps 2", "fgsm-imagenet-2", "fgsm", 2, 60.90, robust=43.46),
    _imagenet("Free m=4, eps 2", "free-imagenet-2", "free", 2, 64.37, robust=43.31, settings=_FREE_4),
    _imagenet("FGSM, eps 4", "fgsm-imagenet-4", "fgsm", 4, 55.45, robust=30.28),
    _imagenet("FGSM eps 4, weights", "fgsm-imagenet-weights", "fgsm", 4, 55.62, autoattack=26.24, source=ROBUSTBENCH),
)  # fmt: skip
BY_ID = {published.id: published for published in PUBLISHED}
