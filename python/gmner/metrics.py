"""Scores of tags, with seqeval's functions and numbers: its default mode, which is conlleval's.

An entity is right when its type and both its ends are. Tags are lists of BIO or BIOES tags, one list a post.
tests compare every number with seqeval 1.2.2 itself.
"""
from __future__ import annotations

import collections
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Union

Tags = Sequence[Sequence[str]]
Chunk = Tuple[str, int, int]
#: precision, recall, f1, number of gold entities
Scores = Tuple[float, float, float, int]


def _split(tag: str) -> Tuple[str, str]:
    """"B-PER" as ("B", "PER"); a tag without a type is of type "_"."""
    kind, rest = tag[:1], tag[1:].split("-", 1)[-1]
    return kind, rest or "_"


def _ends(kind: str, type_: str, next_kind: str, next_type: str) -> bool:
    if kind in "ES":
        return True
    return kind in "BI" and kind != "" and (next_kind in "BSO" or next_type != type_)


def _begins(kind: str, type_: str, next_kind: str, next_type: str) -> bool:
    if next_kind in "BS":
        return True
    return next_kind in "EI" and next_kind != "" and (kind in "ESO" or next_type != type_)


def get_entities(tags: Tags) -> List[Chunk]:
    """(type, first, last) of each entity, in words of all posts end to end with one word between two posts."""
    flat = [tag for post in tags for tag in [*post, "O"]]
    found: List[Chunk] = []
    kind, type_, first = "O", "", 0
    for i, tag in enumerate([*flat, "O"]):
        next_kind, next_type = _split(tag)
        if _ends(kind, type_, next_kind, next_type):
            found.append((type_, first, i - 1))
        if _begins(kind, type_, next_kind, next_type):
            first = i
        kind, type_ = next_kind, next_type
    return found


def _check(y_true: Tags, y_pred: Tags) -> None:
    for name, tags in (("y_true", y_true), ("y_pred", y_pred)):
        if isinstance(tags, str) or any(isinstance(post, str) for post in tags):
            raise TypeError(f"{name}: lists of lists of tags are needed")
    if len(y_true) != len(y_pred):
        raise ValueError(f"y_true has {len(y_true)} posts, y_pred {len(y_pred)}")
    for i, (gold, pred) in enumerate(zip(y_true, y_pred)):
        if len(gold) != len(pred):
            raise ValueError(f"post {i}: {len(gold)} gold tags and {len(pred)} predicted ones")


def _by_type(chunks: List[Chunk]) -> Dict[str, Set[Tuple[int, int]]]:
    sets: Dict[str, Set[Tuple[int, int]]] = collections.defaultdict(set)
    for type_, first, last in chunks:
        sets[type_].add((first, last))
    return sets


def _ratio(right: float, all_: float, zero: float) -> float:
    return right / all_ if all_ else zero


def _scores(right: int, n_pred: int, n_gold: int, zero: float) -> Scores:
    precision, recall = _ratio(right, n_pred, zero), _ratio(right, n_gold, zero)
    return precision, recall, _ratio(2 * precision * recall, precision + recall, 0.0), n_gold


def _count(y_true: Tags, y_pred: Tags) -> Dict[str, Tuple[int, int, int]]:
    """Of each type: right, predicted, gold."""
    _check(y_true, y_pred)
    gold, pred = _by_type(get_entities(y_true)), _by_type(get_entities(y_pred))
    return {t: (len(gold[t] & pred[t]), len(pred[t]), len(gold[t])) for t in sorted({*gold, *pred})}


def _averages(counts: Dict[str, Tuple[int, int, int]], zero: float) -> Dict[str, Scores]:
    each = [_scores(*c, zero) for c in counts.values()]
    n_gold = sum(s[3] for s in each)
    sums = [sum(c[i] for c in counts.values()) for i in range(3)]

    def mean(weights: List[float]) -> Scores:
        total = sum(weights)
        p, r, f = (sum(w * s[k] for w, s in zip(weights, each)) / total if total else 0.0 for k in range(3))
        return p, r, f, n_gold

    return {"micro avg": _scores(sums[0], sums[1], sums[2], zero), "macro avg": mean([1.0] * len(each)),
            "weighted avg": mean([float(s[3]) for s in each])}


def _one(y_true: Tags, y_pred: Tags, average: Optional[str], zero: float, k: int) -> Any:
    counts = _count(y_true, y_pred)
    if average is None:
        return [_scores(*c, zero)[k] for c in counts.values()]
    if average not in ("micro", "macro", "weighted"):
        raise ValueError(f'average is {average!r}; it must be "micro", "macro", "weighted" or None')
    return _averages(counts, zero)[average + " avg"][k]


def precision_score(y_true: Tags, y_pred: Tags, *, average: Optional[str] = "micro",
                    zero_division: float = 0) -> Union[float, List[float]]:
    """How many of the predicted entities are right. average None: of each type, in the order of their names."""
    return _one(y_true, y_pred, average, zero_division, 0)  # type: ignore[no-any-return]


def recall_score(y_true: Tags, y_pred: Tags, *, average: Optional[str] = "micro",
                 zero_division: float = 0) -> Union[float, List[float]]:
    """How many of the gold entities were predicted."""
    return _one(y_true, y_pred, average, zero_division, 1)  # type: ignore[no-any-return]


def f1_score(y_true: Tags, y_pred: Tags, *, average: Optional[str] = "micro",
             zero_division: float = 0) -> Union[float, List[float]]:
    """The harmonic mean of precision and recall.

    >>> f1_score([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "I-PER", "O", "O"]])
    0.6666666666666666
    """
    return _one(y_true, y_pred, average, zero_division, 2)  # type: ignore[no-any-return]


def accuracy_score(y_true: Tags, y_pred: Tags) -> float:
    """The share of tags that are the same."""
    _check(y_true, y_pred)
    pairs = [(g, p) for gold, pred in zip(y_true, y_pred) for g, p in zip(gold, pred)]
    return sum(g == p for g, p in pairs) / len(pairs) if pairs else 0.0


def classification_report(y_true: Tags, y_pred: Tags, *, digits: int = 2, output_dict: bool = False,
                          zero_division: float = 0) -> Union[str, Dict[str, Dict[str, float]]]:
    """Scores of each type and their averages, as a table or as a dict."""
    counts = _count(y_true, y_pred)
    rows = {**{t: _scores(*c, zero_division) for t, c in counts.items()}, **_averages(counts, zero_division)}
    heads = ("precision", "recall", "f1-score", "support")
    if output_dict:
        return {name: dict(zip(heads, row)) for name, row in rows.items()}
    width = max([len(name) for name in rows] + [digits])
    lines = [" " * width + " " + "".join(f" {h:>9}" for h in heads), ""]
    for name, (p, r, f, n) in rows.items():
        if name == "micro avg":
            lines.append("")
        lines.append(f"{name:>{width}} " + "".join(f" {x:>9.{digits}f}" for x in (p, r, f)) + f" {n:>9}")
    return "\n".join(lines) + "\n"
