#!/usr/bin/env python3
"""A plain host of libgmner beside the program, on the same posts in the same run.

    bench/embed.py POSTS.jsonl [--recipe tag] [--times 5] [--posts 1500]

The host (tests/e2e/embed.c, built as build/tests/embed) links the library and sets nothing of OpenMP. It and the program
take turns, `times` rounds; of each way the medians of wall and CPU seconds, start and all, and by how much the host is
slower or faster (posts a second of the host by those of the program; over 1 is faster). Where the machine is shared, CPU
seconds tell more. Records must be the same, byte for byte. Prints one JSON line a way.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOST = os.path.join(ROOT, "build", "tests", "embed")
PROGRAM = os.path.join(ROOT, "build", "gmner")


def timed(command, given):
    """Wall and CPU seconds, and what it wrote."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(given, "rb") as f:
        p = subprocess.run(command, stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if p.returncode:
        raise SystemExit(f"{command}: {p.stderr.decode()[-1000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, p.stdout


def main():
    arg = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arg.add_argument("file")
    arg.add_argument("--recipe", default="tag")
    arg.add_argument("--times", type=int, default=5)
    arg.add_argument("--posts", type=int, default=1500)
    a = arg.parse_args()
    with open(a.file, encoding="utf-8") as f:
        lines = f.readlines()[:a.posts]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as given:
        given.writelines(lines)
        given.flush()
        ways = {"program": [PROGRAM, "predict", "-", "--recipe", a.recipe],
                "host, a stream": [HOST, a.recipe], "host, 128 posts a call": [HOST, a.recipe, "batch=128"],
                "host, 8 posts a call": [HOST, a.recipe, "batch=8"], "host, 1 post a call": [HOST, a.recipe, "batch=1"]}
        runs = {name: [] for name in ways}
        for _ in range(a.times):
            for name, command in ways.items():
                runs[name].append(timed(command, given.name))
    want = runs["program"][0][2]
    base = [statistics.median(r[i] for r in runs["program"]) for i in (0, 1)]
    for name, of in runs.items():
        assert all(r[2] == want for r in of), f"{name}: other records"
        wall, cpu = (statistics.median(r[i] for r in of) for i in (0, 1))
        print(json.dumps({"way": name, "recipe": a.recipe, "posts": len(lines), "times": a.times,
                          "wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "posts_a_cpu_s": round(len(lines) / cpu, 1),
                          "speed_by_wall": round(base[0] / wall, 2), "speed_by_cpu": round(base[1] / cpu, 2),
                          "cpu_spread": [round(min(r[1] for r in of), 2), round(max(r[1] for r in of), 2)]}))


main()
