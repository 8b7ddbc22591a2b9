#!/usr/bin/env python3
"""Predictions made of gold: Twitter-GMNER's posts with entities lost, retyped, moved, repeated and
boxes shaken. For the comparison of rules in docs/metrics.md, where no model's own predictions are
wanted. Use: noisy_predictions.py dev.txt XML_FOLDER SEED > pred.jsonl
"""
import json
import os
import random
import sys
import xml.etree.ElementTree as ElementTree


def gold_boxes(folder, name):
    boxes = {}
    path = os.path.join(folder, name + ".xml")
    if os.path.exists(path):
        for o in ElementTree.parse(path).getroot().findall("object"):
            b = o.find("bndbox")
            boxes.setdefault(o.find("name").text.strip(), []).append(
                [float(b.find(k).text) for k in ("xmin", "ymin", "xmax", "ymax")])
    return boxes


def entities(rows):
    found, at, last = [], 0, None
    for word, tag in rows:
        if tag.startswith("B-"):
            last = {"type": tag[2:], "start": at, "end": at + len(word)}
            found.append(last)
        elif tag.startswith("I-") and last:
            last["end"] = at + len(word)
        else:
            last = None
        at += len(word) + 1
    return found


def shaken(rng, box):
    x = [v + rng.gauss(0, 25) for v in box]
    return [min(x[0], x[2]), min(x[1], x[3]), max(x[0], x[2]), max(x[1], x[3])]


def predict(rng, e, boxes):
    """Zero, one or two predictions for a gold entity."""
    if rng.random() < 0.1:
        return []
    if rng.random() < 0.1:
        e["type"] = rng.choice(["PER", "LOC", "ORG", "OTHER"])
    if boxes and rng.random() < 0.85:
        box = rng.choice(boxes)
        e["regions"] = [{"box": shaken(rng, box), "score": round(rng.random(), 3)}]
        if rng.random() < 0.2:
            e["regions"].append({"box": box, "score": 0.5})
            rng.shuffle(e["regions"])
    e["visible"] = round(min(1, max(0, (0.7 if boxes else 0.3) + rng.gauss(0, 0.25))), 4)
    return [e, e] if rng.random() < 0.03 else [e]


def main(path, folder, seed):
    rng = random.Random(int(seed))
    with open(path, encoding="utf-8") as f:
        blocks = f.read().strip().split("\n\n")
    for block in blocks:
        first, *lines = block.split("\n")
        rows = [line.split("\t") for line in lines]
        text, boxes = " ".join(r[0] for r in rows), gold_boxes(folder, first[6:])
        out = []
        for e in entities(rows):
            out += predict(rng, e, boxes.get(text[e["start"]:e["end"]], []))
        print(json.dumps({"id": first[6:], "text": text, "entities": out}))


main(*sys.argv[1:])
