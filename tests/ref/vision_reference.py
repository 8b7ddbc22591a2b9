#!/usr/bin/env python3
"""Vision models beside transformers' processor and model in f32, on photos of several ratios:

    vision_reference.py BENCH_VISION WORK_DIR KIND...      kinds of vision_models.py

Exports a small randomly initialised model of each kind and says with its exit status whether what
build/tests/bench_vision finds is within 1e-3 everywhere. Photos: the demo's, and of the shared tweets the widest,
the highest, the largest and some others, where they are at hand.
"""
import os
import subprocess
import sys

import numpy as np
from PIL import Image

import vision_models

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
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


def compare(bench, work, kind, paths):
    folder, out = os.path.join(work, kind), os.path.join(work, kind + ".out")
    model, processor = vision_models.make(kind, folder, "small")
    write(os.path.join(work, "pictures"), paths)
    write(os.path.join(work, "asked"), TEXTS)
    file = os.path.join(folder, "vision_model.onnx") if kind == "clip" else folder
    subprocess.run([bench, kind, file, os.path.join(work, "pictures"), "2", "f32", out, os.path.join(work, "asked")],
                   check=True, stdout=subprocess.DEVNULL, env={**os.environ, "GMNER_HOME": ROOT})
    got, at, worst = np.fromfile(out, "<f4"), 0, 0
    for path in paths:
        with Image.open(path) as im:
            want = vision_models.results(kind, model, processor, [im.convert("RGB")], TEXTS)[0].ravel()
            size = im.size
        apart = np.abs(got[at:at + len(want)] - want)
        print(f"{kind} {size[0]}x{size[1]}: {len(want)} numbers of {want.min():.3f} to {want.max():.3f}, "
              f"at most {apart.max():.1e} apart")
        at, worst = at + len(want), max(worst, apart.max())
    assert at == len(got), (at, len(got))
    assert worst < 1e-3, worst


def main():
    bench, work, *kinds = sys.argv[1:]
    os.makedirs(work, exist_ok=True)
    paths = photos()
    assert len(paths) >= 3, "no photos"
    for kind in kinds or vision_models.KINDS:
        compare(bench, work, kind, paths)


main()
