"""The ceiling of correction: Twitter-GMNER's dev posts, tagged by the default tagger, corrected by a server that
knows the gold entities and is asked as any model is. What it reaches says which part of the errors is asked about
and can be put right by an answer; it says nothing about any model. Needs the shared data (dev only).

    GMNER=build/gmner GMNER_HOME=. python3 tests/e2e/test_oracle_llm.py table     prints the table of docs/results.md
    the same with `trust`: how often spans, types and candidates of each score are right
"""
import json
import os
import re
import sys
import threading

import gm
import llm_server

DEV = os.path.join(gm.HOME, "..", "shared", "data", "twitter-gmner", "dev.txt")
LINE = re.compile(r"^(\d+)\. (.*?) \((\w+)\)(, .*)$", re.M)


def overlap(a, b):
    return a[0] < b[1] and b[0] < a[1]


class Oracle(llm_server.Own):
    """Knows each text's gold entities and what the tagger has said of it."""

    def __init__(self, gold, tagged):
        self.gold = {p["text"]: {(e["start"], e["end"]): e["type"] for e in p["entities"]} for p in gold}
        self.tagged = {p["text"]: p for p in tagged}
        self.lock, self.n_requests, self.n_asked = threading.Lock(), 0, 0

        def say(sent, _):
            text = re.search(r'^Post: "(.*)"$', sent, re.M)[1]
            items = [(int(n), name, t, rest) for n, name, t, rest in LINE.findall(sent[sent.index("isn't sure"):])]
            with self.lock:
                self.n_requests += 1
                self.n_asked += len(items)
            if "the types of" in sent:
                return json.dumps({"entities": [{"entity": n, "type": self.type_of(text, name, t)}
                                                for n, name, t, _ in items]})
            names = self.names(text, items)
            if '"action"' not in sent:
                return json.dumps({"entities": [{"entity": n, "names": [text[a:b] for a, b in names[n]]}
                                                for n, *_ in items]})
            return json.dumps({"entities": [self.combined(text, n, s, t) for n, _, t, _ in items
                                            for s in names[n] or [None]]})

        super().__init__(say)

    def combined(self, text, n, span, t):
        if not span:
            return {"entity": n, "action": "remove", "text": "", "type": t}
        a, b = span
        return {"entity": n, "action": "change", "text": text[a:b], "type": self.gold[text][a, b]}

    def type_of(self, text, name, t):
        """Of a name that stands there several times, the types are nearly always the same."""
        types = [k for (a, b), k in self.gold[text].items() if text[a:b] == name]
        return t if t in types or not types else types[0]

    def names(self, text, items):
        """By number the gold names that its words are a part of, each name once; none that a sure one is in."""
        post, used, where, out = self.tagged[text], set(), {}, {}
        for n, name, _, rest in items:
            list_ = post["entity_candidates"] if "not counted" in rest else post["entities"]
            same = [i for i, e in enumerate(list_) if e["text"] == name and (id(list_), i) not in used]
            used.add((id(list_), same[0]))
            where[n] = (list_[same[0]]["start"], list_[same[0]]["end"])
        sure = [(e["start"], e["end"]) for i, e in enumerate(post["entities"]) if (id(post["entities"]), i) not in used]
        left = [s for s in self.gold[text] if not any(overlap(s, x) for x in sure)]
        for n, s in where.items():
            out[n] = sorted((g for g in left if overlap(g, s)), key=lambda g: (g != s, g))
            left = [g for g in left if g not in out[n]]
        return out


