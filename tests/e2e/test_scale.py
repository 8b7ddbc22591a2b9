"""A job in parts, as clusters run it: the files of examples/ by the commands in them, and (long tier) a thousand
parts of which many die. The stages are real and need no model: template expressions and the object rule."""
import json
import os
import random
import re
import subprocess
import time

import gm

RECIPE = "name: parts\nstages:\n  - stage: expand\n  - stage: ground\n    backend: objects\n    visible: 0\n"


def posts(n):
    """Lines of posts with entities and objects."""
    rng = random.Random(3)
    for i in range(n):
        x = rng.uniform(0, 50)
        yield json.dumps({"id": f"p{i}", "text": f"Anna visits Rome {i}", "image": "p.jpg",
                          "entities": [{"text": "Anna", "type": "PER", "start": 0, "end": 4}],
                          "objects": [{"label": "person", "score": 0.8, "box": [x, 2, x + 30, 60]}]}) + "\n"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def example(name):
    return read(os.path.join(gm.HOME, "examples", name))


def whole(d, n):
    """The input, the recipe, and what one machine makes of it."""
    d.write("posts.jsonl", "".join(posts(n)))
    d.write("p.jpg", b"")
    d.write("parts.yaml", RECIPE)
    gm.expect_ok(gm.run("predict", d / "posts.jsonl", "--recipe", d / "parts.yaml", "-o", d / "whole.jsonl"))
    os.makedirs(d / "out")
    return read(d / "whole.jsonl")


def shell(d, script, **env):
    path = os.path.dirname(gm.PROGRAM) + ":" + os.environ["PATH"]
    p = subprocess.run(["bash", "-c", script], cwd=d.path, capture_output=True, text=True, check=False,
                       env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **env})
    return p


def merge(d, text):
    """By the command in the example's comment."""
    command = re.sub(r"/(?:shared|data)/out/", d / "out/", re.search(r"gmner runs merge.*", text)[0])
    command = re.sub(r"-o \S+", f"-o {d / 'all.jsonl'}", command)
    p = shell(d, command)
    assert p.returncode == 0 and "missing=0 duplicates=0" in p.stderr, p.stderr
    return read(d / "all.jsonl")


def test_slurm_array():
    text = example("slurm/predict.sh")
    first, last = map(int, re.search(r"^#SBATCH --array=(\d+)-(\d+)$", text, re.M).groups())
    cores = re.search(r"^#SBATCH --cpus-per-task=(\d+)$", text, re.M)[1]
    with gm.Folder() as d:
        expected = whole(d, 230)
        for task in range(first, last + 1):
            p = shell(d, text, SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_TASK_COUNT=str(last - first + 1),
                      SLURM_CPUS_PER_TASK=cores, POSTS=d / "posts.jsonl", OUT=d / "out", RECIPE=d / "parts.yaml")
            assert p.returncode == 0, p.stderr
        assert merge(d, text) == expected


def test_kubernetes_job():
    text = example("kubernetes/predict.yaml")
    n = int(re.search(r"^  completions: (\d+)$", text, re.M)[1])
    block = re.search(r"args:\n            - \|\n((?: {14}.*\n)+)", text)[1]
    with gm.Folder() as d:
        expected = whole(d, 230)
        script = block.replace("/data/", d.path + "/").replace("--recipe embedded", f"--recipe {d / 'parts.yaml'}")
        for index in range(n):
            p = shell(d, "set -e\n" + script, JOB_COMPLETION_INDEX=str(index))
            assert p.returncode == 0, p.stderr
        assert merge(d, text) == expected


def run_parts(d, parts, n, killed=()):
    """Two at a time; those of `killed` die at some moment of their work. Which of them really did."""
    rng, died, running = random.Random(5), set(), []
    env = {**os.environ, "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1"}

    def collect(most):
        while len(running) > most:
            p, i, end = running.pop(0)
            if end:
                time.sleep(max(0, end - time.monotonic()))
                p.kill()
            code = p.wait()
            assert code in ((0, -9) if end else (0,)), (i, code)
            if code:
                died.add(i)

    for i in parts:
        p = subprocess.Popen([gm.PROGRAM, "predict", d / "posts.jsonl", "-r", d / "parts.yaml", "--shard", f"{i}/{n}",
                              "--run", d / f"out/part{i}.run", "-o", d / f"out/part{i}.jsonl"], env=env,
                             stderr=subprocess.DEVNULL)
        running.append((p, i, time.monotonic() + rng.uniform(0.001, 0.05) if i in killed else None))
        collect(1)
    collect(0)
    return died


def test_a_thousand_parts():
    if not os.environ.get("GM_EVERY"):
        raise gm.Skip("a thousand processes take minutes: e2e/scale_all has them")
    n, rng = 1000, random.Random(11)
    with gm.Folder() as d:
        expected = whole(d, 5000)
        killed = set(rng.sample(range(1, n + 1), 300))
        died = run_parts(d, range(1, n + 1), n, killed)
        assert len(died) > 100, len(died)
        # Some parts never came back: their posts are missing, each is named, the others stay in order.
        runs = [d / f"out/part{i}.run" for i in rng.sample(range(1, n + 1), n)]
        runs = [run for run in runs if os.path.exists(os.path.join(run, "lock"))]
        r = gm.run("runs", "merge", *runs, "-o", d / "gaps.jsonl")
        gaps = read(d / "gaps.jsonl").splitlines()
        missing = int(re.search(r"missing=(\d+)", r.err)[1])
        assert r.code == 3 and missing > 0 and len(gaps) == 5000 - missing, r.err[-500:]
        order = {line: k for k, line in enumerate(expected.splitlines())}
        places = [order[line] for line in gaps]
        assert places == sorted(places)
        # The same commands again: only what died is done.
        run_parts(d, sorted(died), n)
        r = gm.expect_ok(gm.run("runs", "merge", *[d / f"out/part{i}.run" for i in range(1, n + 1)],
                                "-o", d / "all.jsonl"))
        assert "posts=5000 failed=0 unreadable_lines=0 missing=0 duplicates=0" in r.err, r.err
        assert read(d / "all.jsonl") == expected


if __name__ == "__main__":
    gm.main(globals())
