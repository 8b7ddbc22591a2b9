#!/usr/bin/env python3
"""Makes tests/golden/coco-ap.json and coco-masks.txt: what pycocotools says about generated boxes and
masks. Written with pycocotools 2.0.11 and numpy 2.4.6; run as coco_reference.py FOLDER.

coco-ap.json: [{"gold": [post], "pred": [post], "ap": [at IoU 0.50 ... 0.95]}], posts as records of
gmner. Boxes have few places and scores few values, so that ties are frequent; some types are in gold
or in the predictions only, some posts have over 100 predicted boxes.
coco-masks.txt: "height width counts counts iou" a line.
"""
import contextlib
import json
import os
import random
import sys

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

TYPES = ["PER", "LOC", "ORG"]
KEPT = 4  # of the 12 sets that were compared: golden files stay under 64 kB


def box(rng):
    x, y = rng.choice([0, 5, 10, 50]), rng.choice([0, 5, 40])
    return [x, y, x + rng.choice([0, 10, 20, 40, 100]), y + rng.choice([10, 20, 90])]


def post(rng, number, kind, most):
    n = rng.choice([0, 1, 2, 3, most])
    entities = []
    for i in range(n):
        e = {"start": 0, "end": 1, "type": rng.choice(TYPES[:2] if kind == "gold" else TYPES),
             "regions": []}
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            e["regions"].append({"box": box(rng), "score": rng.choice([0.2, 0.5, 0.9, rng.random()])})
        entities.append(e)
    return {"id": str(number), "text": "x", "entities": entities}


def boxes(posts):
    for p in posts:
        for e in p["entities"]:
            for r in e["regions"]:
                x0, y0, x1, y1 = r["box"]
                yield {"image_id": int(p["id"]), "category_id": TYPES.index(e["type"]) + 1,
                       "bbox": [x0, y0, x1 - x0, y1 - y0], "score": float(np.float32(r["score"]))}


def average_precision(gold, pred):
    data = {"images": [{"id": int(p["id"])} for p in gold],
            "categories": [{"id": i + 1, "name": t} for i, t in enumerate(TYPES)],
            "annotations": [{**b, "id": i + 1, "iscrowd": 0, "area": b["bbox"][2] * b["bbox"][3]}
                            for i, b in enumerate(boxes(gold))]}
    with contextlib.redirect_stdout(sys.stderr):
        coco = COCO()
        coco.dataset = data
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(list(boxes(pred))), "bbox")
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, 2]  # [iou, recall, type], all sizes, 100 boxes
    return [float(np.mean(p[p > -1])) if (p > -1).any() else -1.0 for p in precision]


def masks(rng):
    h, w = rng.randint(1, 40), rng.randint(1, 40)
    kind = rng.random()
    pair = []
    for _ in range(2):
        m = np.zeros((h, w), dtype=np.uint8)
        if kind < 0.6:
            y, x = rng.randrange(h), rng.randrange(w)
            m[y:y + rng.randint(0, h), x:x + rng.randint(0, w)] = 1
        else:
            m = (np.array([[rng.random() for _ in range(w)] for _ in range(h)]) < 0.5).astype(np.uint8)
        pair.append(coco_mask.encode(np.asfortranarray(m)))
    value = coco_mask.iou([pair[0]], [pair[1]], [0])[0][0]
    return f"{h} {w} {pair[0]['counts'].decode()} {pair[1]['counts'].decode()} {float(value)!r}"


def main(folder):
    rng = random.Random(20)
    cases = []
    for _ in range(12):
        most = rng.choice([5, 12, 130])
        gold = [post(rng, i, "gold", min(most, 12)) for i in range(12)]
        pred = [post(rng, i, "pred", most) for i in range(12)]
        cases.append({"gold": gold, "pred": pred, "ap": average_precision(gold, pred)})
    with open(os.path.join(folder, "coco-ap.json"), "w", encoding="utf-8") as f:
        f.write("[" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases[:KEPT]) + "]\n")
    with open(os.path.join(folder, "coco-masks.txt"), "w", encoding="utf-8") as f:
        for _ in range(300):
            f.write(masks(rng) + "\n")


main(sys.argv[1])
