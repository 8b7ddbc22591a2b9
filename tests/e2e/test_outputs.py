"""Output files: what is at the name already (a link, a mode, a pipe, a device) stays what it is, and no
way to end leaves a temporary file for good."""
import os
import resource
import signal
import stat
import subprocess
import time

import gm

POST = '{"id": "1", "text": "Ann"}\n'
# AddressSanitizer would turn a fault's signal into its report and status 1
RAW_FAULTS = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0:handle_abort=0"}
SIGNALS = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "XCPU", "ABRT", "SEGV")


def convert(d, to, *args, **kw):
    d.write("in.jsonl", POST)
    return gm.run("data", "convert", d / "in.jsonl", to, "--to", "jsonl", *args, **kw)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def test_link_and_mode_stay():
    with gm.Folder() as d:
        os.makedirs(d / "sub")
        d.write("sub/real.jsonl", "old\n")
        os.chmod(d / "sub/real.jsonl", 0o600)
        os.symlink("sub/real.jsonl", d / "link.jsonl")
        os.symlink("link.jsonl", d / "second.jsonl")
        gm.expect_ok(convert(d, d / "second.jsonl"))
        assert os.path.islink(d / "link.jsonl") and os.path.islink(d / "second.jsonl")
        assert "Ann" in read(d / "sub/real.jsonl")
        assert stat.S_IMODE(os.stat(d / "sub/real.jsonl").st_mode) == 0o600


def test_link_to_nothing_is_filled():
    with gm.Folder() as d:
        os.symlink("new.jsonl", d / "link.jsonl")
        gm.expect_ok(convert(d, d / "link.jsonl"))
        assert os.path.islink(d / "link.jsonl") and "Ann" in read(d / "new.jsonl")
        os.symlink("b", d / "a")
        os.symlink("a", d / "b")
        gm.expect(convert(d, d / "a"), 1, "symbolic links")


def test_open_files_are_written_through():
    """A link of the test's own stands for /dev/stdout, so that a fault can't harm the machine."""
    with gm.Folder() as d:
        os.symlink("/proc/self/fd/1", d / "stdout")
        with open(d / "f", "w+b") as f:
            f.write(b"before\n")
            f.flush()
            gm.expect_ok(convert(d, d / "stdout", stdout=f))
        assert os.readlink(d / "stdout") == "/proc/self/fd/1"
        assert read(d / "f").startswith('before\n{"id"'), read(d / "f")
        assert sorted(d.names()) == ["f", "in.jsonl", "stdout"], d.names()


def test_named_pipe_is_written_through():
    with gm.Folder() as d:
        os.mkfifo(d / "pipe")
        with subprocess.Popen(["cat", d / "pipe"], stdout=subprocess.PIPE) as cat:
            gm.expect_ok(convert(d, d / "pipe"))
            assert b"Ann" in cat.communicate(timeout=60)[0]
        assert stat.S_ISFIFO(os.stat(d / "pipe").st_mode)


def temps(d):
    return [n for n in d.names() if n.endswith(".tmp")]


def start_waiting(d):
    """A conversion that has its output open and waits for input."""
    p = subprocess.Popen([gm.PROGRAM, "data", "convert", "-", d / "out.jsonl", "--from", "jsonl"],
                         stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **RAW_FAULTS})
    p.stdin.write(POST.encode())
    p.stdin.flush()
    end = time.monotonic() + 60
    while not temps(d) and time.monotonic() < end:
        time.sleep(0.01)
    assert temps(d)
    return p


def test_signals_leave_nothing():
    for name in SIGNALS:
        with gm.Folder() as d:
            number = getattr(signal, "SIG" + name)
            with start_waiting(d) as p:
                p.send_signal(number)
                p.stdin.close()
                assert p.wait(60) == -number, (name, p.returncode)
            assert not temps(d), (name, d.names())


def test_file_size_limit():
    with gm.Folder() as d:
        d.write("in.jsonl", POST * 20000)
        p = subprocess.run([gm.PROGRAM, "data", "convert", d / "in.jsonl", d / "out.jsonl"],
                           stderr=subprocess.PIPE, check=False, timeout=60,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                 (100000, 100000)))
        assert p.returncode == 1 and b"File too large" in p.stderr, p.stderr
        assert d.names() == ["in.jsonl"], d.names()


def test_next_run_removes_what_a_kill_left():
    with gm.Folder() as d:
        with start_waiting(d) as p:
            p.kill()
        assert len(temps(d)) == 1
        d.write(f"out.jsonl.{os.getpid()}-0.tmp", "of a living process")
        d.write(f"other.jsonl.{p.pid}-0.tmp", "of another output")
        gm.expect_ok(convert(d, d / "out.jsonl"))
        assert sorted(temps(d)) == sorted([f"out.jsonl.{os.getpid()}-0.tmp",
                                           f"other.jsonl.{p.pid}-0.tmp"]), d.names()


gm.main(globals())
