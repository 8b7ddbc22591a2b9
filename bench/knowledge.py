#!/usr/bin/env python3
"""What wrong and absent knowledge cost a tagger that was trained with knowledge:

    bench/knowledge.py PLIM_DEV [--tagger ner-knowledge] [--seeds 5] [--threads N]

PLIM_DEV is a CoNLL file whose posts have knowledge behind <EOS>. The tagger reads them with their own, with that
of another post (moved around one random circle through all posts, a seed a circle) and with none; beside it the
text tagger ner-default. Prints a table in Markdown: exact span and type by `gmner eval`, mean and standard deviation
over the seeds. Python's standard library only.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile


def gmner(*args):
    done = subprocess.run(["build/gmner", *args], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.stdout


def around(values, rng):
    """Each value at another's place: one circle through all of them."""
    order = list(range(len(values)))
    rng.shuffle(order)
    out = [None] * len(values)
    for a, b in zip(order, order[1:] + order[:1]):
        out[b] = values[a]
    return out


def score(posts, knowledge, gold, tagger, folder, threads):
    """Precision, recall and F1 of the tagger with this knowledge."""
    given, found = os.path.join(folder, "given.jsonl"), os.path.join(folder, "found.jsonl")
    with open(given, "w", encoding="utf-8") as f:
        for post, known in zip(posts, knowledge):
            bare = {k: post[k] for k in ("id", "tokens")}
            f.write(json.dumps({**bare, **({"knowledge": known} if known else {})}) + "\n")
    gmner("predict", given, "--recipe", "tag", "--tagger", tagger, "-o", found, "--threads", threads)
    result = json.loads(gmner("eval", "--gold", gold, "--pred", found, "--json"))
    return [result[k] for k in ("precision", "recall", "f1")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dev")
    p.add_argument("--tagger", default="ner-knowledge")
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--threads", default="1")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        gold = os.path.join(folder, "gold.jsonl")
        gmner("data", "convert", o.dev, gold, "--to", "jsonl")
        with open(gold, encoding="utf-8") as f:
            posts = [json.loads(line) for line in f]
        own = [q.get("knowledge", "") for q in posts]
        n = len(posts)

        def row(name, runs, tagger=o.tagger):
            got = [score(posts, k, gold, tagger, folder, o.threads) for k in runs]
            cells = [f"{statistics.mean(c):.4f}" + (f" ({statistics.stdev(c):.4f})" if len(c) > 1 else "")
                     for c in zip(*got)]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)

        others = [around(own, random.Random(s)) for s in range(1, o.seeds + 1)]
        print(f"{n} posts, {sum(map(bool, own))} with knowledge\n\n| knowledge | P | R | F1 |\n|---|---|---|---|")
        row("its own", [own])
        row(f"of another post, {o.seeds} seeds", others)
        row("none", [[""] * n])
        row("`ner-default`, which reads none", [[""] * n], "ner-default")
    return 0


sys.exit(main())
