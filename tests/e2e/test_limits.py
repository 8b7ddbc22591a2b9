"""What keeps one post, or one run, from taking all: the limit of words, the time a post may take, a stop
within a long post, address space that does not suffice, and the process's name for those who look for it."""
import json
import os
import resource
import signal
import subprocess
import tempfile

import gm
import tiny_model

_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-limits-")
LONG = "Anna lives in Rome . " * 60000  # seconds of work


def tagger():
    """The directory of a tagger on a tiny encoder; made once."""
    path = os.path.join(_dir.name, "model")
    if not os.path.isdir(path):
        encoder, data = os.path.join(_dir.name, "encoder"), os.path.join(_dir.name, "train.txt")
        tiny_model.write(encoder)
        with open(data, "w", encoding="utf-8") as f:
            f.write("IMGID:1\nAnna\tB-PER\nlives\tO\nin\tO\nParis\tB-LOC\n\n" * 20)
        gm.expect_ok(gm.run("train", "--train", data, "--encoder", encoder, "-o", path,
                            "--epochs", "1", "--precision", "f32"))
    return path


def tag(posts, *args):
    return gm.run("predict", "-", "--recipe", "tag", "--tagger", tagger(), *args,
                  stdin="".join(json.dumps(p) + "\n" for p in posts))


def errors(result):
    return [p.get("error", {}).get("message", "") for p in result.posts]


def test_too_many_words_are_an_error_of_that_post():
    for text in ("a " * 20001, "a, " * 10001):
        r = tag([{"text": "Anna"}, {"text": text}, {"text": "Rome"}])
        assert r.code == 3 and [bool(e) for e in errors(r)] == [False, True, False], r.err
        assert "over 20000 words" in errors(r)[1] and "--max-words" in errors(r)[1]
        assert r.posts[1]["text"] == text and "entities" not in r.posts[1]
    r = tag([{"tokens": ["a"] * 11}, {"tokens": ["a"] * 10}, {"text": "a " * 10}], "--max-words", 10)
    assert [bool(e) for e in errors(r)] == [True, False, False], r.err
    gm.expect_ok(tag([{"text": "a " * 20000}]))


def test_one_post_by_itself_too():
    r = gm.run("predict", "--recipe", "tag", "--tagger", tagger(), "--max-words", 3, "--text", "a b c d")
    assert r.code == 3 and "over 3 words" in errors(r)[0], r.err


def test_the_time_of_a_post():
    """The long one fails, its neighbours in the batch do not."""
    posts = [{"text": "Anna"}, {"text": LONG}, {"text": "Rome"}]
    r = tag(posts, "--max-words", 2000000, "--post-timeout", 0.05)
    assert r.code == 3 and [bool(e) for e in errors(r)] == [False, True, False], r.err
    assert "0.05 seconds" in errors(r)[1] and r.posts[1]["error"]["stage"] == "tag", r.posts[1]["error"]


