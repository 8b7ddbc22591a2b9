"""What keeps one post, or one run, from taking all: the limit of words, the time a post may take, a stop
within a long post, and the process's name for those who look for it."""
import json
import os
import signal
import subprocess
import tempfile
import time

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


def test_a_stop_within_a_long_post():
    for number in (signal.SIGINT, signal.SIGTERM):
        with gm.Folder() as d:
            posts = d.write("p.jsonl", json.dumps({"text": LONG * 4}) + "\n")
            with subprocess.Popen([gm.PROGRAM, "predict", posts, "--recipe", "tag", "--tagger", tagger(),
                                   "--max-words", "2000000", "--threads", "1", "-o", d / "out.jsonl"],
                                  stderr=subprocess.PIPE) as p:
                time.sleep(0.7)
                assert p.poll() is None, "no long post: it was done already"
                p.send_signal(number)
                start = time.monotonic()
                err = p.stderr.read().decode()
                assert p.wait(20) == -number and "stopped on request" in err, err
                took_s = time.monotonic() - start
                assert took_s < (10 if gm.is_sanitized() else 3), took_s  # the whole takes several times that
            assert d.names() == ["p.jsonl"]


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
