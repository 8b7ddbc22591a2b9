"""A recipe that is open: posts in, posts with entities out."""
from __future__ import annotations

import itertools
import logging
import os
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, overload

from . import _gmner
from ._errors import ClosedError
from ._inputs import Image, Item, Pair, pair_of
from ._post import Post

_log = logging.getLogger("gmner")
# gmner.h's log levels, from 1, as those of logging.
_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)

Path = Union[str, "os.PathLike[str]"]
#: What load takes, by the types that gmner.h wants; of texts those that are paths may be PathLike.
_TEXTS = ("recipe", "settings", "tagger", "precision", "home", "models", "llm_endpoint", "llm_model", "llm_key",
          "llm_key_file", "llm_server", "llm_cache")
_COUNTS = ("max_words", "threads", "sessions", "llm_in_flight")
_NUMBERS = ("post_seconds", "llm_price_in", "llm_price_out", "llm_budget", "llm_requests_per_min",
            "llm_tokens_per_min")


def _say(level: int, line: str) -> None:
    _log.log(_LEVELS[level - 1], "%s", line)


def _options(given: Mapping[str, Any]) -> Dict[str, Union[bytes, int, float]]:
    options: Dict[str, Union[bytes, int, float]] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in _TEXTS:
            if not isinstance(value, (str, os.PathLike)):
                raise TypeError(f"{name}: a {type(value).__name__}; a str is needed")
            options[name] = os.fsencode(value)
        elif name in _COUNTS:
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name}: a {type(value).__name__}; an int is needed")
            if value < 0:
                raise ValueError(f"{name} is {value}; it must be 0 or more")
            options[name] = value
        elif name in _NUMBERS:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name}: a {type(value).__name__}; a number is needed")
            options[name] = float(value)
        else:
            raise TypeError(f"load has no option {name!r}; it has: {', '.join(_TEXTS + _COUNTS + _NUMBERS)}")
    level = _log.getEffectiveLevel()
    options["log_level"] = max(1, sum(level <= of for of in _LEVELS))
    return options


def load(recipe: Path = "embedded", **options: Any) -> "Model":
    """Open a recipe: "embedded" (the default), "tag", "riveg", "refineg", or the path of a YAML file.

    Options, as those of `struct gmner_opts` in gmner.h:

    - threads: of a call; by default all cores. For many callers at once 1 is best.
    - sessions: how many calls will be made at once; by default cores / threads
    - tagger, precision ("auto", "f32", "bf16", "int8"), settings (a file), max_words, post_seconds
    - home (the folder with recipes, prompts and models), models (a folder that is looked at first)
    - llm_endpoint ("http://host:8000/v1", or a FILE.gguf), llm_model, llm_key, llm_key_file, llm_server, llm_cache,
      llm_in_flight, llm_price_in, llm_price_out, llm_budget, llm_requests_per_min, llm_tokens_per_min

    Files of models are read when the first post needs them. What the library has to say goes to the logger
    "gmner" at the level that it has now.

    Raises ArgumentError, FileError, FormatError, ModelError; TypeError for an option that is none.
    """
    return Model(recipe, **options)


