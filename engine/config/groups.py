"""The groups of settings, in the order in which forms show them."""

from enum import StrEnum


class Group(StrEnum):
    DATA = "Data"
    ATTACK = "Attack"
    TRAINING = "Training"
    NETWORK = "Network"
    OPTIMIZER = "Optimizer"
    EVALUATION = "Evaluation"
    DEVICE = "Device"
    SAVING = "Saving"
