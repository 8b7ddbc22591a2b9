#!/usr/bin/env python3
"""What the reader of text must give, by RapidOCR (rapidocr 3.10.0 with OpenCV and pyclipper):

    text_reference.py maps > tests/golden/textmap.txt     boxes of made-up maps of probabilities
    text_reference.py photos GMNER FOLDER WORK_DIR        every picture of FOLDER, read by both

`photos` runs RapidOCR as it is (ONNX Runtime, f32) and `gmner predict` with the stage read set to the same
(side 736, no glance, every line's way up asked for, f32), and says with its exit status whether at least 98% of RapidOCR's lines are found
(their upright boxes overlap by half) and the text is equal in 97% of those. Needs the environment of
tools/reference_env.sh --ocr.
"""
import json
import os
import subprocess
import sys

import numpy as np

LEVELS = "abcdefghijklmnopqrstuvwxyz"  # a pixel of a map is one: 0 to 1 in steps of 1/25
FOUND_MIN, EQUAL_MIN = 0.98, 0.97
RECIPE = """name: exact
stages:
  - stage: read
    backend: ppocr
    side: 736
    pixels: 3000000
    glance: 0
    upright: 1
    precision: f32
"""


# -- maps -----------------------------------------------------------------------------------------

def soft_rectangle(h, w, cx, cy, length, height, angle, top):
    """Probabilities of a line of text: `top` inside, falling off over two pixels."""
    y, x = np.mgrid[0:h, 0:w]
    c, s = np.cos(angle), np.sin(angle)
    u, v = (x - cx) * c + (y - cy) * s, (y - cy) * c - (x - cx) * s
    outside = np.maximum(np.abs(u) - length / 2, np.abs(v) - height / 2)
    return top * np.clip(1 - outside / 2, 0, 1) * (outside < 2)


def made_up_map(rng, h, w):
    m = np.zeros((h, w))
    for top in range(0, h - 15, 16):  # a line in each cell; some touch
        for left in range(0, w - 31, 32):
            m = np.maximum(m, soft_rectangle(h, w, left + 16, top + 8, rng.uniform(6, 30), rng.uniform(2, 10),
                                             rng.choice([0, 0, rng.uniform(-1.5, 1.5)]), rng.uniform(0.45, 1)))
    if rng.random() < 0.5:  # a frame, whose hole has a contour of its own
        m[:30, :60] = 0.9
        m[2:28, 2:58] = rng.choice([0.1, 0.29])
    m[rng.integers(0, h, 6), rng.integers(0, w, 6)] = 0.9  # specks
    return m


def maps():
    from rapidocr.ch_ppocr_det.utils import DBPostProcess
    rng = np.random.default_rng(17)
    post = DBPostProcess(0.3, 0.5, 1000, 1.6, "fast", True)
    for h, w, ph, pw in ((64, 96, 64, 96), (64, 96, 100, 150), (96, 64, 960, 700), (32, 160, 33, 170), (64, 64, 20, 20),
                         (64, 96, 640, 200)):
        levels = np.rint(made_up_map(rng, h, w) * 25).astype(int)
        boxes, scores = post((levels.astype(np.float32) / np.float32(25))[None, None], (ph, pw))
        rows = sorted(zip(boxes.reshape(-1, 8).tolist() if len(boxes) else [], scores), key=lambda r: r[0])
        print("map", h, w, ph, pw, len(rows))
        for row in levels:
            print("".join(LEVELS[v] for v in row))
        for box, score in rows:
            print(*(int(v) for v in box), "%.4f" % score)


# -- photos ---------------------------------------------------------------------------------------

def upright(corners):
    x, y = zip(*corners)
    return [min(x), min(y), max(x), max(y)]


def overlap(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / area if area > 0 else 0


def by_rapidocr(paths):
    from rapidocr import RapidOCR
    ocr = RapidOCR(params={"Global.log_level": "critical"})
    for path in paths:
        r = ocr(path)
        yield [] if r.txts is None else [
            {"text": t, "score": float(s), "box": upright(b.tolist())} for t, s, b in zip(r.txts, r.scores, r.boxes)]


def by_gmner(gmner, paths, work):
    os.makedirs(work, exist_ok=True)
    recipe, posts = os.path.join(work, "exact.yaml"), os.path.join(work, "photos.jsonl")
    with open(recipe, "w", encoding="utf-8") as f:
        f.write(RECIPE)
    with open(posts, "w", encoding="utf-8") as f:
        for path in paths:
            f.write(json.dumps({"text": "", "image": os.path.abspath(path)}) + "\n")
    out = subprocess.run([gmner, "predict", "--recipe", recipe, posts], stdout=subprocess.PIPE, check=True)
    return [json.loads(line)["texts"] for line in out.stdout.decode().splitlines()]


def photos(gmner, folder, work):
    paths = [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
    lines = found = equal = more = 0
    for want, got in zip(by_rapidocr(paths), by_gmner(gmner, paths, work)):
        lines += len(want)
        left = list(got)
        for line in want:
            best = max(left, key=lambda g: overlap(g["box"], line["box"]), default=None)
            if best is not None and overlap(best["box"], line["box"]) >= 0.5:
                left.remove(best)
                found += 1
                equal += best["text"] == line["text"].strip()
        more += len(left)
    share, same = found / max(lines, 1), equal / max(found, 1)
    print("%d photos, %d lines of RapidOCR's: %.2f%% found, of these %.2f%% with the same text; %d lines more"
          % (len(paths), lines, 100 * share, 100 * same, more))
    return 0 if share >= FOUND_MIN and same >= EQUAL_MIN else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["maps"]:
        maps()
    elif len(sys.argv) == 5 and sys.argv[1] == "photos":
        sys.exit(photos(*sys.argv[2:]))
    else:
        sys.exit(__doc__)