class Model:
    """A recipe that is open. Any number of threads may use it at once; it works without the GIL.

    Close it with `close`, or use it in a `with` statement; else it goes with its last reference.
    """

    def __init__(self, recipe: Path = "embedded", **options: Any) -> None:
        #: The recipe's name, or its file.
        self.recipe = os.fspath(recipe) if isinstance(recipe, os.PathLike) else recipe
        self._opened = {"recipe": recipe, **options}
        self._model = _gmner.Model(_options(self._opened), _say)

    def __call__(self, text: Union[str, Mapping[str, Any], None] = None, image: Image = None, *,
                 tokens: Optional[Sequence[str]] = None, id: Optional[str] = None, caption: Optional[str] = None,
                 entities: Optional[Sequence[Mapping[str, Any]]] = None, errors: str = "raise") -> Post:
        """The entities of one post; many at once are faster by `pipe`.

        text may be a whole record (docs/record.md) instead. tokens are words, in place of a text that is cut
        into words here; entities ({"type", "start", "end"}) are for recipes that don't begin with tagging.

        A post that fails raises the exception of its error, which has as `post` what was found before;
        with errors="keep" the post is returned and has it as `error`.
        """
        _check_errors(errors)
        if isinstance(text, Mapping):
            record: Dict[str, Any] = dict(text)
        elif text is None or isinstance(text, str):
            record = {} if text is None else {"text": text}
        else:
            raise TypeError(f"text: a {type(text).__name__}; a str is needed")
        for name, value in (("tokens", tokens), ("image", image), ("id", id), ("caption", caption),
                            ("entities", entities)):
            if value is not None:
                record[name] = list(value) if name in ("tokens", "entities") else value
        post = self._predict([record], 1)[0]
        if errors == "raise":
            post.raise_error()
        return post

    @overload
    def pipe(self, items: Iterable[Item], *, batch_size: int = ..., errors: str = ...) -> Iterator[Post]: ...

    @overload
    def pipe(self, items: Iterable[Tuple[Item, Any]], *, as_tuples: bool, batch_size: int = ...,
             errors: str = ...) -> Iterator[Tuple[Post, Any]]: ...

    def pipe(self, items: Iterable[Any], *, batch_size: int = 64, as_tuples: bool = False,
             errors: str = "keep") -> Iterator[Any]:
        """The posts of an iterable, one by one in their order; never more than a batch is held.

        An item is a text, a pair (text, image) or a record as a dict. With as_tuples items are pairs of such an
        item and anything else, and pairs of post and that are given back. A post that fails has an `error`;
        with errors="raise" its exception ends the iteration.
        """
        _check_errors(errors)
        if isinstance(items, (str, bytes, Mapping)):
            raise TypeError(f"items: a {type(items).__name__}; an iterable of posts is needed")
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}; it must be an int of 1 or more")
        return self._pipe(iter(items), batch_size, as_tuples, errors)

    def _pipe(self, items: Iterator[Any], batch_size: int, as_tuples: bool, errors: str) -> Iterator[Any]:
        number = 1
        while batch := list(itertools.islice(items, batch_size)):
            if as_tuples and not all(isinstance(b, tuple) and len(b) == 2 for b in batch):
                raise TypeError("as_tuples: each item must be a pair of a post and its context")
            posts = self._predict([b[0] for b in batch] if as_tuples else batch, number)
            number += len(batch)
            for post, item in zip(posts, batch):
                if errors == "raise":
                    post.raise_error()
                yield (post, item[1]) if as_tuples else post

    def columns(self, batch: Mapping[str, Sequence[Any]]) -> Dict[str, List[Any]]:
        """A batch of columns (text, image, …) with a column more, `entities`, and `error` where there is one:
        for `datasets.Dataset.map(nlp.columns, batched=True)` and whatever else works on columns."""
        names = [name for name in batch if name not in ("entities", "error")]
        rows = [dict(zip(names, values)) for values in zip(*(batch[name] for name in names))]
        posts = self._predict(rows, 1)
        return {**{name: list(batch[name]) for name in names},
                "entities": [[e.to_dict() for e in post.ents] for post in posts],
                "error": [str(post.error) if post.error else None for post in posts]}

    def _predict(self, items: Sequence[Any], first: int) -> List[Post]:
        pairs: List[Pair] = [pair_of(item, first + i) for i, item in enumerate(items)]
        return [Post(text, content) for text, (_, content) in zip(self._model.predict(pairs), pairs)]

    def cancel(self) -> None:
        """End the calls that are under way in other threads: they raise CancelledError."""
        self._model.cancel()

    def usage(self) -> Dict[str, float]:
        """What the language model has cost so far, with calls that are under way: requests, tokens, money by the
        prices of load."""
        return self._model.usage()

    def close(self) -> None:
        """Give up all that the model holds; what is asked of it then raises ClosedError. Calls that are under
        way end well."""
        self._model.close()

    def __enter__(self) -> "Model":
        if self._model.is_closed():
            raise ClosedError("the model is closed")
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        """Pickled as what it was opened with, so that other processes open their own."""
        return _reopen, (self._opened,)

    def __repr__(self) -> str:
        return f"<gmner.Model {self.recipe!r}{', closed' if self._model.is_closed() else ''}>"


def _reopen(options: Dict[str, Any]) -> Model:
    return Model(**options)


def _check_errors(errors: str) -> None:
    if errors not in ("raise", "keep"):
        raise ValueError(f'errors is {errors!r}; it must be "raise" or "keep"')
