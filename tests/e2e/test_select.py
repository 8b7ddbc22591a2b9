"""gmner data select: the posts most worth annotating next, against the entropies computed here."""
import json
import math
import os

import gm

WORDS = "red blue green gold iron wood stone river hill lake cloud storm bread salt".split()


def entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p) if 0 < p < 1 else 0


def post(i, scores, candidates=(), text=None):
    text = text or f"Anna{i} met Bert{i} in Rome{i} " + " ".join(WORDS[(i * k) % len(WORDS)] + str(i) for k in range(1, 6))
    spans = [(w, text.index(w)) for w in text.split()[::2]]
    entity = [{"text": w, "start": at, "end": at + len(w), "type": "PER", "score": s, "source": "tag", "regions": []}
              for (w, at), s in zip(spans, [*scores, *candidates])]
    return {"id": str(i), "text": text, "entities": entity[:len(scores)], "entity_candidates": entity[len(scores):]}


def select(d, posts, *more, code=0, n=5):
    path = d.write("pred.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
    r = gm.run("data", "select", "--by", "uncertainty", "--pred", path, "-n", n, *more)
    assert r.code == code, r.err
    return r


def chosen(r):
    return [t["data"]["id"] for t in json.loads(r.out)]


def test_most_uncertain_first():
    with gm.Folder() as d:
        posts = [post(i, [((7 * i) % 19 + 0.5) / 19, ((5 * i) % 17 + 0.5) / 17][:i % 3], [0.3] * (i % 2)) for i in range(40)]
        value = {p["id"]: sum(entropy(e["score"]) for e in p["entities"] + p["entity_candidates"]) for p in posts}
        want = sorted((p["id"] for p in posts), key=lambda i: -value[i])[:7]
        r = select(d, posts, n=7)
        assert chosen(r) == want, (chosen(r), want)
        task = json.loads(r.out)[0]
        labels = {x["value"]["text"] for x in task["predictions"][0]["result"] if x["type"] == "labels"}
        assert labels == {e["text"] for e in next(p for p in posts if p["id"] == want[0])["entities"]}, task
        assert r.err.count("read as") == 1, r.err
        with open(d / "pred.jsonl", "a", encoding="utf-8") as f:
            f.write("{\n")
        r = gm.run("data", "select", "--pred", d / "pred.jsonl", "-n", "7")
        assert r.code == 3 and len(r.errors) == 1, r.err  # told of once, though the file is read twice
        out = d / "next.jsonl"
        select(d, posts, "-o", out, n=7)
        with open(out, encoding="utf-8") as f:
            assert [json.loads(line)["id"] for line in f] == want


def test_near_duplicates_and_what_is_known():
    with gm.Folder() as d:
        text = "Anna met Bert in Rome and they saw the old bridge by night"
        posts = [post(0, [0.5, 0.5]), post(1, [0.5], text=text), post(2, [0.45], text=text + " again"), post(3, [0.9])]
        r = select(d, posts)
        assert chosen(r) == ["0", "1", "3"] and "1 near-duplicates left out" in r.err, r.err
        assert "fewer than asked for: there are no others" in r.err and "unsure" not in r.err, r.err
        known = d.write("known.jsonl", json.dumps({"id": "k", "text": text.replace("old", "new")}) + "\n")
        r = select(d, posts, "--known", known)
        assert chosen(r) == ["0", "3"] and "fewer than asked for" in r.err, r.err


def test_nothing_unsure_and_failed_posts():
    with gm.Folder() as d:
        posts = [post(0, [1.0]), {**post(1, [0.5]), "error": {"stage": "tag", "code": "FORMAT", "message": "x"}}]
        r = select(d, posts)
        assert chosen(r) == [] and "nothing is unsure" in r.err, r.err


def test_usage():
    gm.expect(gm.run("data", "select", "-n", "3"), 2, "--pred FILE and -n N")
    gm.expect(gm.run("data", "select", "--pred", "-", "-n", "3", stdin=""), 2, "read twice")
    with gm.Folder() as d:
        os.mkfifo(d / "pipe")
        gm.expect(gm.run("data", "select", "--pred", d / "pipe", "-n", "3"), 2, "read twice", "a pipe")
        # Its siblings: a second reading of a pipe finds nothing, or waits for ever.
        gm.expect(gm.run("data", "split", d / "pipe", "--out-dir", d / "out"), 2, "read twice", "a pipe")
        gm.expect(gm.run("eval", "--gold", d / "pipe", "--pred", "p", "--vs", "q"), 2, "read twice", "a pipe")
        gm.expect(gm.run("tune", "--stage", "entail", "--gold", d / "pipe", "--pred", "p", "q"), 2, "can't be a pipe")
    gm.expect(gm.run("data", "select", "--pred", "/nowhere/x.jsonl", "-n", "3"), 1, "/nowhere/x.jsonl")


gm.main(globals())
