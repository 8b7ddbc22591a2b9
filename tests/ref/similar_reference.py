#!/usr/bin/env python3
"""What `gmner similar` must answer, by transformers (all-MiniLM-L6-v2 as sentence-transformers uses it,
CLIP's image processor and vision model), Pillow and NumPy with whole matrices:

    similar_reference.py GMNER MINILM_DIR WORK_DIR

Posts of made-up sentences with entities, pictures of several sizes (some posts have none), a random CLIP
vision model exported to ONNX. Says with its exit status whether all scores are within 1e-4 and the order
is the same, for each way of the entities' similarity, with pictures and without. Needs the environment of
tools/reference_env.sh.
"""
import json
import os
import random
import re
import subprocess
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.simplefilter("ignore")

import numpy as np
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer, CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.utils import logging

import vision_models

logging.set_verbosity_error()
logging.disable_progress_bar()

N_POSTS, N_POOL, K = 40, 300, 5
NAMES = [("Grace Hopper", "PER"), ("Eileen Collins", "PER"), ("Angelina Jolie", "PER"), ("Paris", "LOC"),
         ("Nairobi", "LOC"), ("Navy Yard", "LOC"), ("NASA", "ORG"), ("Manchester United", "ORG"), ("BBC", "ORG"),
         ("World Cup", "OTHER"), ("iPhone", "OTHER"), ("Star Wars", "MISC")]
FRAMES = ["{} speaks at {} tonight", "I saw {} with {} , what a day !", "RT @ user : {} and {} again http://t.co/x{}",
          "breaking : {} leaves {} after {} years", "so proud of {}", "nothing to see here number {}",
          "watching {} play {} in {} with friends", "{} 2 - 1 {} FT", "Café with {} near {} 🙂 #weekend{}"]


# -- posts ----------------------------------------------------------------------------------------

