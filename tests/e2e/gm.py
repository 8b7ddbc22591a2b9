"""Running the program from whole-program tests, and the little runner of those tests.

A test script defines functions test_*; `gm.main(globals())` runs them all, prints what failed, and
exits with 1 when one did, with 77 when all were skipped. Python's standard library only.
GMNER is the program, GMNER_HOME the root of the sources; with GM_INSTALLED the program finds its files by itself.
"""
import functools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

PROGRAM = os.environ["GMNER"]
HOME = os.environ["GMNER_HOME"]
if os.environ.get("GM_INSTALLED"):
    del os.environ["GMNER_HOME"]
TIMEOUT_S = int(os.environ.get("GM_TIMEOUT", "300"))


class Skip(Exception):
    """Raised by a test that can't run here; its text says why, and tools/run_tests.py lists it."""


@functools.cache
def is_sanitized():
    """Whether the program was built with a sanitizer of memory or threads: slower, and never smaller."""
    with open(PROGRAM, "rb") as f:
        program = f.read()
    return b"__asan_init" in program or b"__tsan_init" in program


@functools.cache
def cpu_has(flag):
    """Whether this CPU has such an extension, by a part of the kernel's name of it: "vnni" (dot products of int8, which
    --precision int8 needs), "avx512f"."""
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return flag in f.read()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def posts(self):
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def errors(self):
        """The error lines of standard error, without their beginning."""
        mark = "gmner: error: "
        return [l[len(mark):] for l in self.err.splitlines() if l.startswith(mark)]


def until(what, holds, every_s=0.01):
    """Wait for it, however slow the machine is."""
    end = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < end, f"{what}: never"
        time.sleep(every_s)


def run(*args, stdin="", env=None, stdout=None, cwd=None, program=PROGRAM):
    """Run the program; stdin is text or bytes. A death by a signal fails the test."""
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    words = [a if isinstance(a, bytes) else str(a) for a in args]
    p = subprocess.run([program, *words], input=data, stdout=stdout or subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=TIMEOUT_S, env={**os.environ, **(env or {})},
                       cwd=cwd, check=False)
    out = (p.stdout or b"").decode("utf-8")
    err = p.stderr.decode("utf-8", "replace")
    assert p.returncode >= 0, f"killed by signal {-p.returncode}: {args}\n{err[-2000:]}"
    for bad in ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer"):
        assert bad not in err, f"{bad}: {args}\n{err[-4000:]}"
    return Result(p.returncode, out, err)


def kill_runs(words, env, *waits):
    """Start the program with these words for each of the waits (seconds), and kill it then; how many were killed."""
    killed = 0
    for wait_s in waits:
        p = subprocess.Popen([PROGRAM, *words], stderr=subprocess.DEVNULL, env={**os.environ, **env})
        time.sleep(wait_s)
        p.send_signal(signal.SIGKILL)
        killed += p.wait() == -signal.SIGKILL
    return killed


def n_stored(run):
    """Results in the store of a run folder; 0 while there is none yet."""
    try:
        with sqlite3.connect(f"file:{run}/store.sqlite?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM result").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def kill_as_results_come(words, run, output):
    """Start the program with these words three times, and kill it each time as soon as the run folder has one more result:
    none is lost, and there is no output yet. How many are stored then."""
    stored = 0
    for _ in range(3):
        with subprocess.Popen([PROGRAM, *words], stderr=subprocess.DEVNULL) as p:
            while p.poll() is None and n_stored(run) <= stored:
                time.sleep(0.002)
            p.send_signal(signal.SIGKILL)
        assert not os.path.exists(output)
        assert n_stored(run) >= stored, "results were lost"
        stored = n_stored(run)
    return stored


def expect(result, code, *parts):
    """The status is `code` and exactly one error line has all of `parts`; returns the result."""
    assert result.code == code, f"status {result.code}, not {code}: {result.err[-2000:]}"
    assert len(result.errors) == 1, f"{len(result.errors)} error lines, not 1: {result.err[-2000:]}"
    for part in parts:
        assert part in result.errors[0], f"{part!r} is not in {result.errors[0]!r}"
    return result


def expect_ok(result):
    assert result.code == 0, f"status {result.code}: {result.err[-2000:]}"
    assert not result.errors, result.err[-2000:]
    return result


class Folder:
    """A temporary folder: `with Folder() as d: d.write("x.txt", "...")`."""

    def __enter__(self):
        self._dir = tempfile.TemporaryDirectory(prefix="gm-e2e-")
        self.path = self._dir.name
        return self

    def __exit__(self, *_):
        for root, dirs, _files in os.walk(self.path):
            for path in (os.path.join(root, name) for name in dirs):
                if not os.path.islink(path):  # what a link leads to is not the test's
                    os.chmod(path, 0o700)
        self._dir.cleanup()

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def write(self, name, data):
        path = self / name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return path

    def names(self):
        return sorted(os.listdir(self.path))


def main(names):
    only = sys.argv[1:]
    done = skipped = failed = 0
    for name, function in list(names.items()):
        if not name.startswith("test_") or (only and name not in only):
            continue
        try:
            function()
            done += 1
        except Skip as why:
            skipped += 1
            print(f"skipped {name}: {why}")
        except Exception:
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
    print(f"{done} passed, {skipped} skipped, {failed} failed")
    sys.exit(1 if failed or done + skipped == 0 else 0 if done else 77)
