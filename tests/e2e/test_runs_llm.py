"""Run folders of recipes that ask a language model, against tests/llm_server: killed at any moment,
gone on with, a prompt changed, the endpoint away, Ctrl-C, a dry run. The server logs every answer that
it has sent."""
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import time

import gm

RECIPE = "name: ex\nstages:\n  - stage: expand\n    backend: llm\n    {extra}\n"
IN_FLIGHT = 8


class Server:
    """The scripted server; ends with the test."""

    def __init__(self, log, *args):
        self._p = subprocess.Popen([os.environ["GM_SCRIPTED_SERVER"], "--log", log, *map(str, args)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{int(self._p.stdout.readline().split()[-1])}/v1"
        self._log = log

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._p.stdin.close()
        self._p.wait(10)
        self._p.stdout.close()

    def answers(self):
        with open(self._log, encoding="utf-8") as f:
            return f.read().splitlines()


class Job(gm.Folder):
    def __init__(self, n):
        self._n = n

    def __enter__(self):
        super().__enter__()
        lines = []
        for i in range(self._n):
            # As many entities as no post near it has: an answer tells whose it is.
            words = [f"n{i}"] + [f"w{k}" for k in range(i % 7)]
            at = 0
            entities = []
            for w in words:
                entities.append({"start": at, "end": at + len(w), "type": "PER"})
                at += len(w) + 1
            lines.append(json.dumps({"id": f"p{i}", "text": " ".join(words), "entities": entities}) + "\n")
        self.write("posts.jsonl", "".join(lines))
        self.recipe = self.write("r.yaml", RECIPE.format(extra="temperature: 0"))
        self.env = {"GMNER_CACHE": self / "cache.sqlite", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
        return self

    def words(self, out, server, *args, in_flight=IN_FLIGHT):
        return ["predict", self / "posts.jsonl", "-o", self / out, "-r", self.recipe, "--endpoint", server.url,
                "--in-flight", str(in_flight), *args]

    def predict(self, out, server, *args, **more):
        return gm.run(*self.words(out, server, *args, **more), env=self.env)

    def start(self, out, server, *args, err=subprocess.DEVNULL, **more):
        return subprocess.Popen([gm.PROGRAM, *self.words(out, server, *args, **more)],
                                env={**os.environ, **self.env}, stderr=err)

    def text(self, name):
        with open(self / name, encoding="utf-8") as f:
            return f.read()


def rows(run, sql):
    with sqlite3.connect(os.path.join(run, "store.sqlite")) as db:
        return db.execute(sql).fetchall()


def counts(result):
    """The numbers of the client's summary line."""
    line = next(l for l in result.err.splitlines() if "answered=" in l)
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}


def test_killed_ten_times():
    n = 400
    with Job(n) as d, Server(d / "log", "--latency-ms", 25, "--slots", IN_FLIGHT) as server:
        rng, killed, seconds = random.Random(3), 0, n / IN_FLIGHT * 0.025
        for _ in range(10):
            p = d.start("out.jsonl", server)
            time.sleep(rng.uniform(0.02, seconds / 6))
            p.send_signal(signal.SIGKILL)
            killed += p.wait() == -signal.SIGKILL
        assert killed == 10
        gm.expect_ok(d.predict("out.jsonl", server))
        posts = [json.loads(l) for l in d.text("out.jsonl").splitlines()]
        assert [p["id"] for p in posts] == [f"p{i}" for i in range(n)]
        assert all(e["expression"].startswith("a thing number") for p in posts for e in p["entities"])
        assert rows(d / "out.jsonl.run", "SELECT count(*), sum(times) FROM result") == [(n, n)]
        # Only what was under way at a kill has been asked twice.
        again = len(server.answers()) - n
        assert 0 <= again <= 10 * IN_FLIGHT, again
        # The whole once more in another folder: every reply is in the cache.
        r = gm.expect_ok(d.predict("b.jsonl", server))
        assert counts(r)["cached"] == n and counts(r)["sent"] == 0, r.err
        assert d.text("b.jsonl") == d.text("out.jsonl") and len(server.answers()) == n + again


def test_kill_loses_nothing_that_had_arrived():
    """One at a time, and the kill right after an answer: the next run does not ask for it again."""
    with Job(30) as d, Server(d / "log", "--latency-ms", 30, "--slots", 1) as server:
        for k in range(3, 24, 5):
            p = d.start("out.jsonl", server, in_flight=1)
            while len(server.answers()) < k and p.poll() is None:
                time.sleep(0.002)
            time.sleep(0.012)  # the answer is with the client; the next one is under way
            p.send_signal(signal.SIGKILL)
            p.wait()
        stored = rows(d / "out.jsonl.run", "SELECT count(*) FROM result")[0][0]
        before = len(server.answers())
        r = gm.expect_ok(d.predict("out.jsonl", server, in_flight=1))
        assert counts(r)["sent"] <= 30 - stored and len(server.answers()) - before <= 30 - stored
        assert len(server.answers()) <= 30 + 5, len(server.answers())


def test_interrupted():
    with Job(300) as d, Server(d / "log", "--latency-ms", 40, "--slots", IN_FLIGHT) as server:
        p = d.start("out.jsonl", server, err=subprocess.PIPE)
        while not os.path.exists(d / "log") or len(server.answers()) < 40:
            time.sleep(0.01)
        p.send_signal(signal.SIGINT)
        err = p.stderr.read().decode()
        assert p.wait() == 1 and "stopped on request" in err, err
        assert f"kept in {d / 'out.jsonl.run'}; the same command goes on there" in err, err
        done = rows(d / "out.jsonl.run", "SELECT count(*) FROM result WHERE error IS NULL")[0][0]
        assert done == len(server.answers()) < 300  # what was under way has been finished and stored
        gm.expect_ok(d.predict("out.jsonl", server))
        assert len(server.answers()) == 300 and len(d.text("out.jsonl").splitlines()) == 300


def test_changed_prompt():
    with Job(20) as d, Server(d / "log") as server:
        with open(os.path.join(gm.HOME, "prompts", "expand.txt"), encoding="utf-8") as f:
            prompt = f.read()
        mine = d.write("mine.txt", prompt)
        d.write("r.yaml", RECIPE.format(extra="prompt: " + mine))
        gm.expect_ok(d.predict("a.jsonl", server))
        gm.expect_ok(d.predict("a.jsonl", server))
        assert len(server.answers()) == 20
        d.write("mine.txt", prompt.replace("three to ten words", "five words"))
        gm.expect_ok(d.predict("a.jsonl", server))
        assert len(server.answers()) == 40
        text = gm.expect_ok(gm.run("runs", "show", d / "a.jsonl.run")).out
        assert re.search(r"ran 20: other settings than before \(content of prompt: \w+\.\.\. -> \w+\.\.\.\)", text), text
        gm.expect_ok(d.predict("a.jsonl", server, "--model", "other"))
        assert len(server.answers()) == 60
        assert 'model: (none) -> "other"' in gm.run("runs", "show", d / "a.jsonl.run").out
        # Another address of the same model changes nothing.
        with Server(d / "log2") as second:
            r = gm.expect_ok(d.predict("a.jsonl", second, "--model", "other"))
            assert second.answers() == [] and "answered=" not in r.err, r.err


def test_dry_run_and_budget():
    with Job(50) as d, Server(d / "log", "--latency-ms", 5) as server:
        r = gm.expect_ok(d.predict("a.jsonl", server, "--dry-run", "--price", "1,2"))
        assert "requests 50\n" in r.out and re.search(r"prompt tokens [1-9]\d{3}", r.out), r.out
        assert server.answers() == [] and not os.path.exists(d / "a.jsonl.run") and not os.path.exists(d / "a.jsonl")
        r = d.predict("a.jsonl", server, "--price", "100,100", "--budget", "0.5")
        gm.expect(r, 1, "budget")
        assert "goes on there" in r.err and 0 < len(server.answers()) < 50
        gm.expect_ok(d.predict("a.jsonl", server))
        assert len(server.answers()) == 50


def test_usage():
    with Job(2) as d, Server(d / "log") as server:
        gm.expect(gm.run("predict", d / "posts.jsonl", "-r", d.recipe, env=d.env), 2, "asks a language model",
                  "--endpoint")
        gm.expect(gm.run("predict", d / "posts.jsonl", "-r", "tag", "--endpoint", server.url, env=d.env), 2,
                  "asks no language model")
        gm.expect(d.predict("a", server, "--budget", "1"), 2, "--price")
        gm.expect(d.predict("a", server, "--price", "1"), 2, "IN,OUT")
        assert server.answers() == []


gm.main(globals())
