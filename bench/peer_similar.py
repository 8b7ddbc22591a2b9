#!/usr/bin/env python3
"""Similar posts as one writes it in Python: sentence-transformers encodes, NumPy holds whole matrices.
One JSON line: seconds of encoding and of the matrices, without imports and the model's loading, and what
the process held at most.

    peer_similar.py --model MINILM_DIR --posts F --pool F --k 3 --threads N --out OUT.jsonl
    peer_similar.py --random POSTS,POOL,IMAGE_DIM --k 3 --threads N        the matrices alone

Names of entities are encoded once each, in f32 all; entities' similarities are one matrix of all names,
whose rows and columns are added up by np.add.reduceat. Near-duplicates are not looked for.
"""
import argparse
import json
import resource
import time

import numpy as np

DIM, TYPES = 384, 4


def read(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def encoder(args):
    """texts -> [n, DIM] of length 1: sentence-transformers, or its encode loop in transformers."""
    import torch
    torch.set_num_threads(args.threads)
    try:
        from sentence_transformers import SentenceTransformer, models
    except ImportError:
        raise SystemExit("no sentence-transformers")
    words = models.Transformer(args.model, max_seq_length=256)
    model = SentenceTransformer(modules=[words, models.Pooling(DIM), models.Normalize()], device="cpu")
    model.encode(["to warm up"] * 64)
    return lambda texts: model.encode(texts, batch_size=32, show_progress_bar=False)


def vectors_of(records, encode, row, types):
    """{text, name, type, count}: of the posts, of all their entities in order, and how many each has."""
    entities = [(r["text"][e["start"]:e["end"]], e["type"]) for r in records for e in r["entities"]]
    return {"text": encode([r["text"] for r in records]), "image": None,
            "name": row[[types[0][n] for n, _ in entities]] if entities else np.zeros((0, DIM), np.float32),
            "type": np.array([types[1].setdefault(t, len(types[1])) for _, t in entities]),
            "count": np.array([len(r["entities"]) for r in records])}


def random_vectors(rng, n, image_dim):
    def rows(n, dim):
        x = rng.normal(0.1, 1, (n, dim)).astype(np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True)
    count = np.arange(n) % 4
    return {"text": rows(n, DIM), "image": rows(n, image_dim) if image_dim else None, "name": rows(count.sum(), DIM),
            "type": rng.integers(0, TYPES, count.sum()), "count": count}


def scaled(m):
    low, high = m.min(), m.max()
    return (m - low) / (high - low)


def entity_matrix(a, b):
    pairs = a["name"] @ b["name"].T
    pairs += np.float32(0.8) * (a["type"][:, None] == b["type"][None])
    for axis, side in ((0, a), (1, b)):
        has = np.flatnonzero(side["count"])
        starts = np.cumsum(side["count"]) - side["count"]
        some = np.add.reduceat(pairs, starts[has], axis)
        shape = list(some.shape)
        shape[axis] = len(side["count"])
        pairs = np.zeros(shape, np.float32)
        pairs[(slice(None),) * axis + (has,)] = some
    return pairs


def best(a, b, k):
    """The numbers of each row's k largest scores, and the scores."""
    s = np.float32(0.4) * scaled(a["text"] @ b["text"].T)
    if a["image"] is not None:
        s += np.float32(0.2) * scaled(a["image"] @ b["image"].T)
    s += np.float32(0.6) * scaled(entity_matrix(a, b))
    top = np.argpartition(-s, k, axis=1)[:, :k]
    scores = np.take_along_axis(s, top, 1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(top, order, 1), np.take_along_axis(scores, order, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in "model", "posts", "pool", "random", "out":
        parser.add_argument(f"--{name}")
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    encode_s = 0.0
    if args.random:
        n_posts, n_pool, image_dim = map(int, args.random.split(","))
        rng = np.random.default_rng(1)
        a, b = (random_vectors(rng, n, image_dim) for n in (n_posts, n_pool))
    else:
        posts, pool, encode = read(args.posts), read(args.pool), encoder(args)
        start = time.perf_counter()
        names = sorted({r["text"][e["start"]:e["end"]] for r in posts + pool for e in r["entities"]})
        row, numbers = encode(names), ({n: i for i, n in enumerate(names)}, {})
        a, b = (vectors_of(r, encode, row, numbers) for r in (posts, pool))
        encode_s = time.perf_counter() - start
    start = time.perf_counter()
    top, scores = best(a, b, args.k)
    matrix_s = time.perf_counter() - start
    if args.out:
        with open(args.out, "w", encoding="utf-8") as f:
            for numbers, line in zip(top, scores):
                f.write(json.dumps([[int(n) + 1, float(s)] for n, s in zip(numbers, line)]) + "\n")
    print(json.dumps({"encode_s": encode_s, "matrix_s": matrix_s,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


main()
