"""Correction by steps, against servers of the test's own: what is asked, about which entities, in which
order; what becomes of the answers; what was missed; and that nobody confident is touched."""
import json
import re
import sqlite3
import time

import gm
import llm_server

LINE = re.compile(r"^(\d+)\. (.*?) \((\w+)\)(.*)$", re.M)
SURE, UNSURE = 0.98, 0.5


def entity(text, name, type_, span=SURE, kind=SURE, **more):
    start = text.index(name)
    return {"text": name, "type": type_, "start": start, "end": start + len(name), "score": round(span * kind, 6),
            "uncertainty": {"marginal": 0.5, "entropy": 0.1, "margin": 1.0, "span_score": span, "type_score": kind},
            "source": "tag", "regions": [], **more}


def candidate(text, name, type_, score):
    start = text.index(name)
    return {"text": name, "type": type_, "start": start, "end": start + len(name), "score": score}


def asked(text):
    """(number, name, type, the rest of the line) of what a question is about."""
    part = text[text.index("sure "):]
    return [(int(n), name, t, rest) for n, name, t, rest in LINE.findall(part)]


def is_types(text):
    return "sure of the types" in text


class Steps(llm_server.Own):
    """`names(name, rest) -> list`, `kind(name, type) -> type`; keeps what it was asked."""

    def __init__(self, names=lambda name, rest: [name], kind=lambda name, t: t, delay=0):
        self.requests = []

        def say(text, request):
            self.requests.append((text, request))
            time.sleep(delay)
            out = [{"entity": n, "type": kind(name, t)} if is_types(text) else {"entity": n, "names": names(name, rest)}
                   for n, name, t, rest in asked(text)]
            return json.dumps({"entities": out})

        super().__init__(say)

    @property
    def texts(self):
        return [text for text, _ in self.requests]


