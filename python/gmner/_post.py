"""A post and its entities, read from the record that the library gives back (docs/record.md)."""
from __future__ import annotations

import functools
import html
import json
from typing import Any, Dict, List, Optional

import numpy as np

from . import _export, _gmner
from ._errors import GmnerError, error_of_code


def mask_of(mask: Dict[str, Any]) -> "np.ndarray[Any, Any]":
    """COCO's compressed run lengths as pixels, bool [height, width].

    The runs are of 0 and 1 in turn, down the columns. A run is written in digits of base 32, the lowest first,
    as characters from "0" on; bit 5 of a digit says that another follows, bit 4 of the last one the sign. From the
    fourth run on its difference to the one before last is written.
    """
    height, width = mask["size"]
    runs: List[int] = []
    value = shift = 0
    for c in mask["counts"].encode("ascii"):
        digit = c - 48
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            if digit & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


class Entity:
    """A name in a post's text, and where it is in the picture. All of it is copied: it outlives the model."""

    def __init__(self, record: Dict[str, Any]) -> None:
        self._record = record
        self._regions: List[Dict[str, Any]] = record.get("regions") or []

    @property
    def text(self) -> str:
        """What stands at start..end."""
        return self._record["text"]

    @property
    def type(self) -> str:
        """PER, LOC, ORG, OTHER …"""
        return self._record["type"]

    @property
    def fine_type(self) -> str:
        """A type of a finer level, such as "actor"; "" where there is none."""
        return self._record.get("fine_type") or ""

    @property
    def start(self) -> int:
        """Index of its first character in the post's text."""
        return self._record["start"]

    @property
    def end(self) -> int:
        """Index behind its last character."""
        return self._record["end"]

    @property
    def score(self) -> float:
        """The calibrated probability, 0 to 1, that there is this entity."""
        return self._record["score"]

    @property
    def visible(self) -> Optional[float]:
        """The probability that it is in the picture; None where that was not judged."""
        return self._record.get("visible")

    @property
    def source(self) -> str:
        """The stage that found it."""
        return self._record.get("source") or ""

    @property
    def expression(self) -> str:
        """What it was looked for as, such as "a person"."""
        return self._record.get("expression") or ""

    @property
    def note(self) -> str:
        """Why it has no box: "no_box:no_person"."""
        return self._record.get("note") or ""

    @property
    def regions(self) -> List[Dict[str, Any]]:
        """Its places in the picture as they stand in the record."""
        return self._regions

    @functools.cached_property
    def boxes(self) -> "np.ndarray[Any, Any]":
        """float64 [n, 4]: xmin, ymin, xmax, ymax in pixels of the upright picture, half-open."""
        return np.array([r["box"] for r in self._regions], np.float64).reshape(-1, 4)

    @functools.cached_property
    def box_scores(self) -> "np.ndarray[Any, Any]":
        """float64 [n], 0 to 1."""
        return np.array([1.0 if r.get("score") is None else r["score"] for r in self._regions], np.float64)

    @property
    def labels(self) -> List[str]:
        """[n]: what the detector saw in each box; "" = nothing."""
        return [r.get("label") or "" for r in self._regions]

    @functools.cached_property
    def masks(self) -> "List[Optional[np.ndarray[Any, Any]]]":
        """[n]: for each box bool [height, width] of the whole picture, or None; decoded when first asked for."""
        return [mask_of(r["mask"]) if r.get("mask") else None for r in self._regions]

    def to_dict(self) -> Dict[str, Any]:
        """Its part of the record; a copy."""
        return json.loads(json.dumps(self._record))

    def __repr__(self) -> str:
        boxes = f", {len(self._regions)} box{'' if len(self._regions) == 1 else 'es'}" if self._regions else ""
        return f"<Entity {self.text!r} {self.type} {self.score:.2f}{boxes}>"


class Post:
    """A post with what was found in it. It is independent of the model."""

    def __init__(self, record: str, image: Optional[bytes] = None) -> None:
        """record: a line of the program's output; image: the picture's file, where the record has no path of it."""
        self._json = record
        self._image = image

    @functools.cached_property
    def _record(self) -> Dict[str, Any]:
        return json.loads(self._json)

    @property
    def id(self) -> str:
        """Its own, or its number within the call."""
        given = self._record.get("id")
        return "" if given is None else str(given)

    @functools.cached_property
    def text(self) -> str:
        """The text that start and end of entities count in."""
        record = self._record
        return record["text"] if isinstance(record.get("text"), str) else " ".join(record.get("tokens") or [])

    @property
    def image(self) -> Optional[str]:
        """The picture's path; "bytes" of one that was given otherwise; None where there is none."""
        return self._record.get("image")

    @property
    def caption(self) -> str:
        """What the picture shows."""
        return self._record.get("caption") or ""

    @functools.cached_property
    def ents(self) -> List[Entity]:
        """The entities, in the order of the text."""
        return [Entity(e) for e in self._record.get("entities") or []]

    @property
    def objects(self) -> List[Dict[str, Any]]:
        """What the detector saw: label, score, box."""
        return self._record.get("objects") or []

    @property
    def texts(self) -> List[Dict[str, Any]]:
        """The lines of text that were read in the picture: text, score, box."""
        return self._record.get("texts") or []

    @property
    def error(self) -> Optional[GmnerError]:
        """Why the post failed, and in which stage; None where it did not."""
        e = self._record.get("error")
        if not e:
            return None
        error = error_of_code(e.get("code", ""), e.get("message", ""))
        error.stage, error.post = e.get("stage", ""), self
        return error

    def raise_error(self) -> None:
        """Raise `error`, where there is one."""
        if error := self.error:
            raise error

    def to_json(self) -> str:
        """The record exactly as `gmner predict` writes it, without a line end."""
        return self._json

    def to_dict(self) -> Dict[str, Any]:
        """The record of docs/record.md; a new one each time. json.dumps(…, ensure_ascii=False) gives to_json."""
        return json.loads(self._json)

    @classmethod
    def from_json(cls, record: str, image: Optional[bytes] = None) -> "Post":
        """A post of a line that `gmner predict` wrote."""
        if not isinstance(record, str):
            raise TypeError(f"record: a {type(record).__name__}; a str is needed")
        post = cls(record, image)
        if not isinstance(post._record, dict):
            raise ValueError("a record must be a JSON object")
        return post

    def to_html(self) -> str:
        """A page of its own: the picture with boxes and masks, the text with the entities marked, a table."""
        return _gmner.html(self._json.encode("utf-8", "surrogatepass"), self._image)

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame, so that neither's styles reach the other."""
        height = 720 if self.image else 190 + 56 * len(self.ents)
        return (f'<iframe srcdoc="{html.escape(self.to_html())}" sandbox="allow-scripts" '
                f'style="border:0;width:100%;height:{height}px"></iframe>')

    def to_spacy(self, nlp: Any = None) -> Any:
        """A spaCy Doc with the entities; nlp cuts the words (default: spacy.blank("xx"))."""
        return _export.to_spacy(self, nlp)

    def to_displacy(self) -> Dict[str, Any]:
        """For spacy.displacy.render(…, style="ent", manual=True); needs no spaCy to be made."""
        return _export.to_displacy(self)

    def to_supervision(self) -> Any:
        """supervision.Detections: every box of every entity, with masks where there are any."""
        return _export.to_supervision(self)

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 40 else self.text[:39] + "…"
        return f"<Post {self.id} {text!r}: {len(self.ents)} entities>"
