#!/usr/bin/env python3
"""Measures the masks of things (segment by matting, U2-Netp) beside rembg on ONNX Runtime (peer_things.py): the
same model file, pictures and threads, in turn; one box around each whole picture.

Use: bench/run.sh things [--photos DIR] [--n 40] [--rounds 3] [--threads 1] [--peer-python P]

CPU seconds a picture, of all threads together: (those of N pictures less those of the first alone) / (N - 1), so
that neither side's start counts; the median of the rounds. Says too how far both sides' masks agree.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from text import cpu_s, pictures

RECIPE = "name: r\nstages:\n  - stage: segment\n    backend: matting\n    min_share: 0\n"


def gmner_argv(args, folder, paths):
    recipe, posts = os.path.join(folder, "r.yaml"), os.path.join(folder, "%d.jsonl" % len(paths))
    with open(recipe, "w", encoding="utf-8") as f:
        f.write(RECIPE)
    with open(posts, "w", encoding="utf-8") as f:
        for p in paths:
            f.write(json.dumps({"text": "a", "image": p, "entities": [{"start": 0, "end": 1, "type": "OTHER", "regions": [
                {"box": [0, 0, *size_of(args, p)]}]}]}) + "\n")
    return [args.gmner, "predict", "--recipe", recipe, "--threads", str(args.threads), posts, "-o",
            os.path.join(folder, "out.jsonl")]


def size_of(args, path, known={}):
    if path not in known:
        known[path] = json.loads(subprocess.run(
            [args.peer_python, "-c", "import sys, PIL.Image as i; print(list(i.open(sys.argv[1]).size))", path],
            check=True, capture_output=True, text=True).stdout)
    return known[path]


def agreement(args, folder, paths):
    """Mean and median IoU of the masks, by pixels counted in plain PIL."""
    subprocess.run(gmner_argv(args, folder, paths), check=True, stderr=subprocess.DEVNULL)
    subprocess.run([args.peer_python, "bench/peer_things.py", "1", folder, *paths], check=True)
    subprocess.run([args.gmner, "view", os.path.join(folder, "out.jsonl"), "--masks", os.path.join(folder, "ours")], check=True)
    code = ("import os, sys, numpy as n, PIL.Image as i; d = sys.argv[1]\n"
            "ours = {int(f[:5]) - 1: os.path.join(d, 'ours', f) for f in os.listdir(os.path.join(d, 'ours'))}\n"
            "for k in range(int(sys.argv[2])):\n"
            "    b = n.asarray(i.open(os.path.join(d, '%d.png' % k))) > 0\n"
            "    a = n.asarray(i.open(ours[k])) > 0 if k in ours else n.zeros_like(b)\n"
            "    print((a & b).sum() / max(1, (a | b).sum()))")
    out = subprocess.run([args.peer_python, "-c", code, folder, str(len(paths))], check=True, capture_output=True, text=True)
    return [float(x) for x in out.stdout.split()]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gmner", default="build/gmner")
    p.add_argument("--photos", default="../shared/data/tweets-with-images/images")
    p.add_argument("--n", type=int, default=40)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--peer-python", default=sys.executable)
    args = p.parse_args()
    paths = pictures(args.photos, args.n)
    seconds = {"gmner": [], "rembg": []}
    with tempfile.TemporaryDirectory() as folder:
        same = agreement(args, folder, paths)
        for _ in range(args.rounds):
            for side in seconds:
                def argv(some):
                    if side == "rembg":
                        return [args.peer_python, "bench/peer_things.py", str(args.threads), "-"] + some
                    return gmner_argv(args, folder, some)
                all_s, one = cpu_s(argv(paths), args.threads), cpu_s(argv(paths[:1]), args.threads)
                seconds[side].append((all_s - one) / (len(paths) - 1))
    print("%d pictures, %d rounds, %d thread(s); CPU seconds a picture" % (len(paths), args.rounds, args.threads))
    for side, s in seconds.items():
        print("%-6s %.3f (%.3f to %.3f)" % (side, statistics.median(s), min(s), max(s)))
    print("gmner is %.1f times as fast" % (statistics.median(seconds["rembg"]) / statistics.median(seconds["gmner"])))
    print("masks: IoU of %.3f in the mean, %.3f in the median" % (statistics.mean(same), statistics.median(same)))


if __name__ == "__main__":
    main()
