#!/usr/bin/env python3
"""Measures the stage read beside RapidOCR on its default runtime (peer_text.py), on the same pictures and
threads, in turn.

Use: bench/run.sh text [--photos DIR] [--n 60] [--rounds 3] [--threads 1] [--peer-python P]

CPU seconds a picture, of all threads together: (those of N pictures less those of the first alone) / (N - 1),
so that neither side's start counts; the median of the rounds. On a machine that does other work trust the
ratio and not the seconds.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile

# Settings of the stage read. RapidOCR's own are the last two; those before look first whether there is any text.
RAPIDOCR = "    side: 736\n    pixels: 3000000\n    upright: 1\n"
KINDS = {"embedded": "    glance: 160\n    pixels: 200000\n    lines: 8\n    tight: true\n", "read": "",
         "glance 256, bf16": RAPIDOCR + "    glance: 256\n",
         "glance 256, f32": RAPIDOCR + "    glance: 256\n    precision: f32\n",
         "as RapidOCR, bf16": RAPIDOCR + "    glance: 0\n",
         "as RapidOCR, f32": RAPIDOCR + "    glance: 0\n    precision: f32\n"}


def cpu_s(argv, threads):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pictures(folder, n):
    """The paths of n pictures, spread over the folder."""
    if not os.path.isdir(folder):
        raise SystemExit("bench: no folder %s; name one with pictures: --photos DIR" % folder)
    names = sorted(x for x in os.listdir(folder) if x.endswith((".jpg", ".png")))
    return [os.path.abspath(os.path.join(folder, x)) for x in names[::max(1, len(names) // n)]][:n]


def gmner_argv(args, folder, kind, paths):
    recipe, posts = os.path.join(folder, "r.yaml"), os.path.join(folder, "%d.jsonl" % len(paths))
    with open(recipe, "w", encoding="utf-8") as f:
        f.write("name: r\nstages:\n  - stage: read\n    backend: ppocr\n" + KINDS[kind])
    with open(posts, "w", encoding="utf-8") as f:
        f.writelines(json.dumps({"text": "", "image": p}) + "\n" for p in paths)
    return [args.gmner, "predict", "--recipe", recipe, posts, "-o", os.path.join(folder, "out.jsonl")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--gmner", default="build/gmner")
    p.add_argument("--photos", default="../shared/data/tweets-with-images/images")
    p.add_argument("--n", type=int, default=60)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--peer-python")
    args = p.parse_args()
    paths = pictures(args.photos, args.n)
    sides = list(KINDS) + (["RapidOCR"] if args.peer_python else [])
    seconds = {s: [] for s in sides}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.rounds):
            for s in sides:
                def argv(some):
                    if s == "RapidOCR":
                        return [args.peer_python, "bench/peer_text.py", str(args.threads)] + some
                    return gmner_argv(args, folder, s, some)
                all_s, one = cpu_s(argv(paths), args.threads), cpu_s(argv(paths[:1]), args.threads)
                seconds[s].append((all_s - one) / (len(paths) - 1))
    print("%d pictures, %d rounds, %d thread(s); CPU seconds a picture" % (len(paths), args.rounds, args.threads))
    peer = statistics.median(seconds["RapidOCR"]) if args.peer_python else None
    for s in sides:
        mine = statistics.median(seconds[s])
        print("%-20s %.3f (%.3f to %.3f)%s" % (s, mine, min(seconds[s]), max(seconds[s]),
                                               ", %.1f times as fast as RapidOCR" % (peer / mine) if peer else ""))


if __name__ == "__main__":
    main()
