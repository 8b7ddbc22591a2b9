"""Run folders as a user meets them: killed at any moment, gone on with, settings changed, failed posts,
parts of a job put together, two processes at once. Real stages: a tagger trained here, the template
expressions and the object rule on posts that bring their objects."""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

import gm
import tiny_model

NAMES = ("Anna", "Bert", "Carla")
PLACES = ("Berlin", "Paris", "Rome")
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-runs-")
ENV = {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}


def model(name="model", seed=1):
    """A tagger's folder, trained once."""
    path = os.path.join(_dir.name, name)
    if not os.path.isdir(path):
        encoder, data = os.path.join(_dir.name, "encoder"), os.path.join(_dir.name, "train.txt")
        tiny_model.write(encoder)
        with open(data, "w", encoding="utf-8") as f:
            for i in range(60):
                words = [(NAMES[i % 3], "B-PER"), ("visits", "O"), ("in", "O"), (PLACES[i // 3 % 3], "B-LOC")]
                f.write(f"IMGID:{i}\n" + "".join(f"{w}\t{t}\n" for w, t in words) + "\n")
        gm.expect_ok(gm.run("train", "--task", "ner", "--train", data, "--dev", data, "--encoder", encoder,
                            "-o", path, "--epochs", "12", "--lr", "0.005", "--seed", seed, "--precision",
                            "f32", env=ENV))
    return path


RECIPE = """name: parts
stages:
  - stage: tag
    model: {model}
    precision: f32
  - stage: expand
    backend: template
  - stage: ground
    backend: objects
    visible: 0
    score: {score}
"""


def recipe(d, score=0.3, tagger=None, name="r.yaml"):
    return d.write(name, RECIPE.format(model=tagger or model(), score=score))


def posts(n, words=8):
    """Lines of posts with an image's name and the objects in it."""
    rng = random.Random(7)
    out = []
    for i in range(n):
        text = " ".join(rng.choice(NAMES + PLACES + ("visits", "in", "lives", "!")) for _ in range(words))
        objects = [{"label": "person", "score": round(rng.uniform(0.35, 0.9), 3),
                    "box": [x, 2, x + 30 + rng.random(), 60]} for x in (5, 50)]
        out.append(json.dumps({"id": f"p{i}", "text": text, "image": f"pics/{i % 5}.jpg", "n": i,
                               "objects": objects}))
    return "".join(line + "\n" for line in out)


def pictures(d):
    for i in range(5):
        shutil.copy(os.path.join(gm.HOME, "tests", "golden", "image", "baseline.jpg"), d.write(f"pics/{i}.jpg", b""))


def predict(d, out, *args):
    return gm.run("predict", d / "posts.jsonl", "-o", d / out, *args, env=ENV)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def rows(run, sql, *args):
    with sqlite3.connect(os.path.join(run, "store.sqlite")) as db:
        return db.execute(sql, args).fetchall()


def ran(run):
    """Results computed in the last session, by stage."""
    return dict(rows(run, "SELECT stage, count(*) FROM result WHERE session = (SELECT max(id) FROM session) "
                          "GROUP BY stage"))


def show(run):
    return gm.expect_ok(gm.run("runs", "show", run)).out


class Job(gm.Folder):
    """A folder with posts, pictures and a recipe, and the output of a run that nothing disturbed."""

    def __init__(self, n, words=8):
        self._n, self._words = n, words

    def __enter__(self):
        super().__enter__()
        self.write("posts.jsonl", posts(self._n, self._words))
        pictures(self)
        self.recipe = recipe(self)
        begun = time.monotonic()
        gm.expect_ok(predict(self, "whole.jsonl", "-r", self.recipe))
        self.seconds = time.monotonic() - begun
        self.whole = read(self / "whole.jsonl")
        assert '"regions": [{' in self.whole
        return self


def test_run_folder_changes_nothing():
    with Job(70) as d:
        gm.expect_ok(predict(d, "a.jsonl", "-r", d.recipe, "--run", d / "run"))
        assert read(d / "a.jsonl") == d.whole
        assert ran(d / "run") == {"tag": 70, "expand": 70, "ground": 70}
        gm.expect_ok(predict(d, "b.jsonl", "-r", d.recipe, "--run", d / "run"))
        assert read(d / "b.jsonl") == d.whole and ran(d / "run") == {}
        assert "tag      taken from the store 70, ran 0" in show(d / "run")


def test_killed_ten_times():
    """Four times at some moment, mostly before the first result, then while results come."""
    with Job(600, words=150) as d:
        rng, killed = random.Random(11), 0
        words = [gm.PROGRAM, "predict", d / "posts.jsonl", "-o", d / "out.jsonl", "-r", d.recipe, "--run", d / "run"]
        stored = 0
        while killed < 10:
            p = subprocess.Popen(words, env={**os.environ, **ENV}, stderr=subprocess.DEVNULL)
            if killed < 4:
                time.sleep(rng.uniform(0.01, d.seconds / 6))
            else:
                until = stored + rng.randrange(1, 40)
                while p.poll() is None and gm.n_stored(d / "run") < until:
                    time.sleep(0.005)
            p.send_signal(signal.SIGKILL)
            if p.wait() != -signal.SIGKILL:
                break
            killed += 1
            assert not os.path.exists(d / "out.jsonl")
            now = gm.n_stored(d / "run")
            assert now >= stored, "results were lost"
            stored = now
        assert killed == 10, killed
        gm.expect_ok(predict(d, "out.jsonl", "-r", d.recipe, "--run", d / "run"))
        assert read(d / "out.jsonl") == d.whole
        assert rows(d / "run", "SELECT count(*), sum(times), count(DISTINCT session) > 1 FROM result") == \
            [(1800, 1800, 1)], "a stored result was computed again"
        text = show(d / "run")
        assert text.count("killed") >= 2 and "of an input of 600 posts" in text, text


def test_interrupted():
    with Job(600, words=150) as d:
        p = subprocess.Popen([gm.PROGRAM, "predict", d / "posts.jsonl", "-o", d / "out.jsonl", "-r", d.recipe, "--run",
                              d / "run"], env={**os.environ, **ENV}, stderr=subprocess.PIPE)
        while not os.path.exists(d / "run/store.sqlite"):
            time.sleep(0.01)
        time.sleep(d.seconds / 3)
        p.send_signal(signal.SIGINT)
        err = p.stderr.read().decode()
        assert p.wait() == -signal.SIGINT, err
        assert "stopped on request" in err and f"kept in {d / 'run'}; the same command goes on there" in err, err
        assert not os.path.exists(d / "out.jsonl")
        done = rows(d / "run", "SELECT count(*) FROM result WHERE stage = 'tag'")[0][0]
        assert 0 < done < 600, done
        assert "stopped" in show(d / "run") and "not complete" in show(d / "run")
        gm.expect_ok(predict(d, "out.jsonl", "-r", d.recipe, "--run", d / "run"))
        assert read(d / "out.jsonl") == d.whole and ran(d / "run")["tag"] == 600 - done


def test_changed_settings():
    with Job(40) as d:
        gm.expect_ok(predict(d, "a.jsonl", "-r", d.recipe, "--run", d / "run"))
        # A threshold of the last stage: only that one runs again, and `runs show` says why.
        gm.expect_ok(predict(d, "b.jsonl", "-r", recipe(d, score=0.6), "--run", d / "run"))
        assert ran(d / "run") == {"ground": 40}
        text = show(d / "run")
        assert re.search(r"ground +taken from the store 0, ran 40: other settings than before "
                         r"\(score: 0\.3 -> 0\.6\)", text), text
        gm.expect_ok(predict(d, "c.jsonl", "-r", d / "r.yaml"))
        assert read(d / "b.jsonl") == read(d / "c.jsonl") != d.whole
        # The first setting again: everything is still there.
        gm.expect_ok(predict(d, "e.jsonl", "-r", recipe(d), "--run", d / "run"))
        assert ran(d / "run") == {} and read(d / "e.jsonl") == d.whole
        # Another model: its stage runs again, the later ones where its results are others.
        gm.expect_ok(predict(d, "f.jsonl", "-r", recipe(d, tagger=model("other", 5)), "--run", d / "run"))
        now = ran(d / "run")
        assert now["tag"] == 40 and now["ground"] > 0, now
        assert "model: " in show(d / "run") and "an earlier stage" in show(d / "run")
        gm.expect_ok(predict(d, "g.jsonl", "-r", d / "r.yaml"))
        assert read(d / "f.jsonl") == read(d / "g.jsonl")


def test_same_model_folder_new_weights():
    with Job(20) as d:
        mine = d / "mine"
        shutil.copytree(model(), mine)
        r = recipe(d, tagger=mine)
        gm.expect_ok(predict(d, "a.jsonl", "-r", r, "--run", d / "run"))
        shutil.copy(os.path.join(model("other", 5), "model.safetensors"), mine)
        gm.expect_ok(predict(d, "b.jsonl", "-r", r, "--run", d / "run"))
        assert ran(d / "run")["tag"] == 20
        assert re.search(r"mine/model\.safetensors: [0-9a-f]{12}\.\.\. -> [0-9a-f]{12}\.\.\.", show(d / "run"))


def test_tagger_by_name():
    """Its name and content are what counts: neither where it lies nor the folder the run goes on from."""
    with Job(20) as d:
        def ran_from(cwd, models):
            os.makedirs(d / cwd, exist_ok=True)
            gm.expect_ok(gm.run("predict", d / "posts.jsonl", "-o", d / "out.jsonl", "-r", d.recipe, "--tagger", "mine",
                                "--run", d / "run", env={**ENV, "GMNER_MODELS": d / models}, cwd=d / cwd))
            return ran(d / "run")
        shutil.copytree(model(), d / "models/mine")
        shutil.copytree(model(), d / "moved/mine")
        shutil.copytree(model("other", 5), d / "changed/mine")
        assert ran_from("here", "models") == {"tag": 20, "expand": 20, "ground": 20}
        assert read(d / "out.jsonl") == d.whole
        assert ran_from("there", "models") == ran_from("there", "moved") == {}
        assert ran_from("there", "changed")["tag"] == 20
        assert re.search(r"mine/model\.safetensors: [0-9a-f]{12}\.\.\. -> ", show(d / "run"))
        # A folder comes before a model of the same name.
        assert ran_from("changed", "models")["tag"] == 20
        assert "model: \"mine\" -> \"./mine\"" in show(d / "run"), show(d / "run")
        assert read(d / "out.jsonl") != d.whole


def test_changed_input():
    with Job(30) as d:
        gm.expect_ok(predict(d, "a.jsonl", "-r", d.recipe, "--run", d / "run"))
        lines = read(d / "posts.jsonl").splitlines(True)
        lines[3] = lines[3].replace('"text": "', '"text": "Anna ')
        d.write("posts.jsonl", "".join(["{\"id\": \"new\", \"text\": \"Carla in Rome\"}\n"] + lines))
        gm.expect_ok(predict(d, "b.jsonl", "-r", d.recipe, "--run", d / "run"))
        assert ran(d / "run") == {"tag": 2, "expand": 1, "ground": 1}, ran(d / "run")
        gm.expect_ok(predict(d, "c.jsonl", "-r", d.recipe))
        assert read(d / "b.jsonl") == read(d / "c.jsonl")
        # Other pixels: the stages that look at the image run again, the tagger does not.
        shutil.copy(os.path.join(gm.HOME, "tests", "golden", "image", "exif6.jpg"), d / "pics/0.jpg")
        gm.expect_ok(predict(d, "b.jsonl", "-r", d.recipe, "--run", d / "run"))
        assert ran(d / "run") == {"expand": 6, "ground": 6}, ran(d / "run")


def test_failed_posts_only():
    """Exit status 3; the same command again tries those that failed, and nothing else."""
    try:
        gm.expect_ok(gm.run("models", "check", "nanodet"))
    except AssertionError:
        raise gm.Skip("the detector's model is not there") from None
    with Job(20) as d:
        r = d.write("look.yaml", f"name: look\nstages:\n  - stage: tag\n    model: {model()}\n  - stage: look\n")
        picture = d.write("keep.jpg", b"")
        shutil.move(d / "pics/2.jpg", picture)
        first = predict(d, "a.jsonl", "-r", r, "--run", d / "run")
        assert first.code == 3 and len(first.errors) == 4, first.err
        assert "the same command again tries those that failed" in first.err
        assert [json.loads(l)["id"] for l in read(d / "a.jsonl").splitlines() if '"error"' in l] == \
            ["p2", "p7", "p12", "p17"]
        assert len(read(d / "a.jsonl").splitlines()) == 20
        assert "[4 failed]" in show(d / "run")
        assert predict(d, "a.jsonl", "-r", r, "--run", d / "run").code == 3
        assert ran(d / "run") == {"look": 4}
        shutil.move(picture, d / "pics/2.jpg")
        gm.expect_ok(predict(d, "a.jsonl", "-r", r, "--run", d / "run"))
        assert ran(d / "run") == {"look": 4}
        gm.expect_ok(predict(d, "b.jsonl", "-r", r))
        assert read(d / "a.jsonl") == read(d / "b.jsonl")


def test_shards():
    with Job(50) as d:
        text = read(d / "posts.jsonl").splitlines(True)
        d.write("posts.jsonl", "".join(text[:10] + ["{ broken\n"] + text[10:]))
        gm.run("predict", d / "posts.jsonl", "-o", d / "whole.jsonl", "-r", d.recipe, env=ENV)
        d.whole = read(d / "whole.jsonl")
        runs = [d / f"run{i}" for i in (1, 2, 3)]
        codes = [predict(d, f"s{i}.jsonl", "-r", d.recipe, "--shard", f"{i}/3", "--run", runs[i - 1]).code
                 for i in (1, 2, 3)]
        assert sorted(codes) == [0, 0, 3], codes  # one part has the broken line
        parts = [read(d / f"s{i}.jsonl").splitlines() for i in (1, 2, 3)]
        assert sum(map(len, parts)) == 50 and max(map(len, parts)) - min(map(len, parts)) <= 1
        r = gm.run("runs", "merge", *runs[::-1], "-o", d / "merged.jsonl")
        assert r.code == 3 and "posts=50 failed=0 unreadable_lines=1 missing=0 duplicates=0" in r.err, r.err
        assert read(d / "merged.jsonl") == d.whole
        # Elsewhere, images keep their places.
        gm.run("runs", "merge", *runs, "-o", "there.jsonl", cwd=_dir.name)
        there = [json.loads(l) for l in read(os.path.join(_dir.name, "there.jsonl")).splitlines()]
        assert all(os.path.exists(os.path.join(_dir.name, p["image"])) for p in there)
        # A part is missing; a part is there twice.
        r = gm.run("runs", "merge", runs[0], runs[2], runs[2], "-o", d / "gaps.jsonl")
        assert r.code == 3 and "post 2: missing" in r.err and "missing=17 duplicates=17" in r.err, r.err
        assert "post 3: in more than one folder, the same" in r.err
        assert len(read(d / "gaps.jsonl").splitlines()) == 34
        # A part that was killed before it had written anything, or before it had said which part it is.
        os.makedirs(d / "begun")
        gm.expect(gm.run("runs", "merge", runs[0], d / "begun", "-o", d / "x"), 1, "no run folder")
        d.write("begun/lock", "")
        shutil.copytree(runs[1], d / "unnamed")
        with sqlite3.connect(d / "unnamed/store.sqlite") as store:
            store.execute("DELETE FROM meta")
        for cut in ("begun", "unnamed"):
            r = gm.run("runs", "merge", d / cut, runs[0], runs[2], "-o", d / "gaps.jsonl")
            assert r.code == 3 and f"{cut}: its run has only begun" in r.err and "missing=17" in r.err, r.err
        gm.expect(predict(d, "x.jsonl", "-r", d.recipe, "--shard", "2/3", "--run", runs[0]), 2, "holds shard 1/3")
        gm.expect_ok(predict(d, "x.jsonl", "-r", d.recipe, "--shard", "2/2", "--run", d / "half"))
        gm.expect(gm.run("runs", "merge", runs[0], d / "half", "-o", d / "x"), 1, "one of 3 parts")
        for bad in ("0/3", "4/3", "1", "a/b", "1/", "-1/3"):
            gm.expect(predict(d, "x.jsonl", "-r", d.recipe, "--shard=" + bad), 2, "--shard")


def test_two_processes():
    with Job(600, words=150) as d:
        p = subprocess.Popen([gm.PROGRAM, "predict", d / "posts.jsonl", "-o", d / "a.jsonl", "-r", d.recipe, "--run",
                              d / "run"], env={**os.environ, **ENV}, stderr=subprocess.DEVNULL)
        while not os.path.exists(d / "run/store.sqlite"):
            time.sleep(0.01)
        gm.expect(predict(d, "b.jsonl", "-r", d.recipe, "--run", d / "run"), 1,
                  f"process {p.pid} works on this run folder; wait for it, or give another one")
        assert p.poll() is None, "the first process ended too early for this test"
        assert "running now" in show(d / "run")
        assert p.wait() == 0 and read(d / "a.jsonl") == d.whole
        assert not os.path.exists(d / "b.jsonl")


def test_bad_folders():
    with gm.Folder() as d:
        gm.expect(gm.run("runs", "show", d / "none"), 1, "none: no run folder")
        gm.expect(gm.run("runs", "show"), 2, "runs show DIR")
        gm.expect(gm.run("runs", "merge"), 2, "runs merge DIR")
        gm.expect(gm.run("runs", "sow", "x"), 2, "none of show, merge")
        gm.expect(gm.run("predict", "--text", "x", "--run", d / "r"), 2, "--run")
        d.write("posts.jsonl", posts(2))
        file = d.write("file", "x")
        gm.expect(predict(d, "o", "-r", "tag", "--run", file), 1, file)
        d.write("run/store.sqlite", "this is no database, but it is long enough to be looked at " * 20)
        gm.expect(predict(d, "o", "-r", "tag", "--run", d / "run"), 1, "store.sqlite", "not a database")
        gm.expect(gm.run("runs", "show", d / "run"), 1, "store.sqlite")
        assert not os.path.exists(d / "o")


gm.main(globals())
