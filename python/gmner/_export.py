"""Posts as what other libraries work on; each is imported when it is asked for."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterable, List

import numpy as np

if TYPE_CHECKING:
    from ._post import Post


def to_spacy(post: "Post", nlp: Any = None) -> Any:
    """See Post.to_spacy. An entity that ends within a word of spaCy's takes the whole word."""
    import spacy
    doc = (nlp or spacy.blank("xx")).make_doc(post.text)
    spans = [doc.char_span(e.start, e.end, label=e.type, alignment_mode="expand") for e in post.ents]
    doc.ents = spacy.util.filter_spans([s for s in spans if s is not None])
    return doc


def to_displacy(post: "Post") -> Dict[str, Any]:
    """See Post.to_displacy."""
    ents = [{"start": e.start, "end": e.end, "label": e.type} for e in post.ents]
    return {"text": post.text, "ents": ents, "title": None}


def to_supervision(post: "Post") -> Any:
    """See Post.to_supervision. A class is a type of entity, numbered in the order of their names."""
    import supervision
    found = [(e, i) for e in post.ents for i in range(len(e.regions))]
    if not found:
        return supervision.Detections.empty()
    types = sorted({e.type for e, _ in found})
    masks = [e.masks[i] for e, i in found]
    shape = next((m.shape for m in masks if m is not None), None)
    return supervision.Detections(
        xyxy=np.array([e.boxes[i] for e, i in found]),
        mask=None if shape is None else np.array([np.zeros(shape, bool) if m is None else m for m in masks]),
        confidence=np.array([e.box_scores[i] for e, i in found]),
        class_id=np.array([types.index(e.type) for e, _ in found]),
        data={"class_name": np.array([e.type for e, _ in found]), "entity": np.array([e.text for e, _ in found])})


def to_rows(posts: Iterable["Post"]) -> List[Dict[str, Any]]:
    """A dict for each entity, all with the same keys: for datasets.Dataset.from_list and the like."""
    return [{"id": post.id, "text": post.text, "image": post.image, "entity": e.text, "type": e.type,
             "fine_type": e.fine_type, "start": e.start, "end": e.end, "score": e.score, "visible": e.visible,
             "boxes": e.boxes.tolist()} for post in posts for e in post.ents]


def to_frame(posts: Iterable["Post"]) -> Any:
    """A pandas DataFrame with a row for each entity."""
    import pandas
    columns = ["id", "text", "image", "entity", "type", "fine_type", "start", "end", "score", "visible", "boxes"]
    return pandas.DataFrame(to_rows(posts), columns=columns)
