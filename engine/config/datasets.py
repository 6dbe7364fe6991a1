"""The names of the data sets."""

DATASETS = ("digits", "cifar10", "cifar100", "mnist", "imagenet")
DATASET_ALIASES = {"cifar": "cifar10"}
FOLDER = "imagefolder:"  # and a path: any folder of images
