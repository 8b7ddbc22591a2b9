#!/usr/bin/env python3
"""bench/run.sh serve: `gmner serve` under wrk beside `gmner predict` on the same posts, and beside FastAPI with PyTorch.

    bench/serve.py [--rounds N] [--threads N] [--connections N] [--seconds S] [--slow N] [--peer-python PYTHON]

In each round every program runs once, one after the other; a figure is the median over the rounds, with the least and
the most. posts_per_s is by the clock; posts_per_cpu_s by the processor time of the program alone (of the server and of
predict, less the start), which is what can be compared on a machine that is busy with other work. One request has one
post. `slow` is the same load while N connections send a byte every half second. wrk runs on the same cores."""
import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import run as bench

ROOT = bench.ROOT
TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(pid):
    """Processor time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A process that serves POST /v1/predict; `words` hold the port."""

    def __init__(self, words, port, env):
        self.url = f"http://127.0.0.1:{port}/v1/predict"
        self.process = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        body = json.dumps({"id": "0", "tokens": ["Paris", "in", "May"]}).encode()
        end = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(urllib.request.Request(
                        self.url, body, {"Content-Type": "application/json"}), timeout=60) as answer:
                    json.load(answer)
                return self
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise bench.Missing("the server does not answer") from None
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def load(server, args, posts):
    """What wrk says, and the server's processor time a second of it."""
    before = cpu_s(server.process.pid)
    words = ["wrk", "-t2", f"-c{args.connections}", f"-d{args.seconds}s", "--timeout", "30s",
             "-s", os.path.join(ROOT, "bench", "serve_posts.lua"), server.url, "--", posts]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    result = json.loads(out.splitlines()[-1])
    if result["errors"] or not result["requests"]:
        raise bench.Missing(f"wrk saw errors: {result}")
    return {"posts_per_s": result["requests"] / result["seconds"], "p50_ms": result["p50_ms"], "p99_ms": result["p99_ms"],
            "posts_per_cpu_s": result["requests"] / (cpu_s(server.process.pid) - before)}


class SlowClients:
    """Connections that send a byte every half second, and begin again when they are closed."""

    def __init__(self, n, port):
        self.n, self.port, self.over = n, port, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._drip)
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _drip(self):
        connections = [None] * self.n
        while not self.over.wait(0.5):
            for i, c in enumerate(connections):
                try:
                    if c is None:
                        c = connections[i] = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                        c.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nX: ")
                    c.sendall(b"a")
                except OSError:
                    if c:
                        c.close()
                    connections[i] = None
        for c in connections:
            if c:
                c.close()


def our_serve(args, env):
    port = free_port()
    words = [args.gmner, "serve", "--listen", f"127.0.0.1:{port}", "--recipe", "tag", "--precision", args.precision,
             "--threads", str(args.threads), "--header-timeout", "5"]
    with Server(words, port, env) as s:
        result = {"serve": load(s, args, args.posts_file + ".jsonl")}
        with SlowClients(args.slow, port):
            time.sleep(1)
            result["serve, slow clients beside"] = load(s, args, args.posts_file + ".jsonl")
    return result


def run_predict(args, path, env):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([args.gmner, "predict", path, "--recipe", "tag", "--precision", args.precision, "--threads",
                    str(args.threads), "-o", os.path.join(bench.WORK, "out.jsonl")], check=True, env=env,
                   stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def our_predict(args, env):
    one = os.path.join(bench.WORK, "one.jsonl")
    with open(args.posts_file + ".jsonl", encoding="utf-8") as f, open(one, "w", encoding="utf-8") as out:
        out.write(f.readline())
    start, whole = run_predict(args, one, env), run_predict(args, args.posts_file + ".jsonl", env)
    n = args.posts_count - 1
    return {"predict": {"posts_per_s": n / (whole[0] - start[0]), "posts_per_cpu_s": n / (whole[1] - start[1])}}


def peer(args, env):
    if not args.peer_python:
        return {}
    port = free_port()
    words = [args.peer_python, "-W", "ignore", os.path.join(ROOT, "bench", "peer_serve.py"), "--model", args.encoder,
             "--port", str(port), "--threads", str(args.threads), "--precision", args.precision]
    # threads that wait asleep, as gmner's do: on a busy machine it is several times faster with them
    with Server(words, port, {**env, "OMP_WAIT_POLICY": "passive"}) as s:
        return {"FastAPI and PyTorch": load(s, args, args.posts_file + ".jsonl")}


def median_of(rounds, name, figure):
    values = [r[name][figure] for r in rounds if figure in r.get(name, {})]
    return (statistics.median(values), min(values), max(values)) if values else None


def show(rounds, args):
    names = [n for n in ("predict", "serve", "serve, slow clients beside", "FastAPI and PyTorch") if n in rounds[0]]
    figures = ("posts_per_s", "posts_per_cpu_s", "p50_ms", "p99_ms")
    print(f"{args.connections} connections, {args.threads} threads, {args.precision}, {args.slow} slow clients, "
          f"{len(rounds)} rounds of {args.seconds} s: median (least, most)")
    for name in names:
        cells = [f"{f} {m[0]:,.1f} ({m[1]:,.1f}, {m[2]:,.1f})" for f in figures if (m := median_of(rounds, name, f))]
        print(f"{name:28} " + "  ".join(cells))
    for figure in ("posts_per_s", "posts_per_cpu_s"):
        ratios = [r["serve"][figure] / r["predict"][figure] for r in rounds]
        print(f"serve / predict, {figure}: {statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gmner", default=os.path.join(ROOT, "build", "gmner"))
    parser.add_argument("--encoder", default=os.path.join(ROOT, ".deps", "models", "minilm"))
    parser.add_argument("--posts", default="", help="CoNLL file (default: made-up posts of tweets' lengths)")
    parser.add_argument("--n-posts", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--slow", type=int, default=200)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--peer-python", help="an interpreter with PyTorch and FastAPI")
    args = parser.parse_args()
    bench.write_posts(args, "posts", args.posts, args.n_posts)
    env = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    rounds = []
    for i in range(args.rounds):
        rounds.append({**our_predict(args, env), **our_serve(args, env), **peer(args, env)})
        print(f"round {i + 1}: {json.dumps(rounds[-1])}", file=sys.stderr, flush=True)
    show(rounds, args)


if __name__ == "__main__":
    main()
