"""Run folders of recipes that ask a language model, against tests/llm_server: killed at any moment,
gone on with, a prompt changed, the endpoint away, Ctrl-C, a dry run. The server logs every answer that
it has sent."""
import collections
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import time

import gm
import llm_server
from llm_server import Scripted as Server

RECIPE = "name: ex\nstages:\n  - stage: expand\n    backend: llm\n    {extra}\n"
IN_FLIGHT = 8



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


def lines(path):
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


def test_killed_among_faults():
    """10,000 requests of which one in five meets a fault, killed ten times: each post ends once, with its own
    right answer or an error, and what the store had at a kill is never asked for again."""
    n, in_flight = 10000, 128
    ident = re.compile(r'^[?!] Post: \\"(n\d+)[ \\]')
    with Job(n) as d, Server(d / "log", "--faults", 20, "--seed", 7, "--slots", in_flight, "--requests",
                             d / "requests") as server:
        rng, kills = random.Random(5), []
        while len(kills) < 10:
            p = d.start("out.jsonl", server, in_flight=in_flight)
            until = len(lines(d / "requests")) + rng.randrange(50, 1200)
            while p.poll() is None and len(lines(d / "requests")) < until:
                time.sleep(0.01)
            p.send_signal(signal.SIGKILL)
            if p.wait() != -signal.SIGKILL:
                continue  # a redirect as the first reply ends a run
            stored = {r[0] for r in rows(d / "out.jsonl.run", "SELECT post FROM result WHERE error IS NULL")}
            kills.append((len(lines(d / "requests")), stored))
            assert not os.path.exists(d / "out.jsonl")
        r = d.predict("out.jsonl", server, in_flight=in_flight)
        while r.code == 1:
            assert "redirect" in r.err, r.err
            r = d.predict("out.jsonl", server, in_flight=in_flight)
        assert r.code == 3, r.err  # a redirect later is the post's own failure: 10,000 x 0.2 / 16
        posts = [json.loads(line) for line in d.text("out.jsonl").splitlines()]
        assert [q["id"] for q in posts] == [f"p{i}" for i in range(n)]
        failed = [q for q in posts if "error" in q]
        assert 40 < len(failed) < 250, len(failed)
        rejected = 0  # three answers in a row that are none: 10,000 x (0.2 x 2 / 16)^3 = 0.16 posts
        for q in posts:
            want = [f"a thing number {k + 1}" for k in range(len(q["entities"]))]
            got = [e.get("expression") for e in q["entities"]]
            none = not any(got) and all(e.get("note") == "expand_rejected:schema" for e in q["entities"])
            rejected += none
            assert got == want or none or ("error" in q and not any(got)), q
        assert rejected < 6, rejected
        assert rows(d / "out.jsonl.run", "SELECT count(*), count(DISTINCT post) FROM result WHERE error IS NULL") == \
            [(n - len(failed), n - len(failed))]
        # The server's own log: nothing that was stored at a kill came again, and no answer was sent twice but
        # those that were on their way at a kill.
        log = lines(d / "requests")
        for at, stored in kills:
            again = {"p" + ident.match(x)[1][1:] for x in log[at:] if x[0] == "?"} & stored
            assert not again, sorted(again)[:5]
        assert any(len(stored) > 1000 for _, stored in kills)
        answered = collections.Counter(ident.match(x)[1] for x in log if x[0] == "!")
        twice = sum(answered.values()) - len(answered)
        assert 0 <= twice <= 10 * in_flight, twice
        print(f"failed={len(failed)} answered twice={twice} requests={sum(x[0] == '?' for x in log)}")
        # Later, only the failed ones are tried.
        for _ in range(5):
            if r.code == 0:
                break
            r = d.predict("out.jsonl", server, in_flight=in_flight)
        asked = {"p" + ident.match(x)[1][1:] for x in lines(d / "requests")[len(log):]}
        assert asked == {q["id"] for q in failed}, (len(asked), len(failed))


