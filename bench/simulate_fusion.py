#!/usr/bin/env python3
"""A SIMULATION: what `gmner tune --stage entail` makes of an encoder and a language model that is not there.

    simulate_fusion.py DATA [--gmner FILE] [--runs N] [--accuracy A] [--correlation R]

DATA is the folder twitter-gmner of the shared data, of which dev is read. The shipped encoder really
judges its entities. The model's yes and no are drawn: right with probability A (0.8), its errors correlated R (0.3)
with the encoder's. Two such models: one that says yes or no alone, one with a probability whose distance from
0.5 is drawn from the encoder's own, of its right answers where the model is right and of its wrong ones where it is
wrong. No figure of this is one of a model's quality; it says what fusing is worth if a model is like that.

Prints for each model the accuracies, cross-fitted, the mean and least over N runs (5), and ends with 1 where a
mean is under 0.835 (at the default accuracy and correlation). Python's standard library only.
"""
import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LEAST = 0.835


def call(*args):
    return subprocess.run([str(a) for a in args], check=True, stdout=subprocess.PIPE, text=True).stdout


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def judge(o, folder):
    """The encoder's probabilities of dev's entities, and gold with boxes."""
    recipe, out, gold = (os.path.join(folder, n) for n in ("r.yaml", "encoder.jsonl", "gold.jsonl"))
    with open(recipe, "w", encoding="utf-8") as f:
        f.write("name: encoder\nstages:\n  - stage: entail\n")
    call(o.gmner, "predict", os.path.join(o.data, "dev.txt"), "--images", os.path.join(o.data, "images"), "--captions",
         os.path.join(o.data, "captions-dev.txt"), "-r", recipe, "-o", out)
    call(o.gmner, "data", "convert", "--xml", os.path.join(o.data, "xml"), "--to", "jsonl",
         os.path.join(o.data, "dev.txt"), gold)
    return out, gold


def pairs(encoder, gold):
    """(encoder's entity, whether it is in the image) of each entity."""
    posts = {p["id"]: {(e["start"], e["end"]): e for e in p["entities"]} for p in encoder}
    return [(posts[g["id"]][e["start"], e["end"]], bool(e["regions"])) for g in gold for e in g["entities"]]


def simulate(rng, p, truth, accuracy, correlation, plain):
    """The model's probabilities of yes. P(both wrong) = ab + R sqrt(a(1-a)b(1-b)) for errors a and b."""
    right = [(x >= 0.5) == t for x, t in zip(p, truth)]
    a, b = 1 - sum(right) / len(p), 1 - accuracy
    both = a * b + correlation * math.sqrt(a * (1 - a) * b * (1 - b))
    sure = [abs(math.log(min(max(x, 1e-6), 1 - 1e-6) / (1 - min(max(x, 1e-6), 1 - 1e-6)))) for x in p]
    of_right = [s for s, r in zip(sure, right) if r]
    of_wrong = [s for s, r in zip(sure, right) if not r]
    out = []
    for r, t in zip(right, truth):
        wrong = rng.random() < ((b - both) / (1 - a) if r else both / a)
        yes = t != wrong
        z = 20 if plain else rng.choice(of_wrong if wrong else of_right)
        out.append(1 / (1 + math.exp(-z if yes else z)))
    return out


def fuse(o, folder, encoder, posts, entities, p):
    for e, x in zip(entities, p):
        e["visible"] = round(x, 6)
    model = os.path.join(folder, "model.jsonl")
    with open(model, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(q) + "\n" for q in posts)
    out = json.loads(call(o.gmner, "tune", "--stage", "entail", "--gold", os.path.join(o.data, "dev.txt"), "--xml",
                          os.path.join(o.data, "xml"), "--pred", "encoder=" + encoder, "model=" + model, "--json"))
    by_name = {s["source"]: s["accuracy"] for s in out["sources"]}
    bound = next(s for s in out["steps"] if s["setting"] == "bound")
    return [by_name["encoder"], by_name["model"], by_name["all, fused"], bound["cross_fitted"]["score"]["f1"],
            bound["cross_fitted"]["share"]]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("data")
    a.add_argument("--gmner", default=os.path.join(HERE, "..", "build", "gmner"))
    a.add_argument("--runs", type=int, default=5)
    a.add_argument("--accuracy", type=float, default=0.8)
    a.add_argument("--correlation", type=float, default=0.3)
    o = a.parse_args()
    o.gmner, failed = os.path.abspath(o.gmner), False
    print(f"SIMULATION: the model is drawn, accuracy {o.accuracy}, errors correlated {o.correlation} with the encoder's")
    with tempfile.TemporaryDirectory() as folder:
        encoder, gold = judge(o, folder)
        posts = load(encoder)
        found = pairs(posts, load(gold))
        entities, truth = [e for e, _ in found], [t for _, t in found]
        p = [e["visible"] for e in entities]
        print(f"{'':24}  encoder   model   fused: mean  least   with the bound: mean  asked")
        for plain in (True, False):
            rows = [fuse(o, folder, encoder, posts, entities,
                         simulate(random.Random(seed), p, truth, o.accuracy, o.correlation, plain))
                    for seed in range(1, o.runs + 1)]
            mean = [sum(c) / len(rows) for c in zip(*rows)]
            print(f"{'yes or no' if plain else 'with a probability':24}   {mean[0]:.4f}  {mean[1]:.4f}        "
                  f"{mean[2]:.4f}  {min(r[2] for r in rows):.4f}                {mean[3]:.4f}  {mean[4]:5.1%}")
            failed |= (o.accuracy, o.correlation) == (0.8, 0.3) and mean[2] < LEAST
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
