#!/usr/bin/env python3
"""Measures gmner eval: CPU time and memory over the number of posts, beside the quadratic scan of the
field's scripts (tests/ref/metrics_reference.py), whose counts must be the same.

Use: bench/run.sh eval [--gmner FILE] [--posts N ...] [--reference-up-to N]
Files in the same order, and with predictions shuffled. Standard library only; prints one line a case.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "ref"))
import metrics_reference  # noqa: E402

WORDS = ["Ann", "Lee", "Oslo", "runs", "to", "the", "new", "U.N.", "city", "hall", "on", "with", "RT", "@"]
TYPES = ["PER", "LOC", "ORG", "OTHER"]


def post(rng, number):
    """(gold, prediction): 16 words, two entities, 40% in the image, some predictions off."""
    words = [rng.choice(WORDS) for _ in range(16)]
    starts = [len(" ".join(words[:k])) + (k > 0) for k in range(16)]
    gold, pred = [], []
    for k in (2, 9):
        box = [rng.randrange(60), rng.randrange(60), 100 + rng.randrange(200), 100 + rng.randrange(200)]
        e = {"start": starts[k], "end": starts[k] + len(words[k]), "type": rng.choice(TYPES),
             "regions": [{"box": box}] if rng.random() < 0.4 else []}
        gold.append(e)
        moved = [{"box": [r["box"][0] + rng.randrange(30), *r["box"][1:]], "score": 0.5}
                 for r in e["regions"]]
        pred.append({**e, "regions": moved, "type": "PER" if rng.random() < 0.2 else e["type"]})
    record = {"id": str(number), "text": " ".join(words)}
    return {**record, "entities": gold}, {**record, "entities": pred}


def write(folder, n, shuffled):
    rng = random.Random(1)
    gold, pred = os.path.join(folder, "gold.jsonl"), os.path.join(folder, "pred.jsonl")
    lines = []
    with open(gold, "w", encoding="utf-8") as g, open(pred, "w", encoding="utf-8") as p:
        for i in range(n):
            theirs, ours = post(rng, i)
            g.write(json.dumps(theirs) + "\n")
            if shuffled:
                lines.append(json.dumps(ours) + "\n")
            else:
                p.write(json.dumps(ours) + "\n")
        rng.shuffle(lines)
        p.writelines(lines)
    return gold, pred


def measure(gmner, gold, pred):
    """(result, CPU seconds, peak MB) of one run."""
    with subprocess.Popen([gmner, "eval", "--task", "gmner", "--gold", gold, "--pred", pred, "--json"],
                          stdout=subprocess.PIPE) as p:
        out = p.stdout.read()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        sys.exit(f"bench: gmner eval failed ({p.returncode})")
    return json.loads(out), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def reference(gold, pred):
    read = lambda path: [json.loads(line) for line in open(path, encoding="utf-8")]
    g, p = read(gold), read(pred)
    start = time.process_time()
    return metrics_reference.riveg(g, p, "gmner", 0.5, False), time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gmner", default=os.path.join(ROOT, "build", "gmner"))
    parser.add_argument("--posts", type=int, nargs="+", default=[2500, 10000, 100000])
    parser.add_argument("--reference-up-to", type=int, default=2500, metavar="N")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gm-bench-") as folder:
        for n in args.posts:
            for shuffled in (False, True):
                gold, pred = write(folder, n, shuffled)
                out, cpu, mb = measure(args.gmner, gold, pred)
                print(f"{n:>8} posts, {2 * n:>8} predictions, {'shuffled' if shuffled else 'in order':8}"
                      f"  gmner {cpu:7.2f} s CPU {mb:7.0f} MB", end="", flush=True)
                if n <= args.reference_up_to:
                    counts, scan = reference(gold, pred)
                    same = counts == (out["tp"], out["n_pred"], out["n_gold"])
                    print(f"   scan of all gold {scan:7.2f} s, counts {'equal' if same else 'DIFFER'}", end="")
                    if not same:
                        sys.exit(1)
                print(flush=True)


main()
