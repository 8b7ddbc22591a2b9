#!/usr/bin/env python3
"""What `gmner similar` must answer, by transformers (all-MiniLM-L6-v2 as sentence-transformers uses it,
CLIP's image processor and vision model), Pillow and NumPy with whole matrices:

    similar_reference.py GMNER MINILM_DIR WORK_DIR

Posts of made-up sentences with entities, pictures of several sizes (some posts have none), a random CLIP
vision model exported to ONNX. Says with its exit status whether all scores are within 1e-4 and the order
is the same, for each way of the entities' similarity, with pictures and without; and whether `inform` shows
the samples of the largest cosine of the tagger's features, joined with the pictures' vectors or alone. Needs the
environment of tools/reference_env.sh.
"""
import http.server
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.simplefilter("ignore")

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
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


# -- samples of inform: the tagger's features joined with the picture ------------------------------

def case_of(word):
    """Numbers of src/model/features.h, for the words of these posts."""
    if not any(c.isalnum() for c in word):
        return 8
    if word.isdigit():
        return 7
    if any(c.isdigit() for c in word):
        return 6
    if not word.isascii() and word not in ("Café",):
        return 9
    if len(word) == 1 and word.isupper():
        return 5
    return 1 if word.islower() else 3 if word.isupper() else 2 if word[1:].islower() else 4


class Features:
    """The mean over the words of the mean over their pieces of the tagger's states."""

    def __init__(self, tagger, minilm):
        self.tokenizer = AutoTokenizer.from_pretrained(minilm)
        self.model = AutoModel.from_pretrained(minilm, dtype=torch.float32).eval()
        weights = {k: v.float() for k, v in load_file(os.path.join(tagger, "model.safetensors")).items()}
        self.cases = weights.pop("case_embeddings.weight")
        missing = self.model.load_state_dict(weights, strict=False).missing_keys
        assert all("word_embeddings" in k or "pooler" in k or "position_ids" in k for k in missing), missing

    def __call__(self, record):
        ids, cases, rows = [self.tokenizer.cls_token_id], [0], []
        for w in record["tokens"]:
            pieces = self.tokenizer(w, add_special_tokens=False)["input_ids"]
            rows.append((len(ids), len(ids) + len(pieces)))
            ids += pieces
            cases += [case_of(w)] * len(pieces)
        ids, cases = torch.tensor([ids + [self.tokenizer.sep_token_id]]), torch.tensor([cases + [0]])
        with torch.inference_mode():
            x = self.model.get_input_embeddings()(ids) + self.cases[cases]
            y = self.model(inputs_embeds=x).last_hidden_state[0].numpy().astype(np.float64)
        v = np.stack([y[a:b].mean(0) for a, b in rows]).mean(0)
        return v / np.linalg.norm(v)


class Asked:
    """A server that keeps the numbers of the samples that it is shown, by the post's text."""

    def __init__(self):
        self.shown = shown = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                parts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
                text = parts if isinstance(parts, str) else "".join(p.get("text", "") for p in parts)
                shown[re.findall(r"(?m)^Post: (.*)$", text)[-1]] = [int(n) for n in re.findall(r"Known (\d+)\.", text)]
                body = json.dumps({"choices": [{"message": {"role": "assistant", "content": "None."},
                                                "finish_reason": "stop"}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def compare_samples(gmner, folder, posts, pool, scores, n, setting):
    """`inform` shows the n samples of the largest cosine, best first."""
    asked = Asked()
    with open(f"{folder}/inform.yaml", "w", encoding="utf-8") as f:
        f.write("name: i\nstages:\n  - stage: inform\n    backend: llm\n    images: never\n"
                f"    samples: {{pool: {folder}/known.jsonl, n: {n}, {setting}}}\n")
    subprocess.run([gmner, "predict", f"{folder}/asked.jsonl", "-r", f"{folder}/inform.yaml", "-o", f"{folder}/o.jsonl",
                    "--run", f"{folder}/run", "--endpoint", f"http://127.0.0.1:{asked.server.server_port}/v1"],
                   check=True, env={**os.environ, "GMNER_CACHE": f"{folder}/run/c.sqlite"}, capture_output=True)
    shutil.rmtree(f"{folder}/run")
    worst = 0
    for i, p in enumerate(posts):
        left = np.array([near_duplicate(p["text"], s["text"]) for s in pool])
        row = np.where(left, -1, scores[i])
        order = np.argsort(-row, kind="stable")[:n]
        got = asked.shown[" ".join(p["tokens"])]
        assert len(got) == n
        worst = max([worst, *(abs(row[a] - row[b]) for a, b in zip(got, order))])
    print(f"samples, {setting}: cosines of those in other places differ by at most {worst:.2g}")
    assert worst < 1e-5


def check_samples(gmner, minilm, folder, posts, pool, pictures):
    """pictures: the vectors of both and who has one."""
    features = Features(os.path.join(os.environ["GMNER_HOME"], "models", "ner-default"), minilm)
    posts = [{**p, "tokens": p["text"].split()[:100]} for p in posts]
    pool = [{**p, "tokens": p["text"].split()} for p in pool]
    for name, records in (("asked", posts), ("known", pool)):
        with open(os.path.join(folder, f"{name}.jsonl"), "w", encoding="utf-8") as f:
            for i, r in enumerate(records):
                out = {k: r[k] for k in ("id", "tokens", "image") if k in r}
                f.write(json.dumps({**out, **({"knowledge": f"Known {i}."} if name == "known" else {})}) + "\n")
    f, g = (np.stack([features(r) for r in records]) for records in (posts, pool))
    compare_samples(gmner, folder, posts, pool, f @ g.T, 5, "duplicate: 0.8")
    (qi, has_q), (pi, has_p) = pictures
    w = 0.3
    joint = (np.concatenate([np.sqrt(1 - w) * t, np.sqrt(w) * v * has[:, None]], 1)
             for t, v, has in ((f, qi, has_q), (g, pi, has_p)))
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in joint)
    compare_samples(gmner, folder, posts, pool, a @ b.T, 5, f"clip: {folder}/clip.onnx, image_weight: {w}")


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
    check_samples(gmner, minilm, folder, posts, pool, ((qi, has_q), (pi, has_p)))


main()