def picture(rng, path):
    """Ramps, a hard-edged patch and noise, upright, wide or small."""
    w, h = rng.choice([(320, 240), (240, 320), (500, 180), (90, 130), (224, 224), (225, 331)])
    noise = np.random.default_rng(rng.randrange(1 << 30))
    y, x = np.mgrid[0:h, 0:w]
    rgb = np.stack([(x * rng.random() * 2) % 256, (y * rng.random() * 3) % 256, (x + y) * rng.random() % 256], -1)
    rgb[h // 4:h // 2, w // 3:w // 2] = [rng.randrange(256) for _ in range(3)]
    rgb += noise.normal(0, rng.choice([0, 20]), rgb.shape)
    Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(path)


def post(rng, number, folder, prefix):
    frame = rng.choice(FRAMES)
    names = [rng.choice(NAMES) for _ in range(frame.count("{}"))]
    parts, text, entities = frame.split("{}"), "", []
    for i, part in enumerate(parts):
        text += part
        if i < len(names):
            name, kind = names[i]
            if part.endswith(("x", "number ", "weekend", "after ")):
                name = str(rng.randrange(10000))
            elif rng.random() < 0.9:
                entities.append({"start": len(text), "end": len(text) + len(name), "type": kind})
            text += name
    text += " " + " ".join(rng.sample("today morning big red match photo of our team on stage live".split(), 4))
    record = {"id": f"{prefix}{number}", "text": text, "entities": entities}
    if rng.random() < 0.8:
        record["image"] = f"{prefix}{number}.png"
        picture(rng, os.path.join(folder, record["image"]))
    return record


def write_posts(folder):
    rng = random.Random(4)
    posts = [post(rng, i, folder, "q") for i in range(N_POSTS)]
    pool = [post(rng, i, folder, "p") for i in range(N_POOL)]
    pool[7] = {**pool[7], "text": posts[3]["text"] + " !", "entities": posts[3]["entities"]}  # left out for post 3
    posts[5] = {**posts[5], "text": "long " * 400, "entities": []}  # over the encoder's 256 pieces
    for name, records in (("posts", posts), ("pool", pool)):
        with open(os.path.join(folder, f"{name}.jsonl"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(r) + "\n" for r in records)
    return posts, pool


# -- vectors --------------------------------------------------------------------------------------

class Sentences:
    """Mean pooling over the pieces with the mask, length 1, at most 256 pieces."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def __call__(self, texts):
        rows = []
        for i in range(0, len(texts), 32):
            batch = self.tokenizer(texts[i:i + 32], padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.inference_mode():
                hidden = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"][:, :, None].to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            rows.append(torch.nn.functional.normalize(mean, dim=1).numpy())
        return np.concatenate(rows).astype(np.float64) if rows else np.zeros((0, 384))


def make_clip(path):
    """A random vision model, and the same as ONNX."""
    torch.manual_seed(1)
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, projection_dim=24, num_hidden_layers=2, num_attention_heads=4,
        image_size=224, patch_size=32, attn_implementation="eager", initializer_range=0.5)).eval()

    vision_models.export_clip(model, path)
    return model


def picture_vectors(model, records, folder):
    """[n, d], and which posts have one."""
    processor = CLIPImageProcessorPil()
    rows, has = [], []
    for r in records:
        has.append("image" in r)
        if "image" not in r:
            rows.append(np.zeros(24))
            continue
        image = Image.open(os.path.join(folder, r["image"])).convert("RGB")
        pixels = torch.tensor(processor(image)["pixel_values"][0])[None]
        with torch.inference_mode():
            v = model(pixel_values=pixels).image_embeds
        v = v[0].numpy().astype(np.float64)
        rows.append(v / np.linalg.norm(v))
    return np.stack(rows), np.array(has)


# -- matrices -------------------------------------------------------------------------------------

def entity_matrix(sentences, posts, pool, best):
    def all_of(records):
        return [[(r["text"][e["start"]:e["end"]], e["type"]) for e in r["entities"]] for r in records]
    a, b = all_of(posts), all_of(pool)
    names = sorted({n for es in a + b for n, _ in es})
    row = dict(zip(names, sentences(names)))
    m = np.zeros((len(a), len(b)))
    for i, es in enumerate(a):
        for k, others in enumerate(b):
            pairs = np.array([[row[n] @ row[o] + 0.8 * (t == u) for o, u in others] for n, t in es])
            if pairs.size:
                m[i, k] = pairs.max(1).mean() if best else pairs.sum()
    return m


def scaled(m, counts=None):
    of = m if counts is None else m[counts]
    n = (m - of.min()) / (of.max() - of.min())
    return n if counts is None else np.where(counts, n, 0)


def words(text):
    return set(re.findall(r"[a-z0-9\x80-\U0010ffff]+", re.sub(r"https?://t\.co/\w+", " ", text.lower())))


def near_duplicate(a, b):
    a, b = words(a), words(b)
    return len(a & b) >= 0.8 * len(a | b) and min(len(a), len(b)) >= 4


# -- both -----------------------------------------------------------------------------------------

def compare(gmner, folder, posts, pool, scores, *options):
    out = subprocess.run([gmner, "similar", f"{folder}/posts.jsonl", "--pool", f"{folder}/pool.jsonl", "--k", str(K),
                          *options], check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    assert [r["id"] for r in lines] == [p["id"] for p in posts]
    worst = moved = 0
    for i, line in enumerate(lines):
        left = np.array([near_duplicate(posts[i]["text"], s["text"]) for s in pool])
        row = np.where(left, -1, scores[i])
        order = np.argsort(-row, kind="stable")[:K]
        assert len(line["similar"]) == K
        for want, hit in zip(order, line["similar"]):
            got = hit["post"] - 1
            assert hit["id"] == pool[got]["id"] and not left[got], (i, hit)
            worst = max(worst, abs(hit["score"] - row[want]))
            if got != want:
                moved += 1
                assert abs(row[got] - row[want]) < 1e-6, f"post {i}: {got} ({row[got]}), not {want} ({row[want]})"
    print(f"{' '.join(options) or 'plain'}: largest difference {worst:.2g}, {moved} in other places (equal scores)")
    assert worst < 1e-4


def main():
    gmner, minilm, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    posts, pool = write_posts(folder)
    sentences = Sentences(minilm)
    clip = f"{folder}/clip.onnx"
    model = make_clip(clip)
    t = sentences([p["text"] for p in posts]) @ sentences([p["text"] for p in pool]).T
    (qi, has_q), (pi, has_p) = (picture_vectors(model, r, folder) for r in (posts, pool))
    both = np.outer(has_q, has_p)
    n_t, n_i = scaled(t), scaled(qi @ pi.T, both)
    n_e = scaled(entity_matrix(sentences, posts, pool, best=False))
    n_b = scaled(entity_matrix(sentences, posts, pool, best=True))
    compare(gmner, folder, posts, pool, 0.4 * n_t + 0.6 * n_e)
    compare(gmner, folder, posts, pool, 0.4 * n_t + 0.2 * n_i + 0.6 * n_e, "--clip", clip)
    compare(gmner, folder, posts, pool, 0.4 * n_t + 0.2 * n_i + 0.6 * n_b, "--clip", clip, "--entity", "best")
    compare(gmner, folder, posts, pool, n_i, "--clip", clip, "--weights", "image=1")


main()
