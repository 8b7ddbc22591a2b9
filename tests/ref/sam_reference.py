#!/usr/bin/env python3
"""What SAM must answer, by transformers' processor and model (sam_models.py) on photos:

    sam_reference.py TEST_SAM_LIVE GMNER PHOTO_DIR WORK_DIR [--n 4]

Random models exported in every layout. Says with its exit status whether, for every photo and box, the
logits of the best mask are within 1e-3, the predicted IoU within 1e-4 and the mask's IoU at least 0.999, and whether
`gmner predict` gives these masks. Needs the environment of tools/reference_env.sh.
"""
import argparse
import json
import os
import subprocess
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.simplefilter("ignore")

import numpy as np
import torch
from PIL import Image
from transformers import SamImageProcessorPil, SamProcessor
from transformers.utils import logging

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, os.pardir, "e2e"))
import sam_models
from rle import runs

logging.set_verbosity_error()
logging.disable_progress_bar()
SIDE = 256


def photos(folder, n):
    """[(name, picture)] of the n most different ratios, among the first hundred."""
    found = []
    for name in sorted(os.listdir(folder))[:100]:
        try:
            found.append((name, Image.open(os.path.join(folder, name)).convert("RGB")))
        except OSError:
            pass
    found.sort(key=lambda p: p[1].width / p[1].height)
    return [found[i * (len(found) - 1) // max(1, n - 1)] for i in range(n)]


def boxes_of(image):
    w, h = image.size
    return [[0.1 * w, 0.15 * h, 0.55 * w, 0.8 * h], [0.4 * w, 0.3 * h, 0.98 * w, 0.7 * h], [3, 2, w / 3 + 0.25, h - 1.5]]


def write_models(model, large, folder):
    """{label: (encoder, decoder)}; samexporter's encoder doesn't tell its side, which is 1024."""
    path = {n: os.path.join(folder, n + ".onnx") for n in (
        "vision_encoder", "prompt_encoder_mask_decoder", "both_decoder", "points_decoder", "sam.encoder", "sam.decoder",
        "masks_decoder", "rows_encoder", "large_decoder", "efficient_encoder", "efficient_decoder")}
    model.save_pretrained(os.path.join(folder, "saved"))  # as a user exports it
    subprocess.run([sys.executable, os.path.join(HERE, os.pardir, os.pardir, "tools", "export_sam.py"),
                    os.path.join(folder, "saved"), folder], check=True)
    sam_models.write_decoder(model, path["both_decoder"], True, True)
    sam_models.write_decoder(model, path["points_decoder"], True, False)
    sam_models.write_encoder(model, path["sam.encoder"], "images", False)
    sam_models.write_meta_decoder(model, path["sam.decoder"])
    sam_models.write_meta_decoder(model, path["masks_decoder"], small=False)
    sam_models.write_rows_encoder(large, path["rows_encoder"])
    sam_models.write_meta_decoder(large, path["large_decoder"])
    sam_models.write_efficient(model, path["efficient_encoder"], path["efficient_decoder"])
    return {"transformers, boxes": (path["vision_encoder"], path["prompt_encoder_mask_decoder"]),
            "transformers, boxes and points": (path["vision_encoder"], path["both_decoder"]),
            "transformers, points": (path["vision_encoder"], path["points_decoder"]),
            "Meta's": (path["sam.encoder"], path["sam.decoder"]),
            "Meta's, whole masks alone": (path["sam.encoder"], path["masks_decoder"]),
            "samexporter's rows": (path["rows_encoder"], path["large_decoder"]),
            "EfficientSAM": (path["efficient_encoder"], path["efficient_decoder"])}


class Reference:
    """(iou, map, mask) of each box by processor and model, best by predicted IoU."""

    def __init__(self, model):
        side = model.config.vision_config.image_size
        self.model = model
        self.processor = SamProcessor(SamImageProcessorPil(
            size={"longest_edge": side}, pad_size={"height": side, "width": side}))

    def boxes(self, image, boxes, middles=False):
        points = {"input_points": [[[[(b[0] + b[2]) / 2, (b[1] + b[3]) / 2]] for b in boxes]],
                  "input_labels": [[[1] for _ in boxes]]}
        prompt = points if middles else {"input_boxes": [boxes]}
        inputs = self.processor(image, return_tensors="pt", **prompt)
        sizes = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
        inputs = {k: v.float() if v.dtype == torch.float64 else v for k, v in inputs.items()}
        with torch.inference_mode():
            out = self.model(multimask_output=True, **inputs)
            whole = self.processor.post_process_masks(out.pred_masks, *sizes)[0]
        for i in range(len(boxes)):
            best = int(out.iou_scores[0, i].argmax())
            yield float(out.iou_scores[0, i, best]), out.pred_masks[0, i, best].numpy(), whole[i, best].numpy()

    def efficient(self, image, boxes):
        pixels = torch.tensor(np.asarray(image)).permute(2, 0, 1)[None] / 255
        with torch.inference_mode():
            embeddings = sam_models.EfficientEncoder(self.model)(pixels)
            for b in boxes:
                masks, scores = sam_models.EfficientDecoder(self.model)(
                    embeddings, torch.tensor(b).reshape(1, 1, 2, 2), torch.tensor([[[2., 3]]]),
                    torch.tensor(image.size[::-1]))
                best = int(scores[0, 0].argmax())
                yield float(scores[0, 0, best]), masks[0, 0, best].numpy(), masks[0, 0, best].numpy() > 0


def ours(program, files, picture, size, boxes, out):
    """The same by gmner's code (test_sam_live.c)."""
    subprocess.run([program, *files, picture, out, *(repr(float(v)) for b in boxes for v in b)], check=True)
    data, at = np.fromfile(out, np.float32), 0
    for _ in boxes:
        h, w, iou = int(data[at]), int(data[at + 1]), float(data[at + 2])
        n = size[0] * size[1]
        yield iou, data[at + 3:at + 3 + h * w].reshape(h, w), data[at + 3 + h * w:at + 3 + h * w + n].reshape(
            size[1], size[0]) > 0
        at += 3 + h * w + n
    assert at == len(data)


def mask_iou(a, b):
    union = (a | b).sum()
    return (a & b).sum() / union if union else 1.0


def compare(label, got, want, worst):
    for g, w in zip(got, want, strict=True):
        small = g[1].shape == w[1].shape and not label.endswith("alone")
        d = float(np.abs(g[1] - w[1]).max()) if small else 0.0
        worst["logits"] = max(worst["logits"], d)
        worst["score"] = max(worst["score"], abs(g[0] - w[0]))
        worst["IoU"] = min(worst["IoU"], float(mask_iou(g[2], w[2])))
        worst["size"] = max(worst["size"], float(np.abs(w[1]).max()))
        worst["share"].append(float(w[2].mean()))


# -- the program ----------------------------------------------------------------------------------

def decode_rle(mask):
    n = runs(mask["counts"])
    return np.repeat(np.arange(len(n)) % 2, n).astype(bool).reshape(mask["size"][::-1]).T


def run_program(gmner, folder, model, pictures, want):
    recipe, posts, out = (os.path.join(folder, n) for n in ("r.yaml", "posts.jsonl", "out.jsonl"))
    with open(recipe, "w", encoding="utf-8") as f:
        f.write(f"name: r\nstages:\n  - stage: segment\n    backend: sam\n    model: {model}/\n    precision: f32\n"
                "    encoder: vision_encoder.onnx\n    decoder: prompt_encoder_mask_decoder.onnx\n")
    with open(posts, "w", encoding="utf-8") as f:
        for path, image in pictures:
            f.write(json.dumps({"text": "a", "image": path, "entities": [
                {"start": 0, "end": 1, "type": "X", "regions": [{"box": b} for b in boxes_of(image)]}]}) + "\n")
    said = subprocess.run([gmner, "predict", "--recipe", recipe, posts, "-o", out], check=True, capture_output=True,
                          text=True).stderr
    n = len(pictures)
    assert f"pictures encoded={n} boxes={3 * n}" in said, said  # all boxes of a picture share one encoding
    worst = 1.0
    with open(out, encoding="utf-8") as f:
        for line, masks in zip(f, want, strict=True):
            regions = json.loads(line)["entities"][0]["regions"]
            for r, m in zip(regions, masks, strict=True):
                worst = min(worst, mask_iou(decode_rle(r["mask"]), m)) if m.any() else worst
    return worst


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("gmner")
    p.add_argument("photos")
    p.add_argument("work")
    p.add_argument("--n", type=int, default=4)
    args = p.parse_args()
    args.work = os.path.abspath(args.work)
    os.makedirs(args.work, exist_ok=True)
    model = sam_models.random_sam(SIDE)
    large = sam_models.random_sam(1024)
    exports, failed = write_models(model, large, args.work), False
    pictures, wants = [], []
    for name, image in photos(args.photos, args.n):
        path = os.path.join(args.work, os.path.splitext(name)[0] + ".png")
        image.save(path, compress_level=1)
        pictures.append((path, image))
        print(f"{name}: {image.width} x {image.height}")
    for label, files in exports.items():
        reference = Reference(large if label == "samexporter's rows" else model)
        worst = {"logits": 0.0, "score": 0.0, "IoU": 1.0, "size": 0.0, "share": []}
        for path, image in pictures:
            boxes = boxes_of(image)
            want = list(reference.efficient(image, boxes) if label == "EfficientSAM" else
                        reference.boxes(image, boxes, middles=label.endswith(", points")))
            compare(label, ours(args.program, files, path, image.size, boxes, os.path.join(args.work, "out.f32")), want, worst)
            if label == "transformers, boxes":
                wants.append([w[2] for w in want])
        share = worst.pop("share")
        print(f"{label:32s} logits {worst['logits']:.2g} of up to {worst['size']:.1f}  predicted IoU {worst['score']:.2g}  mask IoU {worst['IoU']:.5f}"
              f"  ({len(share)} masks of {min(share):.0%} to {max(share):.0%} of the picture)")
        failed = failed or worst["logits"] > 1e-3 or worst["score"] > 1e-4 or worst["IoU"] < 0.999
        failed = failed or not any(0.02 < s < 0.98 for s in share)  # a comparison of nothing
    program = run_program(args.gmner, args.work, args.work, pictures, wants)
    print(f"gmner predict: mask IoU {program:.5f}")
    sys.exit(1 if failed or program < 0.999 else 0)


if __name__ == "__main__":
    main()