def test_stages_overlap():
    """The answer about the first post is held back until the store has the last post's result of the stage
    behind: the language model and the processor work at the same time, and yet the output is in order."""
    n = 100
    held = []
    with Job(n) as d:
        d.write("r.yaml", "name: two\nstages:\n  - stage: expand\n    backend: llm\n    images: never\n  - stage: ground\n    "
                          "backend: objects\n    visible: 0\n")
        d.write("posts.jsonl", "".join(
            json.dumps(dict(json.loads(line), image="none.jpg", objects=[
                {"label": "person", "score": 0.9, "box": [1, 2, 30, 40]}])) + "\n"
            for line in d.text("posts.jsonl").splitlines()))

        def last_is_grounded():
            return rows(d / "out.jsonl.run", f"SELECT 1 FROM result WHERE post = 'p{n - 1}' AND stage = 'ground'")

        def answer(text, _):
            numbers = re.findall(r"^(\d+)\. ", text, re.M)
            if '"n0"' in text:
                until = time.monotonic() + 100
                while not last_is_grounded() and time.monotonic() < until:
                    time.sleep(0.01)
                held.append(bool(last_is_grounded()))
            return json.dumps({"phrases": [{"entity": int(k), "phrase": "thing " + k} for k in numbers]})

        with llm_server.Own(answer) as server:
            gm.expect_ok(d.predict("out.jsonl", server, in_flight=2))
        assert held == [True]
        posts = [json.loads(line) for line in d.text("out.jsonl").splitlines()]
        assert [p["id"] for p in posts] == [f"p{i}" for i in range(n)]
        assert all(e["expression"] == f"thing {k + 1}" for p in posts for k, e in enumerate(p["entities"]))
        assert posts[0]["entities"][0]["regions"] and posts[-1]["entities"][0]["regions"]


def test_key_stays_where_it_belongs():
    """Neither the store, the cache, the output nor any message has the key, also when the server repeats it."""
    key = "sk-secret-of-this-test"
    with Job(5) as d, Server(d / "log", "--key", key) as server:
        def run(name, given, *args):
            d.env["OPENAI_API_KEY"] = given
            return d.predict(name, server, "--log-format", "json", *args)

        assert run("a.jsonl", key).code == 0
        wrong = run("b.jsonl", key + "-wrong", "--model", "other")  # not in the cache
        assert wrong.code == 1 and "the key is refused" in wrong.err, wrong.err
        file = d.write("key", key + "\n")
        os.chmod(file, 0o644)
        loose = run("c.jsonl", "", "--key-file", file)
        assert loose.code == 1 and "owner's alone" in loose.err, loose.err
        os.chmod(file, 0o600)
        good = run("c.jsonl", "", "--key-file", file)
        assert good.code == 0 and key not in wrong.err + good.err
        os.remove(file)
        for root, _, names in os.walk(d.path):
            for name in names:
                with open(os.path.join(root, name), "rb") as f:
                    assert b"sk-secret" not in f.read(), name


def test_progress_as_json():
    with Job(70) as d, Server(d / "log", "--latency-ms", 700, "--slots", IN_FLIGHT) as server:
        r = gm.expect_ok(d.predict("a.jsonl", server, "--log-format", "json", "--price", "1,2"))
        events = [json.loads(line) for line in r.err.splitlines()]
        progress = [e for e in events if e["module"] == "progress"]
        assert progress, r.err
        for e in progress:
            assert e["total"] == 70 and 0 <= e["posts"] <= 70 and e["in_flight"] <= IN_FLIGHT, e
            assert all(isinstance(e[k], (int, float)) for k in ("per_s", "eta_s", "tokens", "cost", "retries")), e
        last = next(e for e in events if e["msg"] == "asked")
        assert last["answered"] == 70 and last["cost"] > 0, last


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
        assert counts(r)["sent"] <= 30 - stored
        assert len(server.answers()) - before <= 30 - stored + 1  # what was under way at the kill may be answered
        assert len(server.answers()) <= 30 + 5, len(server.answers())


def test_interrupted():
    with Job(300) as d, Server(d / "log", "--latency-ms", 40, "--slots", IN_FLIGHT) as server:
        p = d.start("out.jsonl", server, err=subprocess.PIPE)
        while not os.path.exists(d / "log") or len(server.answers()) < 40:
            time.sleep(0.01)
        p.send_signal(signal.SIGINT)
        err = p.stderr.read().decode()
        assert p.wait() == -signal.SIGINT and "stopped on request" in err, err
        assert f"kept in {d / 'out.jsonl.run'}; the same command goes on there" in err, err
        done = rows(d / "out.jsonl.run", "SELECT count(*) FROM result WHERE error IS NULL")[0][0]
        assert done == len(server.answers()) < 300  # what was under way has been finished and stored
        gm.expect_ok(d.predict("out.jsonl", server))
        assert len(server.answers()) == 300 and len(d.text("out.jsonl").splitlines()) == 300