def refine(d, server, posts, *settings, **more):
    path = d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
    rec = d.write("r.yaml", "name: r\nstages:\n  - stage: refine\n    backend: llm\n"
                            + "".join(f"    {s}\n" for s in settings))
    r = gm.run("predict", path, "-r", rec, "-o", d / "out.jsonl", "--endpoint", server.url,
               env={"GMNER_CACHE": d / "cache.sqlite"}, **more)
    gm.expect_ok(r)
    with open(d / "out.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def short(post):
    return [(e["text"], e["type"], e.get("note", "")) for e in post["entities"]]


def test_spans_are_asked_before_types():
    text = "Ann Lee of HNLMS Evertsen met the Giants in New York"
    post = {"id": "1", "text": text, "entities": [
        entity(text, "Ann Lee", "PER"), entity(text, "HNLMS", "ORG", UNSURE), entity(text, "Evertsen", "PER", UNSURE),
        entity(text, "Giants", "LOC", SURE, 0.45), entity(text, "New York", "LOC")]}
    whole = {"HNLMS": ["HNLMS Evertsen"], "Evertsen": []}
    with gm.Folder() as d, Steps(lambda name, _: whole[name],
                                 lambda name, _: {"Giants": "org", "HNLMS Evertsen": "misc"}[name]) as server:
        out = refine(d, server, [post])
        (spans, first), (types, second) = server.requests
    assert short(out[0]) == [("Ann Lee", "PER", ""), ("HNLMS Evertsen", "OTHER", ""), ("Giants", "ORG", ""),
                             ("New York", "LOC", "")], short(out[0])
    assert [e["source"] for e in out[0]["entities"]] == ["tag", "refine", "refine", "tag"]
    assert asked(spans) == [(1, "HNLMS", "ORG", ", 50% sure"), (2, "Evertsen", "PER", ", 50% sure")], spans
    assert "\nAnn Lee (PER)\nGiants (LOC)\nNew York (LOC)\n" in spans and f'"{text}"' in spans, spans
    assert asked(types) == [(1, "HNLMS Evertsen", "ORG", ", a guess"), (2, "Giants", "LOC", ", 45% sure")], types
    assert "\nAnn Lee (PER)\nNew York (LOC)\n" in types and "PER, LOC, ORG, OTHER" in types, types
    of = lambda r: r["response_format"]["json_schema"]["schema"]["properties"]["entities"]["items"]["required"]  # noqa: E731
    assert (of(first), of(second)) == (["entity", "names"], ["entity", "type"])


def test_each_step_has_its_threshold():
    text = "Ann saw Bob and Cid and Dan"
    post = {"id": "1", "text": text, "entities": [
        entity(text, "Ann", "PER", 0.61, 0.71), entity(text, "Bob", "PER", 0.59, 0.71),
        entity(text, "Cid", "PER", 0.61, 0.69),
        {"text": "Dan", "type": "PER", "start": 24, "end": 27, "score": 0.35}]}  # of another tagger
    for settings, spans, types in (
            ((), ["Bob", "Dan"], ["Cid", "Dan"]),
            (("span: 0.35", "type: 0.295"), ["Ann", "Bob", "Cid", "Dan"], ["Cid", "Dan"]),
            (("span: 1", "type: 0.28"), [], ["Ann", "Bob", "Cid", "Dan"]),
            (("span: 0.7", "type: 0.7"), [], [])):
        with gm.Folder() as d, Steps() as server:
            out = refine(d, server, [post], *settings)
            got = [[name for _, name, *_ in asked(t)] for t in server.texts]
        want = [w for w in (spans, types) if w]
        assert got == want, (settings, got)
        assert short(out[0]) == [(n, "PER", "") for n in ("Ann", "Bob", "Cid", "Dan")]


def test_several_names_and_none():
    text = "Kim Kardashian Hollywood by night and lol"
    post = {"id": "1", "text": text, "entities": [
        entity(text, "Kim Kardashian Hollywood", "PER", UNSURE), entity(text, "lol", "OTHER", UNSURE)]}
    names = {"Kim Kardashian Hollywood": ["kim kardashian", "Hollywood", "Hollywood"], "lol": []}
    with gm.Folder() as d, Steps(lambda name, _: names[name], lambda name, _: "PER" if "Kim" in name else "LOC") as server:
        out = refine(d, server, [post])
        types = [(n, name) for n, name, *_ in asked(server.texts[1])]
    assert short(out[0]) == [("Kim Kardashian", "PER", ""), ("Hollywood", "LOC", "added")], short(out[0])
    assert types == [(1, "Kim Kardashian"), (2, "Hollywood")]


def test_what_was_missed():
    text = "Ann met Bob near New York and the NYPD today ok"
    posts = [{"id": "1", "text": text, "entities": [entity(text, "New", "LOC", UNSURE), entity(text, "Ann", "PER")],
              "entity_candidates": [candidate(text, "Bob", "ORG", 0.41), candidate(text, "York", "LOC", 0.3),
                                    candidate(text, "NYPD", "ORG", 0.2), candidate(text, "ok", "PER", 0.19)]}]
    rest = {}
    for said, found in ((lambda n: {"New": ["New York"], "NYPD": []}.get(n, [n]),
                         [("Bob", "PER", "added"), ("New York", "LOC", "merged"), ("Ann", "PER", "")]),
                        (lambda n: [] if n == "York" else [n + "x"] if n == "Bob" else [n],
                         [("New", "LOC", ""), ("NYPD", "ORG", "added"), ("Ann", "PER", "")])):
        def names(name, more, said=said):
            rest[name] = more
            return said(name)
        with gm.Folder() as d, Steps(names, lambda name, t: "PER" if name == "Bob" else t) as server:
            out = refine(d, server, posts)
        assert sorted(short(out[0])) == sorted(found), short(out[0])
        assert [c["text"] for c in out[0]["entity_candidates"]] == ["ok"]
    assert set(rest) == {"New", "Bob", "York", "NYPD"}
    assert rest["Bob"] == ", not counted as a name, 41% sure that it is one", rest


def test_names_beside_other_signs():
    """Quotation marks, dashes, emoji and letters of a script without spaces end a word; a confirmed candidate counts."""
    texts = [("Obama speaks", "Obama"), ("Obama’s speech", "Obama"), ("He said “Obama” twice", "Obama"),
             ("Go 🇺🇸Obama🇺🇸", "Obama"), ("now—Obama…", "Obama"), ("奥巴马今天在北京演讲", "北京")]
    posts = [{"id": str(i), "text": t, "entities": [entity(t, name, "LOC", UNSURE, UNSURE)]} for i, (t, name) in enumerate(texts)]
    posts += [{"id": f"c{i}", "text": t, "entities": [], "entity_candidates": [candidate(t, name, "LOC", 0.5)]}
              for i, (t, name) in enumerate(texts)]
    with gm.Folder() as d, Steps(kind=lambda *_: "PER") as server:
        out = refine(d, server, posts)
    got = [short(p) for p in out]
    assert got == [[(name, "PER", "")] for _, name in texts] + [[(name, "PER", "added")] for _, name in texts], got


def test_no_answer_about_a_candidate_is_no():
    text = "Ann met Bob"
    posts = [{"id": "1", "text": text, "entities": [entity(text, "Ann", "PER", UNSURE)],
              "entity_candidates": [candidate(text, "Bob", "PER", 0.4)]}]
    with gm.Folder() as d, llm_server.Own(lambda *_: '{"entities": [{"entity": 1, "names": ["Ann"]}]}') as server:
        out = refine(d, server, posts)
    assert short(out[0]) == [("Ann", "PER", "")] and out[0]["entity_candidates"] == []
    with gm.Folder() as d, Steps() as server:
        out = refine(d, server, posts, "missed: 0.5")
        assert [name for _, name, *_ in asked(server.texts[0])] == ["Ann"]
    assert [c["text"] for c in out[0]["entity_candidates"]] == ["Bob"]


def test_combined():
    text = "Ann met Bob in NYC"
    posts = [{"id": "1", "text": text, "entities": [entity(text, "Ann", "LOC", 0.9, 0.5), entity(text, "NYC", "LOC", 0.97, 0.97)],
              "entity_candidates": [candidate(text, "Bob", "PER", 0.4)]}]
    seen = []

    def say(sent, _):
        seen.append(asked(sent))
        return json.dumps({"entities": [{"entity": 1, "action": "change", "text": "Ann", "type": "PER"},
                                        {"entity": 2, "action": "keep", "text": "Bob", "type": "PER"}]})

    with gm.Folder() as d, llm_server.Own(say) as server:
        out = refine(d, server, posts, "combined: true", "threshold: 0.3")
        for bad in ("span: 0.3", "combined: 3", "combined: true\n    type: 0.3", "threshold: 0.3"):
            rec = d.write("bad.yaml", f"name: r\nstages:\n  - stage: refine\n    backend: llm\n    {bad}\n")
            r = gm.run("predict", d / "in.jsonl", "-r", rec, "-o", d / "bad.jsonl", "--endpoint", server.url)
            assert (r.code == 0) == (bad == "span: 0.3"), (bad, r.err)
    assert seen[0] == [(1, "Ann", "LOC", ", 45% sure"),
                       (2, "Bob", "PER", ", not counted as a name, 40% sure that it is one")], seen
    assert short(out[0]) == [("Ann", "PER", ""), ("Bob", "PER", "added"), ("NYC", "LOC", "")]


def entity_texts(line):
    """The entities of a record as the bytes that are written."""
    at, out, decoder = line.index('"entities": [') + len('"entities": ['), [], json.JSONDecoder()
    while line[at] != "]":
        _, end = decoder.raw_decode(line, at)
        out.append(line[at:end])
        at = end + 2 if line[end] == "," else end
    return out


def test_the_confident_stay_byte_for_byte():
    """Whatever is said of the others; before and after are written by the same program."""
    posts = []
    for i in range(60):
        text = f"Åse{i} met Bob Ray{i} in Old York City and  Zoë{i} there"
        posts.append({"id": str(i), "text": text, "entities": [
            entity(text, f"Åse{i}", "PER", *((SURE, SURE) if i % 2 else (UNSURE, UNSURE)), mine=[1, i]),
            entity(text, f"Ray{i}", "PER", UNSURE if i % 3 else SURE),
            entity(text, "York", "LOC", SURE, SURE, expression="a place", fine_type="city"),
            entity(text, f"Zoë{i}", "PER", SURE, UNSURE if i % 5 else SURE)],
            "entity_candidates": [candidate(text, "Bob", "PER", 0.4), candidate(text, "City", "LOC", 0.4)]})

    def names(name, _):
        return {"Å": [], "R": ["Bob " + name, "Old York"], "B": ["Bob", "met Bob"], "C": ["York City"]}[name[0]]

    with gm.Folder() as d, Steps(names, lambda *_: "ORG") as server:
        refine(d, server, posts)
        with open(d / "out.jsonl", encoding="utf-8") as f:
            after = f.read().splitlines()
        refine(d, server, posts, "span: 1", "type: 1", "missed: 1")
        with open(d / "out.jsonl", encoding="utf-8") as f:
            before = f.read().splitlines()
        n_requests = len(server.requests)
    n = 0
    assert n_requests > 60
    for one, two in zip(before, after, strict=True):
        sure = [t for t in entity_texts(one) if '"span_score": 0.98, "type_score": 0.98' in t]
        assert [t for t in entity_texts(two) if '"span_score": 0.98, "type_score": 0.98' in t] == sure, (one, two)
        n += len(sure)
        spans = sorted((e["start"], e["end"]) for e in json.loads(two)["entities"])
        assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:])), two
    assert n > 90, n


