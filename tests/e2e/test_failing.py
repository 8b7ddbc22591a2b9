"""Every command where memory runs out, or a file can't be opened, read, written, made durable or renamed: the status
says failed, the message names the cause, no file is left half written, nothing leaks (in a build with AddressSanitizer).
The calls fail in tests/e2e/failing.c, one in each run: first all calls of a command are listed, then those that fail
are chosen. By default a few of each kind; with GM_EVERY=1 (make test-long) one of each way to get there by the call
stack, and some once more with all calls behind failing too; GM_SHARE=7 takes every seventh of them, and GM_FAILING_SHOW=1
prints counts."""
import collections
import concurrent.futures
import functools
import hashlib
import json
import os
import re
import struct
import subprocess
import tempfile
import zlib

import gm
import posts_data
import tiny_model

LIBRARY = os.environ["GM_FAILING_LIBRARY"]
EVERY = os.environ.get("GM_EVERY") == "1"
SHARE = int(os.environ.get("GM_SHARE", "1"))
FEW = {"alloc": 3, "open": 2, "read": 2, "write": 2, "fsync": 1, "rename": 1}  # of a kind and command by default
CAUSES = {  # what the message has to say, by the kind of call that failed
    "alloc": "memory", "open": "Too many open files", "read": "Input/output error", "write": "No space left",
    "fsync": "Input/output error", "rename": "Permission denied"}
OWN_WORDS = "|unable to open database|disk I/O error|disk is full|could not be read from the disk|(picture sizes that|whose size) nothing tells"  # SQLite's, and ours

_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-failing-")
W = _dir.name
ENV = {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1", "GMNER_HOME": os.path.join(W, "home"),
       "GMNER_MODELS": os.path.join(W, "home", "models"),
       # the library stands before the sanitizer's, whose allocator it calls
       "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")}