def stop(p):
    """Ctrl-C; it ends by it. How many seconds that took."""
    start = time.monotonic()
    p.send_signal(signal.SIGINT)
    assert p.wait(gm.TIMEOUT_S) == -signal.SIGINT
    return time.monotonic() - start


# The program takes half a second for the answers under way; the rest is for a busy machine. An answer takes 20 s.
AT_ONCE_S = 10


def test_interrupted_while_answers_take_long():
    """What is not answered in a moment is given up, stored as nothing, and asked again; with one post, too."""
    with Job(20) as d, Server(d / "log", "--latency-ms", 20000, "--requests", d / "requests") as slow, \
            Server(d / "log2") as quick:
        p = d.start("out.jsonl", slow)
        while not os.path.exists(d / "requests") or len(lines(d / "requests")) < IN_FLIGHT:
            time.sleep(0.01)
        took = stop(p)
        assert took < AT_ONCE_S, took
        assert rows(d / "out.jsonl.run", "SELECT count(*) FROM result") == [(0,)]
        gm.expect_ok(d.predict("out.jsonl", quick))
        assert len(quick.answers()) == 20 and len(d.text("out.jsonl").splitlines()) == 20
        n = len(lines(d / "requests"))
        d.write("r.yaml", "name: one\nstages:\n  - stage: inform\n")
        p = subprocess.Popen([gm.PROGRAM, "predict", "--text", "Ann Lee", "-r", d.recipe, "--endpoint", slow.url],
                             env={**os.environ, **d.env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(lines(d / "requests")) == n:
            time.sleep(0.01)
        took = stop(p)
        assert took < AT_ONCE_S, took


def test_interrupted_while_a_local_server_starts():
    """It never becomes healthy, and does not end when it is asked to."""
    with Job(2) as d, Server(d / "log") as server:
        d.write("m.gguf", "no weights")
        d.write("llama.sh", f"trap '' TERM\ntouch {d / 'started'}\nwhile :; do sleep 0.2; done\n")
        words = d.words("out.jsonl", server, "--llama-server", "/bin/sh " + (d / "llama.sh"))
        words[words.index("--endpoint") + 1] = d / "m.gguf"
        p = subprocess.Popen([gm.PROGRAM, *words], env={**os.environ, **d.env}, stderr=subprocess.DEVNULL)
        while not os.path.exists(d / "started"):
            assert p.poll() is None, p.returncode
            time.sleep(0.01)
        took = stop(p)
        assert took < AT_ONCE_S, took


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


def test_what_an_earlier_stage_asked_anew():
    """inform is asked again and says the same, so that expand's answer is from the run folder: the record has the new
    figures of the one and the stored ones of the other."""
    tokens = {"inform": 10, "expand": 20}

    def say(_, request):
        stage = "expand" if "response_format" in request else "inform"
        asked.append(stage)
        content = '{"phrases": [{"entity": 1, "phrase": "a woman"}]}' if stage == "expand" else "Ann sings."
        return llm_server.Reply(200, {
            "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": tokens[stage], "completion_tokens": 1}})

    asked = []
    with gm.Folder() as d, llm_server.Own(say) as server:
        d.write("in.jsonl", '{"id": "1", "text": "Ann", "entities": [{"start": 0, "end": 3, "type": "PER"}]}\n')
        for temperature, figures, n in ((0, [10, 20], 2), (0.1, [70, 20], 3), (0.1, [70, 20], 3)):
            rec = d.write("r.yaml", "name: r\nstages:\n  - stage: inform\n    backend: llm\n    temperature: "
                                    f"{temperature}\n  - stage: expand\n    backend: llm\n")
            gm.expect_ok(gm.run("predict", d / "in.jsonl", "-r", rec, "-o", d / "out.jsonl", "--endpoint", server.url,
                                env={"GMNER_CACHE": d / "c.sqlite"}))
            with open(d / "out.jsonl", encoding="utf-8") as f:
                (post,) = [json.loads(line) for line in f]
            assert [(x["stage"], x["prompt_tokens"]) for x in post["asked"]] == [
                ("inform", figures[0]), ("expand", figures[1])], post["asked"]
            assert len(asked) == n, asked
            tokens = {"inform": 70, "expand": 80}


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
