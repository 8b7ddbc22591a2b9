"""Makes tests/golden/polygons.json: polygons and what pycocotools 2.0.11 draws of them.
Run with a Python that has pycocotools==2.0.11; the seed is fixed."""
import json
import random
import sys

from pycocotools import mask as coco

rng = random.Random(5)
cases = []
for i in range(320):
    w, h = rng.randint(1, 24), rng.randint(1, 24)
    polygons = []
    for _ in range(rng.choice([1, 1, 2])):
        n = rng.randint(3, 9)
        step = rng.choice([1, 0.5, 0.01])
        pick = lambda side: round(rng.uniform(-3, side + 3) / step) * step
        polygons.append([round(pick(w if k % 2 == 0 else h), 4) for k in range(2 * n)])
    rle = coco.merge(coco.frPyObjects(polygons, h, w))
    cases.append({"w": w, "h": h, "polygons": polygons, "counts": rle["counts"].decode()})
with open(sys.argv[1], "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