def cpu_s(pid):
    """The processor's seconds that a process has had."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def test_a_stop_within_a_long_post():
    for number in (signal.SIGINT, signal.SIGTERM):
        with gm.Folder() as d:
            posts = d.write("p.jsonl", json.dumps({"text": LONG * 4}) + "\n")
            with subprocess.Popen([gm.PROGRAM, "predict", posts, "--recipe", "tag", "--tagger", tagger(),
                                   "--max-words", "2000000", "--threads", "1", "-o", d / "out.jsonl"],
                                  stderr=subprocess.PIPE) as p:
                gm.until("it is in the post", lambda: cpu_s(p.pid) > 0.7)
                before = cpu_s(p.pid)
                p.send_signal(number)
                err = p.stderr.read().decode()
                _, status, used = os.wait4(p.pid, 0)
                p.returncode = os.waitstatus_to_exitcode(status)
                assert p.returncode == -number and "stopped on request" in err, err
                took_s = used.ru_utime + used.ru_stime - before
                assert took_s < (10 if gm.is_sanitized() else 3), took_s  # the whole takes several times that
            assert d.names() == ["p.jsonl"]


def test_a_long_post_shows_signs_of_life():
    """On a terminal the bar says which stage works, from a moment on; of a file and of --text. The default tagger takes
    seconds for either."""
    if not os.path.exists(os.path.join(gm.HOME, ".deps", "models", "minilm")):
        raise gm.Skip("no base encoder; `make setup` gets it")
    with gm.Folder() as d:
        posts = d.write("p.jsonl", json.dumps({"text": LONG}) + "\n")
        for words in ((posts,), ("--text", LONG[:100000])):
            master, slave = os.openpty()
            with subprocess.Popen([gm.PROGRAM, "predict", *words, "--recipe", "tag", "--max-words", "2000000",
                                   "--threads", "1"], stdout=subprocess.DEVNULL, stderr=slave,
                                  env={**os.environ, "TERM": "xterm"}) as p:
                os.close(slave)
                seen = b""
                try:
                    while b"in stage tag" not in seen:
                        seen += os.read(master, 4096)
                except OSError:  # its end
                    pass
                p.kill()
            os.close(master)
            assert b"predict, in stage tag" in seen and b"0/1 posts" in seen, seen


def limited(mb, *args):
    """Status and standard error of a run in so much address space; None where not even the libraries fit: the loader
    says so, or GLib, which HarfBuzz brings, ends the process before main."""
    if gm.is_sanitized():
        raise gm.Skip("sanitizers take terabytes of addresses")
    p = subprocess.run([gm.PROGRAM, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60,
                       check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mb << 20, mb << 20)))
    err = p.stderr.decode("utf-8", "replace")
    starts = not (p.returncode == 127 and "shared libraries" in err) and "GLib (gthread-posix.c)" not in err
    return (p.returncode, err) if starts else None


def test_low_address_space():
    """Of every size that is too small the program says that it is memory that is out."""
    posts = [{"id": "1", "text": "Anna in Paris", "entities": [{"start": 0, "end": 4, "type": "PER"}]}]
    photo = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
    with gm.Folder() as d:
        data = d.write("p.jsonl", "".join(json.dumps({**p, "image": photo}) + "\n" for p in posts))
        train = ("train", "--train", os.path.join(_dir.name, "train.txt"), "--encoder", os.path.join(_dir.name, "encoder"),
                 "-o", d / "m", "--epochs", 1, "--overwrite", "--precision", "f32")
        commands = [(("predict", data, "--recipe", "tag", "--tagger", tagger()), (80, 110, 160, 240, 500)),
                    (train, (80, 110, 160, 400)), (("eval", "--gold", data, "--pred", data), (80, 110, 200))]
        if os.path.exists(photo):
            commands.append((("predict", data), (90, 160, 260, 500, 800)))
            commands.append((("view", data, "-o", d / "v.html", "--png", d / "pics"), (78, 85, 92, 100, 200)))
        for args, sizes in commands:
            for mb in sizes:
                code, err = limited(mb, *args, "--threads", 2) or (0, "")
                wrong = [x for x in err.splitlines() if x.startswith("gmner: error: ") and "out of memory" not in x]
                # For CPUs without AVX-512 oneDNN writes the machine code of its products behind frames that nothing can
                # be thrown through: where there is no memory for that the process ends, whatever we do.
                if code in (-signal.SIGABRT, -signal.SIGSEGV) and not gm.cpu_has("avx512f") and args is train:
                    continue
                assert code in (0, 1, 3) and not wrong and (code == 0) == ("error: " not in err), (args, mb, code, err)
            assert code == 0 or args[0] == "predict", (args, mb, err)  # the largest suffices


def test_threads_that_cannot_be_started():
    with gm.Folder() as d:
        data = d.write("p.txt", "IMGID:1\nAnna\tB-PER\n")
        code, err = limited(300, "data", "stats", data, "--threads", 200)
        assert code == 0 and "of 200 threads are used" in err, err


def test_the_process_has_its_name():
    with gm.Folder() as d:
        other = d / "tagger-of-mine"
        os.symlink(gm.PROGRAM, other)
        recipe = d.write("r.yaml", "name: x\nstages:\n  - stage: expand\n")
        for program, name in ((gm.PROGRAM, os.path.basename(gm.PROGRAM)), (other, "tagger-of-mine")):
            with subprocess.Popen([program, "predict", "-", "--recipe", recipe], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) as p:
                p.stdin.write(b'{"text": "a"}\n')
                p.stdin.flush()
                assert p.stdout.readline()
                with open(f"/proc/{p.pid}/comm", encoding="utf-8") as f:
                    assert f.read().strip() == name


gm.main(globals())
