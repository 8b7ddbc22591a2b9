#!/usr/bin/env python3
"""A vision model in PyTorch as one writes it: the processor of transformers on PIL's pictures, the model in
inference mode on a batch of them.

    peer_vision.py KIND FOLDER PICTURES THREADS f32|bf16 BATCH OUT ASKED

The first batch is looked at once before the clock starts. One JSON line as bench_vision's; OUT gets f32 as its.
"""
import json
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "ref"))
import torch
from PIL import Image

import vision_models


def main():
    kind, folder, pictures, threads, precision, batch, out, asked = sys.argv[1:9]
    torch.set_num_threads(int(threads))
    model, processor = vision_models.build(kind, folder, "full")
    with open(pictures, encoding="utf-8") as f:
        paths = f.read().split("\n")[:-1]
    with open(asked, encoding="utf-8") as f:
        texts = f.read().split("\n")[:-1]

    @torch.inference_mode()
    def look(some):
        images = [Image.open(p).convert("RGB") for p in some]
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return vision_models.results(kind, model, processor, images, texts)

    parts = [paths[i:i + int(batch)] for i in range(0, len(paths), int(batch))]
    look(parts[0])
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = [r for p in parts for r in look(p)]
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    with open(out, "wb") as f:
        for r in found:
            f.write(r.astype("<f4").tobytes())
    print(json.dumps({"wall_s": wall, "pictures": len(paths), "cpu_s": after.ru_utime + after.ru_stime
                      - before.ru_utime - before.ru_stime}))


if __name__ == "__main__":
    main()