# A command: its words, where {w} is the folder of the inputs and {d} that of the outputs; the files that it writes and,
# where they stand, replaces; a pattern for what it may leave when it fails: what it goes on from when run again.
Case = collections.namedtuple("Case", "words outputs keeps", defaults=((), None))
CASES = {
    "predict": Case("predict {w}/posts.txt --from text --recipe tag --tagger {w}/model --precision f32 -o {d}/out.jsonl",
                    ["out.jsonl"]),
    "predict-conll": Case("predict {w}/dev.conll --from conll --recipe tag --tagger {w}/model --precision f32"),
    "predict-ensemble": Case("predict {w}/dev.conll --recipe tag --tagger {w}/both --precision f32"),
    "predict-page": Case("predict {w}/dev.conll --recipe tag --tagger {w}/model --precision f32 -o {d}/out.jsonl "
                         "--html {d}/out.html", ["out.jsonl", "out.html"]),
    "predict-run": Case("predict {w}/posts.txt --from text --recipe tag --tagger {w}/model --precision f32 "
                        "-o {d}/out.jsonl --run {d}/run", ["out.jsonl"], r"run(/.*)?"),
    "eval": Case("eval --gold {w}/dev.conll --pred {w}/pred.jsonl --details --bootstrap 20"),
    "eval-page": Case("eval --gold {w}/dev.conll --pred {w}/pred.jsonl --json --html {d}/page.html --calibration "
                      "--svg {d}/curves.svg", ["page.html", "curves.svg"]),
    "convert-conll": Case("data convert {w}/pred.jsonl {d}/out.conll", ["out.conll"]),
    "convert-jsonl": Case("data convert {w}/dev.conll {d}/out.jsonl", ["out.jsonl"]),
    "convert-coco": Case("data convert {w}/boxes.jsonl {d}/out.json --to coco", ["out.json"]),
    "convert-labelstudio": Case("data convert {w}/boxes.jsonl {d}/out.json --to labelstudio", ["out.json"]),
    "convert-voc": Case("data convert {w}/boxes.jsonl {d}/xml --to voc", (), r"xml(/.*)?"),
    "check": Case("data check {w}/train.conll {w}/dev.conll"),
    "stats": Case("data stats {w}/boxes.jsonl --json --svg {d}/stats.svg", ["stats.svg"]),
    "split": Case("data split {w}/train.conll --parts a=0.5,b=0.5 --out-dir {d}/parts", (), r"parts(/(a|b)\.\w+)?"),
    "train": Case("train --train {w}/dev.conll --dev {w}/dev.conll --encoder {w}/encoder -o {d}/model --epochs 1 "
                  "--precision f32", (), r"model(/.*)?"),
    "models-list": Case("models list"),
    "models-check": Case("models check tiny"),
    "models-calibrate": Case("models calibrate {d}/model --dev {w}/dev.conll", (), r"model(/(?!gmner\.json).*)?"),
    "models-average": Case("models average {w}/model {w}/model -o {d}/model --overwrite", (), r"model(/.*)?"),
    "models-ensemble": Case("models ensemble {w}/model {w}/other -o {d}/model --overwrite", (), r"model(/.*)?"),
    "models-quantise": Case("models quantise {w}/model -o {d}/model --overwrite", (), r"model(/.*)?"),
    "view": Case("view {w}/boxes.jsonl"),
    "view-page": Case("view {w}/boxes.jsonl -o {d}/page.html --png {d}/png", ["page.html"], r"png(/.*)?"),
    "runs-show": Case("runs show {w}/run"),
    "runs-merge": Case("runs merge {w}/run -o {d}/out.jsonl", ["out.jsonl"]),
    "similar": Case("similar {w}/dev.conll --pool {w}/train.conll --encoder {w}/encoder -o {d}/out.jsonl", ["out.jsonl"]),
    "guide": Case("guide {w}/boxes.jsonl --fine {w}/boxes.jsonl --types {w}/types.yaml -o {d}/guide.yaml", ["guide.yaml"]),
    "tune": Case("tune --stage refine --gold {w}/dev.conll --pred {w}/pred.jsonl -o {d}/tuned.yaml --svg {d}/curve.svg",
                 ["tuned.yaml", "curve.svg"]),
    "tune-entail": Case("tune --stage entail --gold {w}/seen.jsonl --pred {w}/judged.jsonl {w}/asked.jsonl --json"),
}


