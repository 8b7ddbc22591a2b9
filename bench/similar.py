#!/usr/bin/env python3
"""Measures gmner similar beside sentence-transformers and NumPy with whole matrices (peer_similar.py): N
posts beside a pool of N others, the three most similar of each.

Use: bench/run.sh similar [--n 10000] [--search-n N] [--rounds 3] [--threads N] [--precision f32] [--peer-python P]
Prints, as medians of the rounds with least and most: seconds from start to end of the whole program (the
peer: without imports and loading), the CPU seconds of both processes, what each held at most, and, from
random vectors of the same shapes, the search alone. The two sides' answers are compared: how many of the
samples are the same in the same place. In each round every program runs once. Posts are put together from
halves of Twitter-GMNER's training posts, with their entities (made-up ones where it is not at hand).
Standard library only.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import run

ROOT = run.ROOT


def spans(lines):
    """[(word, begins, type or None)] of CoNLL lines."""
    out = []
    for line in lines:
        word, tag = line.rsplit("\t", 1)
        out.append((word, tag[0] in "B", tag[2:] if tag != "O" else None))
    return out


def post(words, number):
    text, entities = "", []
    for word, begins, kind in words:
        text += (" " if text else "") + word
        if kind and (begins or not entities or entities[-1]["end"] != len(text) - len(word) - 1):
            entities.append({"start": len(text) - len(word), "end": len(text), "type": kind})
        elif kind:
            entities[-1]["end"] = len(text)
    return {"id": str(number), "text": text, "entities": entities}


def write_posts(folder, n, train, encoder):
    """posts.jsonl and pool.jsonl: first halves and second halves of random pairs of posts."""
    known = os.path.exists(train)
    posts = run.read_conll(train) if known else run.synthetic_posts(encoder, 2000)
    posts = [spans(p[1:]) for p in posts if all("\t" in line for line in p[1:])]
    rng = random.Random(3)
    paths = []
    for name in "posts", "pool":
        paths.append(os.path.join(folder, f"{name}.jsonl"))
        with open(paths[-1], "w", encoding="utf-8") as f:
            for i in range(n):
                a, b = rng.choice(posts), rng.choice(posts)
                f.write(json.dumps(post(a[:(len(a) + 1) // 2] + b[len(b) // 2:], i)) + "\n")
    return paths


def measure(command, threads):
    """(stdout, {wall, CPU seconds, peak MB})."""
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads),
           "GMNER_HOME": ROOT}
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True) as p:
        out, err = p.stdout.read(), p.stderr.read()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        raise run.Missing((err.strip().splitlines() or ["failed"])[-1])
    return out, {"wall_s": time.perf_counter() - start, "cpu_s": used.ru_utime + used.ru_stime,
                 "peak_mb": used.ru_maxrss / 1024}


def ours(args, paths, out):
    _, figures = measure([args.gmner, "similar", paths[0], "--pool", paths[1], "-k", "3", "--weights",
                          "text=0.4,entity=0.6", "--duplicate", "1", "--precision", args.precision, "--threads",
                          str(args.threads), "-o", out], args.threads)
    return figures


def peers(args, paths, out):
    line, figures = measure([args.peer_python, "-W", "ignore", os.path.join(ROOT, "bench", "peer_similar.py"),
                             "--model", args.encoder, "--posts", paths[0], "--pool", paths[1], "--threads",
                             str(args.threads), "--out", out], args.threads)
    parts = json.loads(line)
    return {**figures, "wall_s": parts["encode_s"] + parts["matrix_s"], **parts}


def search(args, whose):
    shape = [str(args.search_n), str(args.search_n), "0"]
    if whose == "gmner":
        line, figures = measure([os.path.join(os.path.dirname(args.gmner), "tests", "bench_similar"), *shape, "sum",
                                 "3", str(args.threads)], args.threads)
        parts = json.loads(line)
        return {**figures, "wall_s": parts["extremes_s"] + parts["search_s"]}
    line, figures = measure([args.peer_python, os.path.join(ROOT, "bench", "peer_similar.py"), "--random",
                             ",".join(shape), "--threads", str(args.threads)], args.threads)
    return {**figures, "wall_s": json.loads(line)["matrix_s"]}


def same_answers(ours_path, peers_path):
    """Of the peer's samples, the share that ours has in the same place, and in any; samples that are the post
    itself in other letters, which the peer keeps, are few enough to leave in."""
    with open(ours_path, encoding="utf-8") as f, open(peers_path, encoding="utf-8") as g:
        pairs = [([h["post"] for h in json.loads(a)["similar"]], [n for n, _ in json.loads(b)])
                 for a, b in zip(f, g)]
    n = sum(len(b) for _, b in pairs)
    return (sum(x == y for a, b in pairs for x, y in zip(a, b)) / n,
            sum(len(set(a) & set(b)) for a, b in pairs) / n)


def text_of(runs, key):
    values = [r[key] for r in runs]
    return f"{statistics.median(values):9.1f} ({min(values):.1f}, {max(values):.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10000)
    parser.add_argument("--search-n", type=int, help="of the search alone (default: --n)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--gmner", default=os.path.join(ROOT, "build", "gmner"))
    parser.add_argument("--encoder", default=os.path.join(ROOT, ".deps", "models", "minilm"))
    parser.add_argument("--train", default=os.path.join(ROOT, "..", "shared", "data", "twitter-gmner", "train.txt"))
    parser.add_argument("--peer-python", help="interpreter with sentence-transformers (bench/run.sh gives it)")
    args = parser.parse_args()
    args.search_n = args.search_n or args.n
    sides = {"gmner": [], "peer": [], "gmner search": [], "peer search": []}
    with tempfile.TemporaryDirectory(prefix="gm-bench-") as folder:
        paths = write_posts(folder, args.n, args.train, args.encoder)
        outs = [os.path.join(folder, name) for name in ("ours.jsonl", "peers.jsonl")]
        programs = {"gmner": lambda: ours(args, paths, outs[0]), "gmner search": lambda: search(args, "gmner")}
        if args.peer_python:
            programs |= {"peer": lambda: peers(args, paths, outs[1]), "peer search": lambda: search(args, "peer")}
        for r in range(args.rounds):
            for name, program in programs.items():
                run.progress(f"{name} {r + 1}/{args.rounds}")
                sides[name].append(program())
        run.progress("")
        for name, runs in sides.items():
            if runs:
                n = args.search_n if "search" in name else args.n
                print(f"{name:14} {n} x {n}: {text_of(runs, 'wall_s')} s   CPU {text_of(runs, 'cpu_s')} s   "
                      f"at most {text_of(runs, 'peak_mb')} MB", flush=True)
        if args.peer_python:
            for what in "wall_s", "cpu_s":
                ratios = [statistics.median(r[what] for r in sides[f"peer{part}"]) /
                          statistics.median(r[what] for r in sides[f"gmner{part}"]) for part in ("", " search")]
                print(f"ratio of {what}: all {ratios[0]:.2f}, search {ratios[1]:.2f}")
            print("the same samples: {:.4f} in the same place, {:.4f} in any".format(*same_answers(*outs)))
    print(json.dumps({**run.machine(), "threads": args.threads, "rounds": args.rounds, "n": args.n,
                      "precision": args.precision, "search_n": args.search_n}))


if __name__ == "__main__":
    sys.exit(main())
