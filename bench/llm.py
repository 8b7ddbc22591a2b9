"""make bench-llm: what gmner adds to a language model server's own time, measured on the whole program
with its run folder and its reply cache, and beside it the usual script.

    bench/llm.py BUILD_DIR [--rounds N] [--skip-peer]

The server is tests/llm_server's (C, a fixed latency of 200 ms, 64 slots). Processor time is that of the
gmner process from its start to its end (getrusage), reading, prompts, JSON, HTTP and both stores
included: on a machine busy with other work it is what can be compared."""
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LATENCY_S, SLOTS = 0.2, 64
PHOTO = os.path.join(HOME, ".deps", "photos", "grace_hopper.jpg")
ENTITIES = (("Ann Lee", "PER", 0), ("Rome", "LOC", 11), ("FIFA", "ORG", 20))


class Server:
    def __init__(self, build, latency_s):
        self._p = subprocess.Popen([os.path.join(build, "tests", "scripted_server"), "--latency-ms",
                                    str(latency_s * 1000), "--slots", str(SLOTS)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{int(self._p.stdout.readline())}/v1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._p.stdin.close()
        self._p.wait()


def write_posts(path, n, image):
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            post = {"id": str(i), "text": f"Ann Lee in Rome for FIFA tonight, number {i} of many",
                    "entities": [{"text": t, "type": k, "start": s, "end": s + len(t)} for t, k, s in ENTITIES]}
            f.write(json.dumps(dict(post, image=image) if image else post) + "\n")


def count_right(path, stage):
    with open(path, encoding="utf-8") as f:
        posts = [json.loads(line) for line in f]
    if stage == "look":
        return sum(bool(p.get("caption")) for p in posts)
    want = [f"a thing number {k}" for k in (1, 2, 3)]
    return sum([e.get("expression") for e in p["entities"]] == want for p in posts)


def gmner(build, stage, n, image=None):
    """One run of the program in a fresh folder: its times."""
    folder = tempfile.mkdtemp(prefix="gm-bench-llm-")
    try:
        at = lambda name: os.path.join(folder, name)  # noqa: E731
        write_posts(at("posts.jsonl"), n, image)
        with open(at("r.yaml"), "w", encoding="utf-8") as f:
            f.write(f"name: bench\nstages:\n  - stage: {stage}\n    backend: llm\n")
        with Server(build, LATENCY_S) as server:
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            p = subprocess.run([os.path.join(build, "gmner"), "predict", at("posts.jsonl"), "-r", at("r.yaml"), "-o",
                                at("out.jsonl"), "--endpoint", server.url, "--in-flight", str(SLOTS)],
                               env={**os.environ, "GMNER_HOME": HOME, "GMNER_CACHE": at("cache.sqlite")},
                               stderr=subprocess.PIPE, check=False)
            wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if p.returncode or count_right(at("out.jsonl"), stage) != n:
            sys.exit("bench-llm: wrong results\n" + p.stderr.decode()[-2000:])
        user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        return {"wall_s": wall, "cpu_s": user + system, "user_s": user, "system_s": system}
    finally:
        shutil.rmtree(folder)


def report(name, n, ideal_s, runs):
    """The round with the least processor time, which is the one that other work disturbed least."""
    best = min(runs, key=lambda r: r["cpu_s"])
    print(json.dumps({"task": name, "posts": n, "ideal_s": round(ideal_s, 3), "wall_s": round(best["wall_s"], 3),
                      "times_ideal": round(best["wall_s"] / ideal_s, 3), "cpu_s": round(best["cpu_s"], 3),
                      "user_s": round(best["user_s"], 3), "core_share": round(best["cpu_s"] / best["wall_s"], 4),
                      "us_a_post": round(1e6 * best["cpu_s"] / n), "rounds": len(runs)}), flush=True)


def main():
    p = argparse.ArgumentParser(prog="bench/llm.py")
    p.add_argument("build")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--skip-peer", action="store_true")
    args = p.parse_args()
    n = 5000
    report("expand", n, n / SLOTS * LATENCY_S, [gmner(args.build, "expand", n) for _ in range(args.rounds)])
    if os.path.exists(PHOTO):
        n = 640  # posts with a photo of 512 x 600
        report("look", n, n / SLOTS * LATENCY_S, [gmner(args.build, "look", n, PHOTO) for _ in range(args.rounds)])
    if args.skip_peer:
        return
    print("the usual script, server without latency: 0.2 s a post come on top")
    with Server(args.build, 0) as server, tempfile.TemporaryDirectory() as folder:
        for n in (500, 1000, 2000):
            subprocess.run([sys.executable, os.path.join(HOME, "bench", "peer_llm.py"), server.url, str(n),
                            os.path.join(folder, "out.json")], check=True)


if __name__ == "__main__":
    main()
