"""The shipped recipe riveg, whole, from texts and photos to masks, with what it can have besides: expressions of both
kinds, boxes chosen by number, and their check by crops. What is asserted is what the server is sent, how often and in which
order, and what comes out; also after kills."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import gm
from ground_posts import Server, pictures
from near import near

PHOTO = os.path.join(gm.HOME, ".deps", "photos", "astronaut.png")
KNOWN = "Named entities: 1. Eileen Collins (person/astronaut) 2. NASA (organization/space agency)"
CHECK = "  - stage: check\n    backend: llm\n    crop: 0.15\n    marks: 20\n"
STEPS = ("captions", "knowledge", "phrases", "yes or no", "numbers", "crop", "check")


def need_models():
    if not (os.path.exists(PHOTO) and os.path.exists(os.path.join(gm.HOME, ".deps", "models", "minilm"))):
        raise gm.Skip("no photos or models; `make setup` gets them")


def step_of(text):
    """Which of the recipe's questions it is."""
    if "twice" in text:
        return "captions"
    if text.endswith("Knowledge:"):
        return "knowledge"
    if "cut out" in text:
        return "crop"
    if "Answer with one word" in text:
        return "yes or no"
    if "numbered from" in text:
        return "check" if "found at" in text else "numbers"
    return "phrases"


def lines(text):
    return re.findall(r"(?m)^(\d+)\. (.*?) \(", text)


def say(text, _):
    """A model that knows the photo; NASA is in no crop for it, though it first says a box."""
    step = step_of(text)
    if step == "captions":
        return json.dumps({"caption": "A woman in an orange suit.", "short": "a woman"})
    if step == "knowledge":
        return KNOWN
    if step == "phrases":
        return json.dumps({"phrases": [{"entity": int(n), "phrase": "one called " + name} for n, name in lines(text)]})
    if step in ("yes or no", "crop"):
        return "no" if 'Is this "NASA"' in text else "yes"
    if step == "check":
        return json.dumps({"entities": [{"entity": int(n), "reason": "", "answer": "none", "numbers": []} for n, _ in lines(text)]})
    return json.dumps({"entities": [{"entity": int(n), "reason": "", "visible": True, "numbers": [1]} for n, _ in lines(text)]})


def recipe(d, kind, batch):
    """The shipped one with marks, crops and that kind of expressions."""
    with open(os.path.join(gm.HOME, "recipes", "riveg.yaml"), encoding="utf-8") as f:
        text = f.read()
    for old, new in (("coords: auto", "batch: post\n    marks: 20\n    boxes: one"), ("kind: identity", f"kind: {kind}\n    batch: {batch}"),
                     ("visible: 0.5", "visible: 0"),
                     ("  - stage: segment", CHECK + "  - stage: segment")):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return d.write("riveg.yaml", text)


def words(d, server, *args, out="out.jsonl"):
    return ["predict", d / "in.jsonl", "-r", d / "riveg.yaml", "-o", d / out, "--endpoint", server.url, "--model", "m", *args]