def png(w, h):
    """A grey picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + b"\x80" * w for _ in range(h))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def put(name, data):
    path = os.path.join(W, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


def prepare():
    """The inputs of all commands."""
    tiny_model.write(os.path.join(W, "encoder"))
    train, dev = put("train.conll", posts_data.conll()), put("dev.conll", posts_data.conll(n=6))
    put("posts.txt", "Anna lives in Rome .\nBert visits Paris .\n")
    put("photo.png", png(40, 30))
    put("types.yaml", "PER: A person.\n")
    box = {"text": "Anna", "type": "PER", "regions": [{"box": [1, 2, 20, 25], "score": 0.9}], "start": 0, "end": 4}
    put("boxes.jsonl", "".join(json.dumps({"id": str(i), "text": "Anna in Rome", "image": "photo.png", "entities": [box]})
                               + "\n" for i in range(2)))
    for name, yes in (("seen", None), ("judged", 0.7), ("asked", 0.6)):  # right in 4 of 5, and in 3 of 4
        put(name + ".jsonl", "".join(json.dumps({"id": str(i), "text": "Anna in Rome", "entities": [
            {"text": "Anna", "type": "PER", "start": 0, "end": 4, **(
                {"regions": box["regions"] if i % 2 else []} if yes is None else
                {"visible": yes if (i % 2) == (i % (5 if yes > 0.6 else 4) > 0) else round(1 - yes, 6)})}]}) + "\n"
            for i in range(60)))
    data = b"weights of a model"
    put("home/models/tiny/a.bin", data)
    put("home/models/tiny.json", json.dumps({
        "name": "tiny", "task": "tag", "summary": "nothing", "licence": "none",
        "files": [{"path": "a.bin", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}]}))
    for folder in ("recipes", "prompts"):
        os.symlink(os.path.join(gm.HOME, folder), os.path.join(W, "home", folder))
    gm.expect_ok(gm.run("train", "--train", train, "--encoder", os.path.join(W, "encoder"), "-o", os.path.join(W, "model"),
                        "--epochs", "8", "--lr", "0.005", "--precision", "f32", env=ENV))
    gm.expect_ok(gm.run("train", "--train", train, "--encoder", os.path.join(W, "model"), "-o", os.path.join(W, "other"),
                        "--epochs", "1", "--precision", "f32", env=ENV))
    gm.expect_ok(gm.run("models", "ensemble", *(os.path.join(W, m) for m in ("model", "other")), "-o", os.path.join(W, "both"), env=ENV))
    tag = ("--recipe", "tag", "--tagger", os.path.join(W, "model"), "--precision", "f32")
    gm.expect_ok(gm.run("predict", dev, *tag, "-o", os.path.join(W, "pred.jsonl"), env=ENV))
    gm.expect_ok(gm.run("predict", dev, *tag, "-o", os.path.join(W, "merged.jsonl"), "--run", os.path.join(W, "run"), env=ENV))


def tree(folder):
    """{name: bytes, None for a folder} of all that is in it."""
    found = {}
    for root, dirs, files in os.walk(folder):
        for name in dirs + files:
            path = os.path.join(root, name)
            with open(path, "rb") if name in files else open(os.devnull, "rb") as f:
                found[os.path.relpath(path, folder)] = f.read() if name in files else None
    return found


class Run:
    """One run of a case in a folder of its own: code (None: it hung), out, err and files."""

    def __init__(self, case, failing=None, old=False, again=False):
        with tempfile.TemporaryDirectory(prefix="gm-failing-", dir=W) as d:
            self.case, self.failing = case, failing
            if "{d}/model --dev" in case.words:
                subprocess.run(["cp", "-r", os.path.join(W, "model"), d], check=True)
            if old:
                for name in case.outputs:
                    with open(os.path.join(d, name), "wb") as f:
                        f.write(b"what was there before\n")
            self.before = tree(d)
            log = os.path.join(W, "log-" + os.path.basename(d))
            env = {**os.environ, **ENV, "LD_PRELOAD": LIBRARY, "GM_FAILING_LOG": log}
            if failing:
                env["GM_FAILING"] = failing
            self.start(case, d, env)
            self.files = tree(d)
            self.log = []
            if os.path.exists(log):
                with open(log, encoding="utf-8") as f:
                    self.log = [line.split() for line in f]
                os.remove(log)
            self.again = None
            if again:
                del env["LD_PRELOAD"]
                first = self.code, self.out, self.err
                self.start(case, d, env)
                self.again, self.again_files = (self.code, self.out, self.err), tree(d)
                self.code, self.out, self.err = first

    def start(self, case, d, env):
        try:
            p = subprocess.run([gm.PROGRAM, *case.words.format(w=W, d=d).split()], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=gm.TIMEOUT_S, check=False)
            self.code, out, err = p.returncode, p.stdout, p.stderr
        except subprocess.TimeoutExpired:
            self.code, out, err = None, b"", b""
        self.out = out.decode("utf-8", "replace").replace(d, "{d}")
        self.err = err.decode("utf-8", "replace").replace(d, "{d}")

    def fault(self, good):
        """What is wrong with it beside a run in which nothing failed; None: nothing."""
        kind = self.failing.split(":")[0]
        if self.code is None:
            return "it hangs"
        if self.code < 0:
            return f"killed by signal {-self.code}: {self.err[-800:]}"
        for mark in ("AddressSanitizer", "LeakSanitizer", "runtime error:"):
            if mark in self.err:
                return self.err[-3000:]
        if self.code not in (0, 1, 3):
            return f"status {self.code}: {self.err[-500:]}"
        if self.code == good.code and self.out == good.out and same_files(self, good):
            return None
        # what went wrong with one post is told beside it: in its record, or on the page
        texts = [v.decode("utf-8", "replace") for k, v in self.files.items() if k in self.case.outputs]
        said = self.err + ("".join([self.out, *texts]) if self.code in (3, good.code) else "")
        if not re.search(CAUSES[kind] + OWN_WORDS, said):
            return f"status {self.code}, and the cause ({CAUSES[kind]}) is not told: {self.err[-500:]}"
        if self.code == 0 and not all(t.endswith(("}\n", "]\n", "</html>\n")) for t in texts):
            return f"status 0, and a file is half written: {self.err[-500:]}"
        if self.code == 1 and not re.search("^gmner: error: ", self.err, re.M):
            return f"no line of error: {self.err[-800:]}"
        return self.left(good)

    def left(self, good):
        """What is wrong with the files that it left."""
        for name, data in self.files.items():
            if ".tmp" in name:
                return f"{name} is left"
            if name in self.before and data == self.before[name] or name in good.files and data == good.files[name]:
                continue
            if name in self.case.outputs and self.code in (3, good.code):
                continue
            if not (self.case.keeps and re.fullmatch(self.case.keeps, name)):
                return f"{name} is left, or half written: {len(data)} bytes"
        if self.again and (self.again[0] != good.code or not same_files(self, good, self.again_files)):
            return f"when run again: status {self.again[0]}: {self.again[2][-500:]}"
        return None


def same_files(run, good, files=None):
    files = run.files if files is None else files
    names = run.case.outputs or [n for n in good.files if not n.endswith((".db", ".jsonl", ".log"))]
    return all(files.get(n) == good.files.get(n) for n in names)


def chosen(calls):
    """What to let fail: "KIND:N" of the calls in a listing."""
    ways, out = collections.defaultdict(dict), []
    for kind, n, place, stack in calls:
        ways[kind].setdefault(stack, int(n))
    for kind, stacks in ways.items():
        each = sorted(stacks.values())
        each = each[::SHARE]
        if not EVERY:
            k = min(FEW[kind], len(each))
            each = [each[(2 * i + 1) * len(each) // (2 * k)] for i in range(k)]
        out += [f"{kind}:{n}" for n in each]
        if EVERY:
            out += [f"{kind}:{n}+" for n in each[::4]]
    return out


@functools.cache
def good_run(name):
    return Run(CASES[name])


def check(name):
    case, good = CASES[name], good_run(name)
    assert good.code in (0, 3), f"{name}: status {good.code}: {good.err}"
    todo = chosen(good.log)
    assert todo, f"{name}: no call was counted"
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = list(pool.map(lambda f: Run(case, f, old=f.rstrip("+")[-1] in "02468", again=name != "train" and f.startswith(("fsync", "rename"))), todo))
    faults = [f"{name}, {r.failing} in {r.log[0][2] if r.log else '?'}: {fault}" for r in runs if (fault := r.fault(good))]
    if os.environ.get("GM_FAILING_SHOW"):
        print(f"{name}: {len(good.log)} calls, {len(todo)} let fail, {len(faults)} faults", flush=True)
    assert not faults, f"{len(faults)} of {len(runs)} runs:\n" + "\n".join(faults[:40])


def check_halved(name):
    """Reads and writes that do a part of what they were asked, or nothing as a signal came, are asked again."""
    good, halved = good_run(name), Run(CASES[name], "short")
    assert halved.code == good.code and halved.out == good.out and same_files(halved, good), (name, halved.code, halved.err)


prepare()
for _name in CASES:
    globals()["test_" + _name.replace("-", "_")] = lambda name=_name: check(name)


def test_short_reads_and_writes():
    for name in CASES:
        check_halved(name)


if __name__ == "__main__":
    gm.main(dict(globals()))
