"""Both papers' recipes from their second stage on, against a server that answers from gold labels
with a noise that is known: the scores must be those that the noise gives. And the shipped recipes,
whole, from posts to masks."""
import json
import math
import os
import re
import sqlite3
import struct
import subprocess
import tempfile
import time
import zlib

import families
import gm
import llm_server
import tiny_model
from near import near

W, H = 331, 207  # odd on purpose
N = 24           # entities, two a post
NAME = re.compile(r'(?:Is|Find) "(E\d+x)"')


def name(i):
    return "E%dx" % i


def box(i):
    """The gold box of entity i, in pixels."""
    x, y = 10 + 13 * (i % 9), 5 + 11 * (i % 7)
    return [x, y, x + 90, y + 80]


def has_box(i):
    return i % 6 != 5


# the noise: what the server says of entity i
def says_visible(i):
    return has_box(i) and i % 4 != 0


def says_wrong_box(i):
    return i % 5 == 1


def says_nonsense(i):
    return i % 7 == 3


def png(path):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress((b"\0" + b"\x80\x90\xa0" * W) * H)) + chunk(b"IEND", b""))


class Gold(llm_server.Own):
    """`answer(prompt text) -> text or (text, P(yes))`; keeps what it was asked."""

    def __init__(self, answer):
        self.asked = []
        self.systems = {}  # what was asked: the message before it
        self.samples = 0

        def say(text, request):
            shapes = families.of_shapes(text)
            if shapes:  # coords: auto
                return shapes
            if request.get("temperature") == 0.7 and "boxes" in text:  # ground: samples
                self.samples += 1
                return answer_ground(text, request["seed"] // 100)
            self.asked.append(text)
            self.systems[text] = request["messages"][0]["content"]
            said = answer(text)
            if isinstance(said, str):
                return said
            said, p = said
            top = [{"token": "yes", "logprob": math.log(p)}, {"token": "no", "logprob": math.log(1 - p)}]
            first = dict(top[0 if said == "yes" else 1], top_logprobs=top)
            return said, {"logprobs": {"content": [first]}}

        super().__init__(say)


def said_box(i):
    x0, y0, x1, y1 = box(i)
    if says_wrong_box(i):
        x0, x1 = 200, 320
    return [1000 * x0 / W, 1000 * y0 / H, 1000 * x1 / W, 1000 * y1 / H]


def mends_box(i):
    return i % 10 == 1


def answer_check(text):
    """About the boxes that are wrong, and no others: some are mended, the others taken for nothing."""
    out = []
    for n, i in re.findall(r"(?m)^(\d+)\. E(\d+)x .*found at", text):
        x0, y0, x1, y1 = box(int(i))
        right = [[1000 * x0 / W, 1000 * y0 / H, 1000 * x1 / W, 1000 * y1 / H]]
        out.append({"entity": int(n), "reason": "", "answer": "change" if mends_box(int(i)) else "none",
                    "boxes": right if mends_box(int(i)) else []})
    return json.dumps({"entities": out})


def answer_ground(text, sample=0):
    """About one entity, or (batch: post) about all of a post; samples of wrong boxes are all over the picture."""
    one = NAME.search(text)
    of = [int(one.group(1)[1:-1])] if one else [int(i) for i in re.findall(r"(?m)^\d+\. E(\d+)x", text)]
    if any(map(says_nonsense, of)):
        return "I see it in the middle."
    if one:
        return json.dumps({"boxes": [said_box(of[0])]})
    return json.dumps([{"entity": n + 1, "visible": True, "boxes": [
        [150 * sample, 0, 150 * sample + 100, 300] if sample and says_wrong_box(i) else said_box(i)]}
                       for n, i in enumerate(of)])


def answer(text):
    """What the model says to any prompt of the two recipes."""
    if "Describe this photo twice" in text:
        return json.dumps({"caption": "A grey wall without a door.", "short": "A grey wall."})
    if text.strip().startswith("Describe this photo"):
        return "A grey wall."
    if "Answer with one word" in text:
        i = int(NAME.search(text).group(1)[1:-1])
        return ("yes", 0.9) if says_visible(i) else ("no", 0.2)
    if "found at" in text:
        return answer_check(text)
    if "boxes" in text:
        return answer_ground(text)
    if "isn't sure" in text:
        return answer_refine(text)
    lines = re.findall(r"^(\d+)\. ", text, re.M)
    return json.dumps({"phrases": [{"entity": int(n), "phrase": "thing " + n} for n in lines]})


def answer_refine(text):
    """The right type for three of four, a word and a type that are none for the others."""
    out = []
    for n, i in re.findall(r"^(\d+)\. E(\d+)x", text, re.M):
        bad = int(i) % 4 == 2
        out.append({"entity": int(n), "type": "CITY" if bad else "LOC"} if "the types of" in text else
                   {"entity": int(n), "names": ["Nobody" if bad else name(int(i))]})
    return json.dumps({"entities": out})


def posts(folder, entity):
    """Gold and input: two entities a post; entity(i) gives the input's entity."""
    gold, given = [], []
    for k in range(N // 2):
        text = "%s and %s ." % (name(2 * k), name(2 * k + 1))
        base = {"id": str(k), "text": text, "image": os.path.join(folder, "p.png")}
        starts = (0, len(name(2 * k)) + 5)
        spans = [{"text": name(i), "type": "LOC", "start": s, "end": s + len(name(i))}
                 for i, s in zip((2 * k, 2 * k + 1), starts)]
        gold.append(dict(base, entities=[
            dict(s, regions=[{"box": box(i), "score": 1}] if has_box(i) else [])
            for i, s in zip((2 * k, 2 * k + 1), spans)]))
        given.append(dict(base, entities=[entity(i, s) for i, s in zip((2 * k, 2 * k + 1), spans)]))
    for file, lines in (("gold.jsonl", gold), ("in.jsonl", given)):
        with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(p) + "\n" for p in lines)


def recipe(folder, shipped):
    """The shipped recipe without segment and what finds entities: the test's posts bring theirs."""
    with open(os.path.join(gm.HOME, "recipes", shipped + ".yaml"), encoding="utf-8") as f:
        text = f.read()
    head, *stages = re.split(r"(?m)^(?=  - stage: )", text)
    path = os.path.join(folder, "recipe.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + "".join(s for s in stages if not re.match(r"  - stage: (tag|inform|segment)", s)))
    return path


def scores(folder, shipped, *more):
    """Run it, with more options; the output posts, the server, and `gmner eval --task gmner`."""
    at = lambda n: os.path.join(folder, n)  # noqa: E731
    png(at("p.png"))
    with Gold(answer) as server:
        r = gm.run("predict", at("in.jsonl"), "-r", recipe(folder, shipped), "-o", at("out.jsonl"),
                   "--endpoint", server.url, "--in-flight", "8", *more,
                   env={"GMNER_CACHE": at("cache.sqlite")})
    assert r.code == 0, r.err
    with open(at("out.jsonl"), encoding="utf-8") as f:
        out = [json.loads(line) for line in f]
    r = gm.run("eval", "--task", "gmner", "--gold", at("gold.jsonl"), "--pred", at("out.jsonl"), "--json")
    assert r.code == 0, r.err
    return out, server, json.loads(r.out)


def right_box(i, visible, by_post=False):
    """Whether the prediction about the image of entity i equals gold under the noise. by_post: nonsense about
    one entity of a post costs the other one nothing; boxes are checked then."""
    asked = visible(i)
    if not asked or says_nonsense(i):
        return not has_box(i)
    if by_post and says_wrong_box(i):
        return has_box(i) == mends_box(i)
    return has_box(i) and not says_wrong_box(i)


def check_f1(got, tp):
    assert (got["tp"], got["n_pred"], got["n_gold"]) == (tp, N, N), got
    assert abs(got["f1"] - tp / N) < 1e-6, got


def shipped_weights():
    """The fusion of recipes/riveg.yaml: {sources: {number: weight}}."""
    with open(os.path.join(gm.HOME, "recipes", "riveg.yaml"), encoding="utf-8") as f:
        return {s: {k: float(v) for k, v in re.findall(r"(\w+): (-?[0-9.e-]+)", numbers)}
                for s, numbers in re.findall(r"(?m)^      ([a-z+]+): \{([^}]*)\}$", f.read())}


def fused(e, is_first, weights):
    """What all sources come to, by hand: the detector sees nothing in a grey picture, nothing is read in it, and the
    mention is that of a place, which may be the post's first."""
    def logit(p):
        p = min(max(p, 1e-3), 1 - 1e-3)
        return math.log(p / (1 - p))

    w = weights["encoder+model+detector+reader+mention"]
    z = w["bias"] + sum(w[s] * logit(e["evidence"][s]) for s in ("encoder", "model")) + w["place"] + is_first * w["first"]
    return 1 / (1 + math.exp(-z))


def test_riveg():
    """From the second stage on, with a small encoder of the test's own before the model's yes and no."""
    with tempfile.TemporaryDirectory() as folder:
        posts(folder, lambda i, s: s)
        tiny_model.write_entail(os.path.join(folder, "entail"))
        settings = os.path.join(folder, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write("entail:\n  encoder: %s/entail\n" % folder)
        out, server, got = scores(folder, "riveg", "--settings", settings)
    weights, entities = shipped_weights(), [e for p in out for e in p["entities"]]
    assert all((p["caption"], p["caption_short"]) == ("A grey wall without a door.", "A grey wall.") for p in out)
    assert all(p["objects"] == [] and p["texts"] == [] for p in out)
    for i, e in enumerate(entities):
        assert abs(e["evidence"]["model"] - (0.9 if says_visible(i) else 0.2)) < 1e-6
        assert abs(e["visible"] - fused(e, i % 2 == 0, weights)) < 1e-5, (e, weights)
        assert e["expression"].startswith("thing ")
        nonsense = e["visible"] >= 0.5 and says_nonsense(i)
        assert (e.get("note") == "ground_rejected:schema") == nonsense, e
    tp = sum(right_box(i, lambda i: entities[i]["visible"] >= 0.5) for i in range(N))
    assert 0 < tp < N
    check_f1(got, tp)
    expands = [t for t in server.asked if t.startswith("Post:")]  # all entities of a post at once
    assert len(expands) == N // 2 and "what it is" in server.systems[expands[0]]


def test_refineg():
    """Every third entity has a wrong type and is uncertain; three of four corrections are right. The boxes that are
    wrong are uncertain, too: asked for, samples tell it; the recipe as it is asks at most once for a post's boxes."""
    def entity(i, span):
        wrong = i % 3 == 0
        return dict(span, type="PER" if wrong else "LOC", score=0.4 if wrong else 0.95,
                    uncertainty={"marginal": 0.9, "entropy": 0.7, "margin": 0.1})

    with tempfile.TemporaryDirectory() as folder:
        posts(folder, entity)
        with open(os.path.join(folder, "in.jsonl"), encoding="utf-8") as f:
            given = [json.loads(line) for line in f]
        _, server, _ = scores(folder, "refineg")
        boxes = [t for t in server.asked if "boxes" in t]
        assert server.samples == 0 and not any("found at" in t for t in boxes)
        alone = {i for k in range(N) if says_nonsense(k) for i in (k, k ^ 1)}
        assert len(set(boxes)) == N // 2 + len(alone)  # one question a post; of nonsense, one about each
        settings = os.path.join(folder, "samples.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write("ground:\n  samples: 4\n")
        out, server, got = scores(folder, "refineg", "--settings", settings)
    checked = {int(i) for t in server.asked for i in re.findall(r"(?m)^\d+\. E(\d+)x .*found at", t)}
    assert checked == {i for i in range(N) if says_wrong_box(i) and not says_nonsense(i)}
    refused = {i for i in range(0, N, 3) if i % 4 == 2}
    tp = sum(i not in refused and right_box(i, lambda _: True, by_post=True) for i in range(N))
    assert refused and 0 < tp < N
    check_f1(got, tp)
    before = [e for p in given for e in p["entities"]]
    for i, e in enumerate(e for p in out for e in p["entities"]):
        if i % 3:  # confident: as it was, but for what ground adds
            assert all(e[k] == before[i][k] for k in ("text", "type", "start", "end", "uncertainty"))
        elif i in refused:
            assert e["type"] == "PER"
        else:
            assert (e["type"], e["source"]) == ("LOC", "refine")


def test_captions_and_texts_come_first():
    """look, with short: true, makes both captions in one answer, where the post has none of its own; knowledge and
    expressions are asked with the long one, entailment with the short one, all with what is read in the picture. A
    second run asks nothing, and the short caption comes back from the store."""
    long, short, read = "A grey wall without a door.", "A grey wall.", [{"text": "NAVY  YARD", "score": 0.9,
                                                                        "box": [1, 1, 9, 9]}]
    own = [{}, {"caption": "own"}, {"caption": "own", "caption_short": "mine"}]
    posts = [{"id": str(i), "text": f"E{i}x .", "image": "p.png", "texts": read, "entities": [
        {"start": 0, "end": 3, "type": "LOC"}], **captions} for i, captions in enumerate(own)]
    with gm.Folder() as d, Gold(lambda t: "Named entities: none." if t.endswith("Knowledge:") else answer(t)) as server:
        png(d / "p.png")
        path = d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
        rec = d.write("r.yaml", "name: c\nstages:\n" + "".join(
            f"  - stage: {s}\n    backend: llm\n{more}" for s, more in (
                ("look", "    short: true\n"), ("inform", ""), ("expand", ""), ("entail", ""))))
        for _ in range(2):
            gm.expect_ok(gm.run("predict", path, "-r", rec, "-o", d / "out.jsonl", "--endpoint", server.url,
                                "--in-flight", "1", env={"GMNER_CACHE": d / "c.sqlite"}))
            assert len(set(server.asked)) == 10, server.asked  # two posts have one question for captions
            with open(d / "out.jsonl", encoding="utf-8") as f:
                out = [json.loads(line) for line in f]
            assert [(p["caption"], p["caption_short"]) for p in out] == [
                (long, short), ("own", short), ("own", "mine")], out
    asked = {q: sorted(t for t in set(server.asked) if q in t) for q in ("twice", "Knowledge:", "Entities:", "one word")}
    assert [len(v) for v in asked.values()] == [1, 3, 3, 3], asked
    for q, shown in (("Knowledge:", f"Photo: {long}\n"), ("Entities:", f"Photo: {long}\n"),
                     ("one word", f"shows: {short}\n")):
        assert sum(shown in t for t in asked[q]) == (2 if q == "one word" else 1), (q, asked[q])
        assert all('Read in the photo: "NAVY YARD"\n' in t for t in asked[q]), asked[q]


def test_inform_tags_again():
    """The knowledge goes into the post, and the second tag pass reads it: the entities lie in the
    text, never in the knowledge."""
    if not os.path.exists(os.path.join(gm.HOME, ".deps", "models", "minilm")):
        raise gm.Skip("no base encoder; `make setup` gets it")
    text, known = "Eileen Collins flew for NASA", "Eileen Collins is a person. Paris is a city."
    with tempfile.TemporaryDirectory() as folder, Gold(lambda _: known) as server:
        path, out = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write(json.dumps({"id": "1", "text": text}) + "\n")
        rec = os.path.join(folder, "r.yaml")
        posts = []
        for setting in ("", "    min_score: 1\n"):  # what tag is set to holds for the second pass, too
            with open(rec, "w", encoding="utf-8") as f:
                f.write(f"name: i\nstages:\n  - stage: tag\n{setting}  - stage: inform\n    tagger: ner-default\n")
            gm.expect_ok(gm.run("predict", path, "-r", rec, "-o", f"{out}{len(posts)}", "--endpoint", server.url,
                                env={"GMNER_CACHE": os.path.join(folder, f"c{len(posts)}.sqlite")}))
            with open(f"{out}{len(posts)}", encoding="utf-8") as f:
                posts.append(json.loads(f.readline()))
    post, cut = posts
    assert cut["knowledge"] == known and not cut["entities"], cut
    assert post["knowledge"] == known and len(server.asked) == 2
    assert "Knowledge:" in server.asked[0] and "A program found: Eileen Collins" in server.asked[0]
    assert post["entities"] and all(e["source"] == "inform" for e in post["entities"]), post
    assert all(text[e["start"]:e["end"]] == e["text"] for e in post["entities"]), post


def test_tagging_again_is_stored_by_itself():
    """A second run takes both from the store; where only the answers are there, nothing is asked again. The
    entities are those that the second tagger finds in posts which come with the knowledge."""
    if not os.path.exists(os.path.join(gm.HOME, ".deps", "models", "minilm")):
        raise gm.Skip("no base encoder; `make setup` gets it")
    n, stages = 40, "name: i\nstages:\n  - stage: tag\n  - stage: inform\n    tagger: ner-knowledge\n"

    def known(text):
        return f"Named entities: 1. Ann Lee (person) {text.count('a')}"

    def sql(text):
        with sqlite3.connect(d / "out.jsonl.run/store.sqlite") as db:
            return db.execute(text).fetchall()

    with gm.Folder() as d, Gold(known) as server:
        d.write("in.jsonl", "".join(json.dumps({"id": str(i), "text": f"Ann Lee {'a' * (i % 9)} in Paris {i}"}) + "\n"
                                    for i in range(n)))
        rec = d.write("r.yaml", stages)

        def predict(k, given="in.jsonl", out="out.jsonl"):
            gm.expect_ok(gm.run("predict", d / given, "-r", rec, "-o", d / out, "--endpoint", server.url,
                                env={"GMNER_CACHE": d / f"cache{k}.sqlite"}))
            with open(d / out, encoding="utf-8") as f:
                return [json.loads(line) for line in f]

        first = predict(1)
        assert len(server.asked) == n
        assert sql("SELECT stage, count(*) FROM result GROUP BY stage ORDER BY stage") == [
            ("inform", n), ("retag", n), ("tag", n)]
        assert predict(2) == first
        sql("DELETE FROM result WHERE stage = 'retag'")
        assert near(predict(3), first) and len(server.asked) == n
        show = gm.run("runs", "show", d / "out.jsonl.run").out
        assert f"inform   taken from the store {n}, ran 0\n  retag    taken from the store 0, ran {n}: new\n" in show, show
        assert all(p["entities"] for p in first)
        d.write("known.jsonl", "".join(json.dumps({k: p[k] for k in ("id", "text", "knowledge")}) + "\n"
                                       for p in first))
        d.write("r.yaml", "name: t\nstages:\n  - stage: tag\n    model: ner-knowledge\n")
        plain = gm.expect_ok(gm.run("predict", d / "known.jsonl", "-r", rec))
        for p, q in zip(first, plain.posts, strict=True):
            assert all(e.pop("source") == "inform" for e in p["entities"])
            assert near(p["entities"], [{k: v for k, v in e.items() if k != "source"} for e in q["entities"]]), (p, q)


def test_threads_hold():
    """--threads is what the process has for work, however many requests are in flight: beside these two
    there are the client's thread, that of the signs of life, and those that wait for answers, three for two
    requests."""
    if not os.path.exists(os.path.join(gm.HOME, ".deps", "models", "minilm")):
        raise gm.Skip("no base encoder; `make setup` gets it")
    in_flight, threads, most = 16, 2, 0

    def say(text):
        time.sleep(0.02)
        return "Ann Lee is a person. Paris is a city." if text.endswith("Knowledge:") else answer(text)

    with gm.Folder() as d, Gold(say) as server:
        png(d / "p.png")
        path = d.write("in.jsonl", "".join(json.dumps(
            {"id": str(i), "text": f"Ann Lee {i} was in Paris with Bob Ray of NASA", "image": d / "p.png"}) + "\n"
            for i in range(120)))
        rec = d.write("r.yaml", "name: i\nstages:\n  - stage: tag\n  - stage: inform\n    tagger: ner-default\n"
                                "  - stage: expand\n    backend: llm\n  - stage: entail\n")
        p = subprocess.Popen(
            [gm.PROGRAM, "predict", path, "-r", rec, "-o", d / "out.jsonl", "--endpoint", server.url,
             "--in-flight", str(in_flight), "--threads", str(threads)],
            env={**os.environ, "GMNER_CACHE": d / "c.sqlite", "OMP_NUM_THREADS": "8"}, stderr=subprocess.PIPE)
        while p.poll() is None:
            try:
                most = max(most, len(os.listdir(f"/proc/{p.pid}/task")))
            except OSError:
                pass  # it has ended
            time.sleep(0.005)
        assert p.wait() == 0, p.stderr.read().decode()
        p.stderr.close()
        with open(d / "out.jsonl", encoding="utf-8") as f:
            out = [json.loads(line) for line in f]
    assert len(out) == 120 and all(e["source"] == "inform" for q in out for e in q["entities"]), out[0]
    own = 1 if gm.is_sanitized() else 0  # ThreadSanitizer's
    assert in_flight < most <= threads + 2 + in_flight + in_flight // 2 + 1 + own, most


def test_entailment_asks_where_the_encoder_is_unsure():
    """The encoder's step in front of the model: what it is sure of is not asked, and what both say is weighed
    by the settings file; a run that is repeated asks nothing."""
    if not os.path.exists(os.path.join(gm.HOME, ".deps", "models", "minilm")):
        raise gm.Skip("no base encoder; `make setup` gets it")
    asked = []

    def say(text):
        asked.append(text)
        return "yes"

    posts = [{"id": str(i), "text": f"{name} was in Paris", "image": "p.png", "caption": caption, "entities": [
        {"start": 0, "end": len(name), "type": "PER"}, {"start": len(name) + 8, "end": len(name) + 13, "type": "LOC"}]}
        for i, (name, caption) in enumerate((("Ann Lee", "a woman smiles"), ("Bob Ray", "a blue car"), ("Eve", "")))]
    with gm.Folder() as d, Gold(say) as server:
        png(d / "p.png")
        path = d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
        plain = gm.expect_ok(gm.run("predict", path, "-r", d.write("n.yaml", "name: n\nstages:\n  - stage: entail\n")))
        encoder = [e["visible"] for p in plain.posts for e in p["entities"]]
        logits = [math.log(v / (1 - v)) for v in encoder]
        bound = sorted(map(abs, logits))[3] - 1e-3  # three of the six are unsure
        rec = d.write("r.yaml", "name: e\nstages:\n  - stage: entail\n    backend: llm\n    encoder: entail-default\n")
        tuned = d.write("tuned.yaml", f"entail:\n  bound: {bound}\n  fusion:\n    encoder: {{encoder: 1, bias: 0.5}}\n"
                                      "    encoder+model: {encoder: 1, model: 0.1}\n")
        out, env = d / "out.jsonl", {"GMNER_CACHE": d / "c.sqlite"}
        for n_asked in (3, 3):
            gm.expect_ok(gm.run("predict", path, "-r", rec, "--settings", tuned, "-o", out, "--endpoint", server.url,
                                env=env))
            assert len(asked) == n_asked, asked
        with open(out, encoding="utf-8") as f:
            got = [e for line in f for e in json.loads(line)["entities"]]
    for e, p, z in zip(got, encoder, logits):
        assert abs(e["evidence"]["encoder"] - p) < 1e-6, (e, p)
        unsure = abs(z) < bound
        assert ("model" in e["evidence"]) == unsure, (e, z)
        if unsure:
            yes = min(e["evidence"]["model"], 0.999)
            z += 0.1 * math.log(yes / (1 - yes))
        else:
            z += 0.5
        assert abs(e["visible"] - 1 / (1 + math.exp(-z))) < 1e-4, (e, z)


def test_shipped_recipes_whole():
    """From a text and a photo to boxes and masks, with the real tagger."""
    photo = os.path.join(gm.HOME, ".deps", "photos", "astronaut.png")
    if not (os.path.exists(photo) and os.path.exists(os.path.join(gm.HOME, ".deps", "models"))):
        raise gm.Skip("no photos or models; `make setup` gets them")

    known = "Named entities: 1. Eileen Collins (person/astronaut) 2. NASA (organization/space agency)"

    def say(text):
        if "Answer with one word" in text:
            return "yes"
        if 'Find "' in text:
            return '{"boxes": [[50, 20, 900, 990]]}'
        assert "Knowledge:" not in text or "Photo: A grey wall without a door." in text, text
        if "boxes" in text:
            return json.dumps({"entities": [{"entity": int(n), "visible": True, "boxes": [[50, 20, 900, 990]]}
                                            for n in re.findall(r"(?m)^(\d+)\. ", text)]})
        if text.endswith("Knowledge:"):
            return known
        if "isn't sure" in text:
            return json.dumps({"entities": [
                {"entity": int(n), "type": t} if "the types of" in text else {"entity": int(n), "names": [w]}
                for n, w, t in re.findall(r"^(\d+)\. (.*?) \((.*?)\)", text, re.M)]})
        return answer(text)

    for shipped in ("riveg", "refineg"):
        with tempfile.TemporaryDirectory() as folder, Gold(say) as server:
            path = os.path.join(folder, "in.jsonl")
            with open(path, "w", encoding="utf-8") as f:
                f.write(json.dumps({"id": "1", "text": "Eileen Collins flew to space for NASA",
                                    "image": photo}) + "\n")
            out = os.path.join(folder, "out.jsonl")
            r = gm.run("predict", path, "-r", shipped, "-o", out, "--endpoint", server.url,
                       env={"GMNER_CACHE": os.path.join(folder, "c.sqlite"),
                            "TBB_ENABLE_SANITIZERS": "1"})
            assert r.code == 0, r.err
            with open(out, encoding="utf-8") as f:
                post = json.loads(f.readline())
        collins = [e for e in post["entities"] if "Collins" in e["text"]]
        assert collins and collins[0]["regions"], (shipped, post)
        assert shipped != "riveg" or (post["knowledge"], collins[0]["source"]) == (known, "inform"), post
        assert collins[0]["regions"][0]["mask"]["counts"], (shipped, post)


gm.main(globals())