def test_known_error_rates():
    """Of 60 entities each third has a wrong end and each fourth a wrong type; the server finds four of five
    ends and three of four types: the score is the one that this gives."""
    n = 60
    bad_span, bad_type = lambda i: i % 3 == 0, lambda i: i % 4 == 1  # noqa: E731
    misses_span, misses_type = lambda i: i % 5 == 4, lambda i: i % 16 == 5  # noqa: E731
    posts, gold = [], []
    for i in range(n):
        text = f"then N{i} Park said so"
        right = f"N{i} Park"
        posts.append({"id": str(i), "text": text, "entities": [
            entity(text, f"N{i}" if bad_span(i) else right, "PER" if bad_type(i) else "LOC",
                   UNSURE if bad_span(i) else SURE, UNSURE if bad_type(i) else SURE)]})
        gold.append({"id": str(i), "text": text, "entities": [
            {k: entity(text, right, "LOC")[k] for k in ("text", "type", "start", "end")}]})

    def names(name, _):
        i = int(re.match(r"N(\d+)", name)[1])
        return [name] if misses_span(i) else [f"N{i} Park"]

    def kind(name, _):
        i = int(re.match(r"N(\d+)", name)[1])
        return "ORG" if bad_type(i) and misses_type(i) else "LOC"

    with gm.Folder() as d, Steps(names, kind) as server:
        refine(d, server, posts)
        d.write("gold.jsonl", "".join(json.dumps(p) + "\n" for p in gold))
        r = gm.expect_ok(gm.run("eval", "--task", "mner", "--gold", d / "gold.jsonl", "--pred", d / "out.jsonl", "--json"))
        score = json.loads(r.out)
    wrong = sum((bad_span(i) and misses_span(i)) or (bad_type(i) and misses_type(i)) for i in range(n))
    assert 0 < wrong < 20
    assert (score["tp"], score["n_pred"], score["n_gold"]) == (n - wrong, n, n), (score, wrong)


