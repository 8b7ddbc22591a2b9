#!/usr/bin/env python3
"""Vision models beside transformers' processor and model in f32, on photos of several ratios:

    vision_reference.py BENCH_VISION GMNER WORK_DIR KIND...      kinds of vision_models.py

Exports a small randomly initialised model of each kind and says with its exit status whether what
build/tests/bench_vision finds is within 1e-3 everywhere, and, of a phrase detector, whether `gmner predict` gives
each phrase its best box. Photos: the demo's, and of the shared tweets the widest,
the highest, the largest and some others, where they are at hand.
"""
import json
import os
import subprocess
import sys

import numpy as np
from PIL import Image

import vision_models

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TWEETS = os.path.join(ROOT, "..", "shared", "data", "tweets-with-images", "images")
TEXTS = ["a man in a dark suit", "The logo of F.C. Barcelona", "women singing on a stage, photographed from below!",
         "people's faces", "dogs"]


def photos():
    paths = [os.path.join(ROOT, ".deps", "photos", n) for n in ("grace_hopper.jpg", "astronaut.png", "china.jpg")]
    if os.path.isdir(TWEETS):
        sizes = {}
        for name in sorted(os.listdir(TWEETS)):
            with Image.open(os.path.join(TWEETS, name)) as im:
                sizes[name] = im.size
        by_ratio = sorted(sizes, key=lambda n: sizes[n][0] / sizes[n][1])
        largest = max(sizes, key=lambda n: sizes[n][0] * sizes[n][1])
        smallest = min(sizes, key=lambda n: sizes[n][0] * sizes[n][1])
        paths += [os.path.join(TWEETS, n) for n in (by_ratio[0], by_ratio[-1], largest, smallest, *by_ratio[50:400:120])]
    return [os.path.abspath(p) for p in paths if os.path.exists(p)]


def write(path, lines):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(line + "\n" for line in lines)


def compare(bench, gmner, work, kind, paths):
    folder, out = os.path.join(work, kind), os.path.join(work, kind + ".out")
    model, processor = vision_models.make(kind, folder, "small")
    write(os.path.join(work, "pictures"), paths)
    write(os.path.join(work, "asked"), TEXTS)
    file = os.path.join(folder, "vision_model.onnx") if kind == "clip" else folder
    subprocess.run([bench, kind, file, os.path.join(work, "pictures"), "2", "f32", out, os.path.join(work, "asked")],
                   check=True, stdout=subprocess.DEVNULL, env={**os.environ, "GMNER_HOME": ROOT})
    got, at, worst, wanted = np.fromfile(out, "<f4"), 0, 0, []
    for path in paths:
        with Image.open(path) as im:
            want = vision_models.results(kind, model, processor, [im.convert("RGB")], TEXTS)[0].ravel()
            size = im.size
        apart = np.abs(got[at:at + len(want)] - want)
        print(f"{kind} {size[0]}x{size[1]}: {len(want)} numbers of {want.min():.3f} to {want.max():.3f}, "
              f"at most {apart.max():.1e} apart")
        at, worst = at + len(want), max(worst, apart.max())
        wanted.append((size, want))
    assert at == len(got), (at, len(got))
    assert worst < 1e-3, worst
    if kind != "clip":
        predict(gmner, work, kind, paths, wanted)


def predict(gmner, work, kind, paths, wanted):
    """Whole posts with an entity a phrase: its box is one whose logit is the largest but for rounding."""
    posts, recipe = os.path.join(work, "posts.jsonl"), os.path.join(work, "r.yaml")
    entities = [{"text": "x", "type": "OTHER", "start": 2 * i, "end": 2 * i + 1, "expression": t, "visible": 1}
                for i, t in enumerate(TEXTS)]
    for i, e in enumerate(entities):  # names that differ
        e["text"] = "abcdefgh"[i]
    text = " ".join(e["text"] for e in entities)
    write(posts, [json.dumps({"text": text, "image": p, "entities": entities}) for p in paths])
    write(recipe, ["name: r", "stages:", "  - stage: ground", "    backend: phrases",
                   f"    model: {os.path.join(work, kind)}/", "    precision: f32", "    score: 0", "    text: 0",
                   "    boxes: one"])
    done = subprocess.run([gmner, "predict", posts, "-r", recipe], check=True, capture_output=True, text=True)
    for (size, want), line in zip(wanted, done.stdout.splitlines(), strict=True):
        n = len(want) // (len(TEXTS) + 4)
        logits, boxes = want[:n * len(TEXTS)].reshape(n, -1), want[n * len(TEXTS):].reshape(n, 4)
        boxes = np.clip(boxes, 0, 1) * [*size, *size]
        real = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(1)
        for k, e in enumerate(json.loads(line)["entities"]):
            best = np.where(real, 1 / (1 + np.exp(-logits[:, k])), 0)
            (region,) = e["regions"]
            assert abs(region["score"] - best.max()) < 1e-3, (region, best.max())
            near = np.abs(boxes - region["box"]).max(1) < 0.001 * max(size) + 0.01
            assert (best[near] > best.max() - 1e-3).any(), (region, boxes[best.argmax()])
    print(f"{kind}: gmner predict gives {len(TEXTS)} phrases of {len(paths)} photos their best boxes")


def main():
    bench, gmner, work, *kinds = sys.argv[1:]
    work = os.path.abspath(work)
    os.makedirs(work, exist_ok=True)
    paths = photos()
    assert len(paths) >= 3, "no photos"
    for kind in kinds or vision_models.KINDS:
        compare(bench, gmner, work, kind, paths)


main()
