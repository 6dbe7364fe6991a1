"""Results of `fastadv eval RUN` to write into runs."""

import msgspec

from engine.protocol.evaluations import EvaluationRecord


def evaluation(**fields: object) -> EvaluationRecord:
    given = {
        "time": "2026-11-26T14:30:05+01:00",
        "checkpoint": "last",
        "step": 100,
        "weights": "0123456789abcdef",
        "dataset": "cifar10",
        "data": "abc",
        "attack": "pgd-20",
        "eps": 8 / 255,
        "step_size": 2 / 255,
        "seed": 0,
        "images": 1000,
        "clean": 0.6,
        "robust": 0.31,
    }
    return msgspec.convert(given | fields, EvaluationRecord)
