"""The program `gmner` that comes with the package, for what takes minutes or hours: training and evaluation.

These are its commands, run in a process of their own and not in this one: the code is the same, training has
the memory and OpenMP's threads to itself, gives the memory back, and ends with a checkpoint on Ctrl-C without
taking the caller's process along.
"""
from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Union

from . import _gmner
from ._errors import ArgumentError, FileError, GmnerError
from ._inputs import pair_of
from ._post import Post

_log = logging.getLogger("gmner")
Path = Union[str, "os.PathLike[str]"]
#: A file in any format that gmner reads, or posts: results of a Model, or records with their entities.
Posts = Union[Path, Iterable[Union[Post, Mapping[str, Any]]]]


def program() -> str:
    """The path of the program: the wheel's, or in a build folder the one beside."""
    package = os.path.dirname(os.path.realpath(_gmner.__file__ or ""))
    for path in (os.path.join(package, "bin", "gmner"), os.path.join(package, "..", "..", "gmner")):
        if os.path.isfile(path):
            return os.path.normpath(path)
    raise FileError(f"the program gmner is not in {package}; install the package anew")


def main() -> None:
    """The command `gmner` of an installed package."""
    os.execv(program(), ["gmner", *sys.argv[1:]])


def run(*words: str) -> str:
    """What the program writes to standard output. What it says goes to the logger "gmner"; a failure is raised."""
    parts: List[str] = []
    error = ""
    with subprocess.Popen([program(), *words, "--log-format", "json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", errors="replace") as child:
        assert child.stdout and child.stderr
        # Both streams are read as they come, so that neither fills up.
        reader = threading.Thread(target=parts.extend, args=(child.stdout,), daemon=True)
        reader.start()
        try:
            for line in child.stderr:
                error = _say(line.rstrip("\n")) or error
        finally:  # of Ctrl-C, too, which the program has got as well
            code = child.wait()
            reader.join()
    if code == 2:
        raise ArgumentError(error)
    if code not in (0, 3):
        raise GmnerError(error or f"the program ended with status {code}")
    return "".join(parts)


_FLAG = re.compile(r"(?:\boption )?(?<![^\s(`\"'])--([a-z][a-z0-9-]*)")


def _as_python(text: str) -> str:
    """A message of the program with its options as our callers give them: --batch-tokens as option batch_tokens."""
    text = text.replace("; --help lists the options", "").replace("`gmner models list`", "gmner.models.list()")
    return _FLAG.sub(lambda flag: "option " + flag[1].replace("-", "_"), text)


def _say(line: str) -> str:
    """Logs a line of the program; its text where it is an error."""
    try:
        said = json.loads(line)
        level, text = str(said["level"]), str(said["msg"])
    except (ValueError, KeyError, TypeError):  # before its options are read it writes plain lines
        text = line.removeprefix("gmner: error: ")
        level = "error" if text != line else "info"
    text = _as_python(text)
    _log.log(getattr(logging, level.upper(), logging.INFO), "%s", text)
    return text if level == "error" else ""


def _words(options: Mapping[str, Any]) -> List[str]:
    """batch_posts=8 as --batch-posts 8, overwrite=True as --overwrite."""
    words: List[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        words += [flag] if value is True else [flag, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
    return words


@contextlib.contextmanager
def _file_of(posts: Posts) -> Iterator[str]:
    """The file's path, or that of a temporary one with the posts."""
    if isinstance(posts, (str, os.PathLike)):
        yield os.fspath(posts)
        return
    with tempfile.TemporaryDirectory(prefix="gmner-") as folder:
        path = os.path.join(folder, "posts.jsonl")
        with open(path, "wb") as f:
            for number, post in enumerate(posts, 1):
                line = post.to_json().encode() if isinstance(post, Post) else pair_of(post, number)[0]
                f.write(line + b"\n")
        yield path


def train(train: Posts, output: Path, dev: Optional[Posts] = None, **options: Any) -> str:
    """Fit a tagger, or with task="entail" an entailment classifier; gives back `output`, the model's folder.

    Options are those of `gmner train` (docs/training.md): epochs=4, encoder="minilm", overwrite=True … Progress
    goes to the logger "gmner", one line an epoch at INFO. The model is used as load("tag", tagger=output).
    """
    with contextlib.ExitStack() as files:
        words = ["--train", files.enter_context(_file_of(train))]
        if dev is not None:
            words += ["--dev", files.enter_context(_file_of(dev))]
        run("train", *words, "--output", os.fspath(output), *_words(options))
    return os.fspath(output)


def evaluate(gold: Posts, pred: Posts, task: str = "mner", **options: Any) -> Dict[str, Any]:
    """Score predictions against gold as `gmner eval --json` does: a dict of docs/metrics.md's numbers.

    gold and pred are files, posts that a Model gave back, or records; paired by id. task: "mner", "span", "eeg",
    "gmner", "fmnerg", "smner", "entail", "ccks"; options are those of `gmner eval`: xml=…, iou=0.5, bootstrap=1000 …
    """
    with _file_of(gold) as gold_file, _file_of(pred) as pred_file:
        out = run("eval", "--task", task, "--gold", gold_file, "--pred", pred_file, "--json", *_words(options))
    result: Dict[str, Any] = json.loads(out)
    return result