def run(d, server, *args, cache="cache", out="out.jsonl"):
    gm.expect_ok(gm.run(*words(d, server, *args, out=out), env={"GMNER_CACHE": d / cache, "TBB_ENABLE_SANITIZERS": "1"}))
    with open(d / out, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def write_posts(d, n):
    d.write("in.jsonl", "".join(json.dumps({
        "id": str(i), "text": f"Eileen Collins flew to space for NASA , part {i}", "image": PHOTO}) + "\n" for i in range(n)))


def test_whole():
    need_models()
    for kind, batch in (("identity", "post"), ("visual", "entity")):
        with gm.Folder() as d, Server(say) as server:
            write_posts(d, 1)
            recipe(d, kind, batch)
            (post,) = run(d, server, "--in-flight", "1")
            assert not server.probes  # no box is said
        asked = [step_of(t) for t, _ in server.requests]
        n = len(post["entities"])
        assert {e["text"] for e in post["entities"]} == {"Eileen Collins", "NASA"}, post
        assert asked == (["captions", "knowledge"] + ["phrases"] * (n if batch == "entity" else 1) + ["yes or no"] * n +
                         ["numbers"] + ["crop"] * n + ["check"]), asked
        by = {s: [(t, r) for t, r in server.requests if step_of(t) == s] for s in STEPS}
        says = "what it is" if kind == "identity" else "what it would look like there"
        for text, request in by["phrases"]:
            assert isinstance(request["messages"][-1]["content"], str) and says in request["messages"][0]["content"]
            assert "Photo: A woman in an orange suit.\n" in text and "Known: " + KNOWN in text
        for text, request in by["yes or no"]:
            assert len(pictures(request)) == 1 and request["logprobs"] and "probably one called " in text
        (text, request), = by["numbers"]
        assert len(pictures(request)) == 1 and re.search(r"numbered from 1 to \d+;", text)
        assert "Eileen Collins (PER): one called Eileen Collins\n" in text
        assert all(len(pictures(r)) == 1 for _, r in by["crop"])
        (text, _), = by["check"]
        assert "1. NASA (ORG), found at box 1, 0% sure" in text and "Eileen Collins (PER), found at box 1\n" in text
        e = {x["text"]: x for x in post["entities"]}
        person = max((o for o in post["objects"] if o["label"] == "person"), key=lambda o: o["score"])
        (region,) = e["Eileen Collins"]["regions"]
        assert region["box"] == person["box"] and region["mask"]["counts"] and region["score"] == 1, region
        assert e["NASA"]["regions"] == [] and "no_box:not_confirmed" in e["NASA"]["note"]
        assert post["knowledge"] == KNOWN and all("encoder" in x["evidence"] and "model" in x["evidence"] for x in e.values())
        assert [x["expression"] for x in e.values()] == ["one called " + name for name in e]


def test_killed_and_gone_on_with():
    """Every stage's results and every answer are there again: what comes out is what a run without kills gives, and asked twice
    is at most what was on its way at a kill, or answered and not yet written: twice as many as are in flight."""
    need_models()
    n = 6

    def slowly(text, request):
        time.sleep(0.02)
        return say(text, request)

    with gm.Folder() as d, Server(slowly) as server:
        write_posts(d, n)
        recipe(d, "identity", "post")
        whole = run(d, server, out="whole.jsonl")
        once = {json.dumps(r["messages"]) for _, r in server.requests}
        server.requests.clear()
        killed = 0
        for k in range(1, 5):
            p = subprocess.Popen([gm.PROGRAM, *words(d, server, "--in-flight", "2")], stderr=subprocess.DEVNULL,
                                 env={**os.environ, "GMNER_CACHE": d / "other", "TBB_ENABLE_SANITIZERS": "1"})
            until = time.monotonic() + 60
            while p.poll() is None and len(server.requests) < k * len(once) // 5 and time.monotonic() < until:
                time.sleep(0.005)
            p.send_signal(signal.SIGKILL)
            killed += p.wait() == -signal.SIGKILL
        assert near(run(d, server, "--in-flight", "2", cache="other"), whole)
        # all posts have one photo, so that the question for a caption is the same for all
        again = [json.dumps(r["messages"]) for t, r in server.requests if step_of(t) != "captions"]
        assert killed and set(again) == {x for x in once if "twice" not in x} and len(again) <= len(set(again)) + 4 * killed
        with sqlite3.connect(d / "out.jsonl.run/store.sqlite") as db:
            stored = dict(db.execute("SELECT stage, count(*) FROM result GROUP BY stage").fetchall())
        assert stored == {s: n for s in ("tag", "detect", "look", "read", "inform", "retag", "expand", "encode", "entail",
                                         "ground", "check", "segment")}, stored


gm.main(globals())