def tag(d):
    rec = d.write("tag.yaml", "name: t\nstages:\n  - stage: tag\n    candidates: 0.02\n")
    gm.expect_ok(gm.run("predict", DEV, "-r", rec, "-o", d / "tagged.jsonl"))
    with open(d / "tagged.jsonl", encoding="utf-8") as f:
        tagged = [json.loads(line) for line in f]
    gm.expect_ok(gm.run("data", "convert", DEV, d / "gold.jsonl"))
    with open(d / "gold.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f], tagged


def ceiling(d, gold, tagged, settings):
    """F1, questions and posts of a run with these settings."""
    rec = d.write("r.yaml", "name: r\nstages:\n  - stage: refine\n    backend: llm\n"
                            + "".join(f"    {s}\n" for s in settings))
    with Oracle(gold, tagged) as server:
        gm.expect_ok(gm.run("predict", d / "tagged.jsonl", "-r", rec, "-o", d / "out.jsonl", "--in-flight", "8",
                            "--endpoint", server.url,
                            env={"GMNER_CACHE": d / f"{settings}.sqlite"}))
    r = gm.expect_ok(gm.run("eval", "--task", "mner", "--gold", DEV, "--pred", d / "out.jsonl", "--json"))
    return json.loads(r.out)["f1"], server.n_asked, server.n_requests


def need():
    if not os.path.exists(DEV):
        raise gm.Skip("no shared data (twitter-gmner/dev.txt)")
    if not os.path.exists(os.path.join(gm.HOME, ".deps", "models", "minilm")):
        raise gm.Skip("no base encoder; `make setup` gets it")


def test_ceiling():
    need()
    with gm.Folder() as d:
        gold, tagged = tag(d)
        for settings, least in ((("combined: true", "threshold: 0.3", "missed: 0.03"), 0.945),
                                (("span: 0.15", "type: 0.1", "missed: 0.1"), 0.945)):
            f1, n_asked, n_requests = ceiling(d, gold, tagged, settings)
            print(f"oracle's ceiling with {settings}: {f1:.4f}, {n_asked} asked about in {n_requests} requests")
            assert f1 >= least, f1


TABLE = [("combined: true", "threshold: 0.3", "missed: 1"),
         ("combined: true", "threshold: 0.3", "missed: 0.2"),
         ("combined: true", "threshold: 0.3", "missed: 0.1"),
         ("combined: true", "threshold: 0.3", "missed: 0.03"),
         ("span: 0.4", "type: 0.3", "missed: 0.2"),
         ("span: 0.3", "type: 0.3", "missed: 1"),
         ("span: 0.3", "type: 0.3", "missed: 0.2"),
         ("span: 0.3", "type: 0.3", "missed: 0.1"),
         ("span: 0.2", "type: 0.2", "missed: 0.2"),
         ("span: 0.15", "type: 0.1", "missed: 0.1"),
         ("span: 0.1", "type: 0.1", "missed: 0.1")]


def trust(gold, tagged):
    """By tenths of each score: how many, the mean score, the share that is right."""
    tenths = {}
    for p, q in zip(gold, tagged, strict=True):
        types = {(e["start"], e["end"]): e["type"] for e in p["entities"]}
        for e in q["entities"]:
            at, u = (e["start"], e["end"]), e["uncertainty"]
            tenths.setdefault(("span_score", int(10 * u["span_score"])), []).append((u["span_score"], at in types))
            if at in types:
                tenths.setdefault(("type_score", int(10 * u["type_score"])), []).append(
                    (u["type_score"], types[at] == e["type"]))
        for c in q["entity_candidates"]:
            tenths.setdefault(("candidate", int(10 * c["score"])), []).append(
                (c["score"], (c["start"], c["end"]) in types))
    for (what, k), of in sorted(tenths.items()):
        mean, right = (sum(x[i] for x in of) / len(of) for i in (0, 1))
        print(f"| {what} | from {k / 10:.1f} | {len(of)} | {mean:.3f} | {right:.3f} |")


def table(what):
    need()
    with gm.Folder() as d:
        gold, tagged = tag(d)
        if what == "trust":
            trust(gold, tagged)
            return
        for settings in TABLE:
            f1, n_asked, n_requests = ceiling(d, gold, tagged, settings)
            print(f"| {', '.join(settings)} | {f1:.4f} | {n_asked} | {n_requests} |", flush=True)


if sys.argv[1:] in (["table"], ["trust"]):
    table(sys.argv[1])
else:
    gm.main(globals())