def test_killed_between_the_steps():
    """No request is paid for twice, and the output is that of a run that was never killed."""
    posts = []
    for i in range(120):
        text = f"Ann{i} and Bob{i} in Rome"
        posts.append({"id": str(i), "text": text, "entities": [
            entity(text, f"Ann{i}", "LOC", UNSURE), entity(text, f"Bob{i}", "PER", SURE, UNSURE)]})
    with gm.Folder() as d, Steps(lambda name, _: [name], lambda *_: "PER", delay=0.02) as server:
        path = d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
        rec = d.write("r.yaml", "name: r\nstages:\n  - stage: refine\n    backend: llm\n    type: 0.3\n")
        words = ["predict", path, "-r", rec, "--endpoint", server.url, "--in-flight", "4"]
        killed = gm.kill_runs([*words, "-o", d / "out.jsonl"], {"GMNER_CACHE": d / "cache.sqlite"}, 0.15, 0.25, 0.35)
        n_before = len(server.requests)
        gm.expect_ok(gm.run(*words, "-o", d / "out.jsonl", env={"GMNER_CACHE": d / "cache.sqlite"}))
        n_all = len(server.requests)
        gm.expect_ok(gm.run(*words, "-o", d / "whole.jsonl", env={"GMNER_CACHE": d / "other.sqlite"}))
        with open(d / "out.jsonl", encoding="utf-8") as a, open(d / "whole.jsonl", encoding="utf-8") as b:
            assert a.read() == b.read()
        with sqlite3.connect(d / "out.jsonl.run/store.sqlite") as db:
            assert db.execute("SELECT count(*) FROM result WHERE stage = 'refine'").fetchall() == [(120,)]
    assert killed and n_before < n_all
    assert 240 <= n_all <= 240 + 8 * killed, (n_all, killed)  # at most those on their way again


gm.main(globals())
