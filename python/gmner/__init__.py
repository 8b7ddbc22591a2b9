"""gmner: the named entities of social-media posts, where each is in the post's image, and which pixels it covers.

    >>> import gmner
    >>> nlp = gmner.load("embedded")
    >>> post = nlp("Grace Hopper at the Navy Yard", image="grace.jpg")
    >>> [(e.text, e.type, e.boxes) for e in post.ents]

`load` opens a recipe, `Model` predicts, `Post` and `Entity` are what it finds; `models` fetches and adds
models, `train` and `evaluate` are the program's commands, `f1_score` and `classification_report` score tags.
docs/python.md is a guide.
"""
from __future__ import annotations

from . import models
from ._errors import (ArgumentError, BusyError, CancelledError, ClosedError, FileError, FormatError, GmnerError,
                      ModelError, NetworkError, OutOfMemoryError, ShapeError, TooSlowError)
from ._export import to_frame, to_rows
from ._gmner import version as __version__
from ._model import Model, load
from ._post import Entity, Post
from ._program import evaluate, train
from .metrics import accuracy_score, classification_report, f1_score, precision_score, recall_score

__all__ = [
    "ArgumentError", "BusyError", "CancelledError", "ClosedError", "Entity", "FileError", "FormatError",
    "GmnerError", "Model", "ModelError", "NetworkError", "OutOfMemoryError", "Post", "ShapeError", "TooSlowError",
    "accuracy_score", "classification_report", "evaluate", "f1_score", "load", "models", "precision_score",
    "recall_score", "to_frame", "to_rows", "train", "__version__",
]
