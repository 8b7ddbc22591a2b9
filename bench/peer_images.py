#!/usr/bin/env python3
"""Object detection as one writes it in Python: OpenVINO runs the same NanoDet file, PIL reads the
pictures. One JSON line: pictures a second without the time to start, and how many objects.

  --mode plain   one picture after the other: PIL decodes and resizes, numpy normalises, the model
                 runs on all threads, numpy decodes its outputs
  --mode tuned   the same as fast as the API allows: JPEGs decoded at reduced scale where they are
                 large, normalising and layout compiled into the model, a queue of asynchronous
                 requests with OpenVINO's throughput hint, so that decoding and inference overlap

The precision is what OpenVINO chooses for the CPU (bf16 where it has that) unless --precision f32.
"""
import argparse
import json
import os
import time

import numpy as np
import openvino as ov
from openvino.preprocess import PrePostProcessor
from PIL import Image

SIDE, STRIDES, BINS = 416, (8, 16, 32), 11
MEAN = np.array([103.53, 116.28, 123.675], np.float32)  # blue, green, red
DEVIATION = np.array([57.375, 57.12, 58.395], np.float32)
SCORE_MIN, IOU_MAX = 0.35, 0.5


def cell_centres():
    centres = []
    for stride in STRIDES:
        n = SIDE // stride
        y, x = np.divmod(np.arange(n * n), n)
        centres.append((np.stack([x, y], 1) + 0.5) * stride)
    return np.concatenate(centres).astype(np.float32)


CENTRES = cell_centres()
STRIDE_OF = np.repeat(STRIDES, [(SIDE // s) ** 2 for s in STRIDES]).astype(np.float32)


def suppress(boxes, scores, classes):
    """Indices that stay, best first: greedy suppression within a class, one row of IoUs a time."""
    order, kept = np.argsort(-scores, kind="stable"), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while order.size:
        i, rest = order[0], order[1:]
        kept.append(i)
        low = np.maximum(boxes[rest, :2], boxes[i, :2])
        high = np.minimum(boxes[rest, 2:], boxes[i, 2:])
        both = np.prod(np.maximum(high - low, 0), 1)
        over = both > IOU_MAX * (area[rest] + area[i] - both)
        order = rest[~(over & (classes[rest] == classes[i]))]
    return kept


def objects_of(outputs, size):
    """[(class, score, box)] of one picture from the model's six outputs."""
    cls = np.concatenate([o[0] for o in outputs[:3]])
    classes, scores = cls.argmax(1), cls.max(1)
    cells = np.nonzero(scores >= SCORE_MIN)[0]
    dis = np.concatenate([o[0] for o in outputs[3:]])[cells].reshape(-1, 4, BINS)
    e = np.exp(dis - dis.max(2, keepdims=True))
    side = (e @ np.arange(BINS, dtype=np.float32)) / e.sum(2) * STRIDE_OF[cells, None]
    boxes = np.concatenate([CENTRES[cells] - side[:, :2], CENTRES[cells] + side[:, 2:]], 1)
    boxes = np.clip(boxes / SIDE, 0, 1) * np.tile(np.float32(size), 2)
    classes, scores = classes[cells], scores[cells]
    return [(int(classes[i]), float(scores[i]), boxes[i].tolist())
            for i in suppress(boxes, scores, classes)]


def config(args):
    hint = "THROUGHPUT" if args.mode == "tuned" else "LATENCY"
    options = {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": hint}
    if args.precision == "f32":
        options["INFERENCE_PRECISION_HINT"] = "f32"
    return options


def plain(args, paths):
    model = ov.Core().compile_model(args.model, "CPU", config(args))

    def look(path):
        with Image.open(path) as f:
            size, small = f.size, f.convert("RGB").resize((SIDE, SIDE), Image.BILINEAR)
        x = (np.asarray(small, np.float32)[:, :, ::-1] - MEAN) / DEVIATION
        r = model(np.ascontiguousarray(x.transpose(2, 0, 1)[None]))
        return objects_of([r[i] for i in range(6)], size)

    look(paths[0])
    start = time.perf_counter()
    found = [look(p) for p in paths]
    return found, time.perf_counter() - start


def tuned(args, paths):
    core = ov.Core()
    pre = PrePostProcessor(core.read_model(args.model))
    pre.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    pre.input().tensor().set_color_format(ov.preprocess.ColorFormat.RGB)
    pre.input().preprocess().convert_element_type(ov.Type.f32).convert_color(
        ov.preprocess.ColorFormat.BGR).mean(MEAN.tolist()).scale(DEVIATION.tolist())
    pre.input().model().set_layout(ov.Layout("NCHW"))
    model = core.compile_model(pre.build(), "CPU", config(args))
    queue, found = ov.AsyncInferQueue(model), {}

    def done(request, at):
        found[at[0]] = objects_of([t.data for t in request.output_tensors], at[1])

    def start_one(path, at):
        with Image.open(path) as f:
            size = f.size
            f.draft("RGB", (SIDE, SIDE))
            small = f.convert("RGB").resize((SIDE, SIDE), Image.BILINEAR)
        queue.start_async(np.asarray(small)[None], (at, size))

    queue.set_callback(done)
    for i in range(len(queue)):
        start_one(paths[0], i)
    queue.wait_all()
    found.clear()
    start = time.perf_counter()
    for i, path in enumerate(paths):
        start_one(path, i)
    queue.wait_all()
    return [found[i] for i in range(len(paths))], time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="nanodet.onnx")
    parser.add_argument("--posts", required=True, help="JSON Lines with images")
    parser.add_argument("--mode", choices=["plain", "tuned"], default="plain")
    parser.add_argument("--precision", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--objects", help="write the objects of each picture here")
    args = parser.parse_args()
    folder = os.path.dirname(args.posts)
    with open(args.posts, encoding="utf-8") as f:
        paths = [os.path.join(folder, json.loads(line)["image"]) for line in f]
    found, seconds = (tuned if args.mode == "tuned" else plain)(args, paths)
    if args.objects:
        with open(args.objects, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(objects) + "\n" for objects in found)
    print(json.dumps({"images_per_s": len(paths) / seconds, "images": len(paths),
                      "objects": sum(map(len, found))}))


if __name__ == "__main__":
    main()
