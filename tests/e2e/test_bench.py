"""Every mode of bench/run.sh in its smallest form, without peers where it can do without: each has a figure for gmner,
and nothing of gmner is left out. What the figures are is no matter here."""
import os
import re
import subprocess

import gm

PHOTOS = os.path.join(gm.HOME, ".deps", "photos")
MINILM = os.path.join(gm.HOME, ".deps", "models", "minilm")


def bench(*words):
    """What bench/run.sh says; 77 is its word for a library that can't be had."""
    p = subprocess.run([os.path.join(gm.HOME, "bench", "run.sh"), *map(str, words)], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, check=False, env={**os.environ, "BENCH_PEERS": "no"})
    if p.returncode == 77:
        raise gm.Skip(p.stderr.strip().splitlines()[-1])
    assert p.returncode == 0, (words, p.returncode, p.stderr[-3000:])
    assert "gmner left out" not in p.stdout, p.stdout
    return p.stdout


def need_bf16():
    if not gm.cpu_has("avx512_bf16"):
        raise gm.Skip("this CPU does not multiply bf16, which some of it measures")


def figures(before, after, text):
    """The numbers between two patterns. Of so little work those that are differences may be below zero."""
    return [float(x.replace(",", "")) for x in re.findall(rf"(?m){before}(-?[\d.,]+){after}", text)]


def test_tasks():
    """Twice, as a run before leaves files behind. Adapters are measured on the small encoder."""
    need_bf16()
    words = ["--quick", "--gmner", gm.PROGRAM, "--threads", "1", "--large", MINILM]
    for again in (["--only", "train-bf16"], []):
        out = bench(*words, *again)
    tasks = set(re.findall(r"(?m)^(\S+) +\S+ +gmner +-?\d", out))
    assert len(tasks) == 15, out


def test_eval():
    out = bench("eval", "--gmner", gm.PROGRAM, "--posts", 200, "--reference-up-to", 200)
    assert out.count("counts equal") == 2, out


def test_similar():
    out = bench("similar", "--gmner", gm.PROGRAM, "--n", 40, "--rounds", 1, "--threads", 1)
    assert len(figures(r"^gmner.* 40 x 40: +", " ", out)) == 2, out


def test_text():
    out = bench("text", "--gmner", gm.PROGRAM, "--photos", PHOTOS, "--n", 2, "--rounds", 1)
    assert len(figures(r"^\S.* ", r" \(", out)) == 6, out


def test_serve():
    out = bench("serve", "--gmner", gm.PROGRAM, "--n-posts", 50, "--rounds", 1, "--seconds", 1, "--slow", 2,
                "--connections", 4, "--threads", 1, "--precision", "f32")
    assert len(figures("posts_per_s ", r" \(", out)) == 3, out


def test_things():
    out = bench("things", "--gmner", gm.PROGRAM, "--photos", PHOTOS, "--n", 2, "--rounds", 1)
    assert figures("^gmner is ", " times", out), out


def test_vision():
    need_bf16()
    out = bench("vision", "clip", "--photos", PHOTOS, "--n", 2, "--rounds", 1)
    assert len(figures(r"^  gmner \S+ +", r" \(", out)) == 2, out


def test_uncertainty():
    out = bench("uncertainty", "ner-default", os.path.join(gm.HOME, "demo", "dev.txt"))
    assert len(figures(r"^\|[^|]+\| +", " ", out)) > 3, out


gm.main(globals())
