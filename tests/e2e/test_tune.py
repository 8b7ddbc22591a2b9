"""gmner tune: small gold and predicted files whose figures were worked out by hand, the settings file that comes
of them through gmner predict, and what is refused."""
import json
import math
import re
import struct
import zlib

import gm
import llm_server

BOX, OTHER_BOX = [0, 0, 10, 10], [50, 50, 60, 60]


def entity(text, words, type_="PER", **more):
    start = text.index(words)
    return {"start": start, "end": start + len(words), "type": type_, **more}


def write(d, name, posts):
    return d.write(name, "".join(json.dumps(p) + "\n" for p in posts))


def tune(stage, gold, *preds, code=0):
    args = [a for a in preds if not isinstance(a, dict)]
    r = gm.run("tune", "--stage", stage, "--gold", gold, "--json", "--pred", *args)
    assert r.code == code, r.err
    return json.loads(r.out)


def step(result, setting):
    return next(s for s in result["steps"] if s["setting"] == setting)


# ---- ground ----

def ground_files(d, n=40):
    """Entities by turns: in the image with 0.9 and the right box, not in it with 0.2 and a box all the same."""
    gold, pred = [], []
    for i in range(n):
        seen = i % 2 == 0
        gold.append({"id": str(i), "text": "Ann", "entities": [
            {"start": 0, "end": 3, "type": "PER", "regions": [{"box": BOX}] if seen else []}]})
        pred.append({"id": str(i), "text": "Ann", "entities": [
            {"start": 0, "end": 3, "type": "PER", "visible": 0.9 if seen else 0.2,
             "regions": [{"box": BOX if i % 4 == 0 or not seen else OTHER_BOX}]}]})
    return write(d, "gold.jsonl", gold), write(d, "pred.jsonl", pred)


def test_ground():
    with gm.Folder() as d:
        gold, pred = ground_files(d)
        out = tune("ground", gold, pred, "-o", d / "tuned.yaml", "--svg", d / "curve.svg", "--call-cost", "0.5")
        s = step(out, "visible")
        # nobody: 20 of 40 right, who are not in the image; those of 0.9: half of their 20 boxes are right
        assert [(p["asked"], p["score"]["tp"], p["oracle"]["tp"]) for p in s["curve"]] == \
            [(0, 20, 20), (20, 30, 40), (40, 10, 40)], s["curve"]
        assert s["chosen"]["setting"] == 0.55 and s["chosen"]["cost"] == 10, s["chosen"]
        assert s["cross_fitted"]["score"] == s["chosen"]["score"] and s["cross_fitted"]["setting"] is None
        with open(d / "curve.svg", encoding="utf-8") as f:
            drawing = f.read()
        assert drawing.startswith("<svg") and drawing.endswith("</svg>\n") and "cross-fitted 0.7500" in drawing
        # The settings through gmner predict: who is below the threshold gets no box.
        recipe = d.write("r.yaml", "name: r\nsettings: tuned.yaml\nstages:\n  - stage: ground\n")
        post = write(d, "in.jsonl", [{"id": "1", "text": "Ann", "image": "x.png", "objects": [], "entities": [
            {"start": 0, "end": 3, "type": "PER", "visible": 0.5}]}])
        e = gm.expect_ok(gm.run("predict", post, "-r", recipe)).posts[0]["entities"][0]
        assert e["note"] == "no_box:below_threshold:0.55", e
        e = gm.expect_ok(gm.run("predict", post, "-r", d.write("s.yaml", "name: s\nstages:\n  - stage: ground\n"
                                                               "    visible: 0.1\n"),
                                "--settings", d / "tuned.yaml")).posts[0]["entities"][0]
        assert e["note"] == "no_box:below_threshold:0.55", e


def test_ground_tells_of_a_run_that_hid_some():
    with gm.Folder() as d:
        gold, _ = ground_files(d, 10)
        pred = write(d, "p.jsonl", [{"id": str(i), "text": "Ann", "entities": [
            {"start": 0, "end": 3, "type": "PER", "visible": 0.3 + i / 100, "note": "no_box:below_threshold:0.5"}]}
            for i in range(10)])
        r = gm.run("tune", "--stage", "ground", "--gold", gold, "--pred", pred)
        assert r.code == 0 and "run it with visible: 0" in r.err and "run it with visible: 0" in r.out, r.err


# ---- refine ----

TEXT = "Ann Lee met Bob in Rome"


def refine_files(d, n=20):
    """What the tagger said: "Ann" (half of the name, unsure), "met Bob" with a type that is right, Rome as PER. The
    model puts spans and types right where it is asked, but for a Rome that it takes away."""
    gold, pred, asked = [], [], []
    for i in range(n):
        unsure, blunder = 0.6 if i % 2 else 0.5, i % 5 == 0
        names = [entity(TEXT, "Ann Lee"), entity(TEXT, "Bob"), entity(TEXT, "Rome", "LOC")]
        gold.append({"id": str(i), "text": TEXT, "entities": names})
        pred.append({"id": str(i), "text": TEXT, "entities": [
            entity(TEXT, "Ann", score=unsure), entity(TEXT, "met Bob", score=0.3),
            entity(TEXT, "Rome", score=0.9, uncertainty={
                "marginal": 0.9, "entropy": 1, "margin": 1, "span_score": 0.95, "type_score": 0.2})]})
        asked.append({"id": str(i), "text": TEXT, "entities": names[:2] if blunder else names})
    return [write(d, f, p) for f, p in (("gold.jsonl", gold), ("pred.jsonl", pred), ("asked.jsonl", asked))]


def test_refine():
    with gm.Folder() as d:
        gold, pred, asked = refine_files(d)
        out = tune("refine", gold, pred, asked)
        span, kind = step(out, "span"), step(out, "type")
        # in the order of doubt: met Bob (0.7), Ann (0.5, 0.4), Rome (0.05), which only gets worse
        assert [(p["asked"], p["calls"], p["score"]["tp"], p["score"]["pred"]) for p in span["curve"]] == \
            [(0, 0, 20, 60), (20, 20, 40, 60), (30, 20, 50, 60), (40, 20, 60, 60), (60, 20, 56, 56)], span["curve"]
        assert span["chosen"]["asked"] == 40 and 0.05 < span["chosen"]["setting"] < 0.4
        assert [p["oracle"]["tp"] for p in span["curve"]] == [20, 40, 50, 60, 60]
        # types: of Rome alone, whose ends are right; where the model took it away it stays as it was
        assert kind["curve"][0]["score"]["tp"] == 0 and kind["chosen"]["score"]["tp"] == 16, kind["chosen"]
        assert kind["chosen"]["oracle"]["tp"] == 20 and kind["chosen"]["setting"] > 0.7
        few = step(tune("refine", gold, pred, asked, "--calls", "entity", "--target", "calls=0.5"), "span")
        assert few["chosen"]["calls"] == 30 and few["chosen"]["share"] == 0.5, few["chosen"]


def test_regions():
    """The step check: of an entity's regions the one of the least score decides; one without is not asked about."""
    with gm.Folder() as d:
        def post(i, *regions):
            return {"id": str(i), "text": TEXT, "entities": [
                entity(TEXT, "Ann Lee", score=0.9, regions=[{"box": b, "score": s} for b, s in regions]),
                entity(TEXT, "Bob", score=0.9)]}
        gold = write(d, "g.jsonl", [post(i, (BOX, 1)) for i in range(20)])
        # wrong and unsure, right and sure, right with another that is unsure
        pred = write(d, "p.jsonl", [post(i, (OTHER_BOX, 0.3)) if i % 2 else post(i, (BOX, 0.9)) if i % 4 else
                                    post(i, (BOX, 0.9), (OTHER_BOX, 0.6)) for i in range(20)])
        asked = write(d, "a.jsonl", [post(i, (BOX, 0.9)) if i % 4 else post(i) for i in range(20)])
        out = tune("refine", gold, pred, asked, "-o", d / "t.yaml")
        region = step(out, "region")
        assert (region["stage"], region["chosen"]["asked"], region["chosen"]["calls"]) == ("check", 10, 10), region
        # 20 of Bob and 10 of Ann; then the 10 that were wrong; then 5 that the model takes away
        assert [(p["asked"], p["score"]["tp"]) for p in region["curve"]] == [(0, 30), (10, 40), (15, 35), (20, 35)], region
        with open(d / "t.yaml", encoding="utf-8") as f:
            text = f.read()
        assert re.search(r"^check:\n  region: 0\.[4-6]", text, re.M), text


def test_refine_by_an_oracle():
    with gm.Folder() as d:
        gold, pred, _ = refine_files(d)
        r = gm.expect_ok(gm.run("tune", "--stage", "refine", "--gold", gold, "--pred", pred, "--target", "f1=0.8",
                                "-o", d / "t.yaml"))
        assert "an oracle's answers, as there is no second run" in r.out
        out = tune("refine", gold, pred, "--target", "f1=0.8")
        assert step(out, "span")["chosen"]["asked"] == 30 and "score" not in step(out, "span")["chosen"]
        assert step(out, "span")["reached"] and not step(out, "type")["reached"]  # spans are wrong too
        assert "THE TARGET IS NOT REACHED" in r.out
        with open(d / "t.yaml", encoding="utf-8") as f:
            text = f.read()
        assert re.search(r"^refine:\n  span: 0\.\d+\n  type: [\d.e-]+\n", text, re.M), text


def test_raw_text_against_words():
    """Places are compared without white space, as by gmner eval."""
    with gm.Folder() as d:
        raw, words = "@Ann: hi", ["@", "Ann", ":", "hi"]
        gold = write(d, "g.jsonl", [{"id": str(i), "tokens": words, "entities": [
            {"start": 2, "end": 5, "type": "PER", "regions": [{"box": BOX}] if i % 2 else []}]} for i in range(60)])
        pred = write(d, "p.jsonl", [{"id": str(i), "text": raw, "entities": [
            entity(raw, "Ann", visible=0.7 if i % 2 else 0.2, score=0.5)]} for i in range(60)])
        out = tune("entail", gold, pred)
        assert out["entities"] == 60 and out["sources"][0] == {
            "source": "encoder", "entities": 60, "accuracy": 1.0, "f1": 1.0, "auc": 1.0, "cross_fitted": False}, out
        assert step(tune("refine", gold, pred), "span")["chosen"]["oracle"]["tp"] == 60


# ---- entail ----

def entail_files(d, n=300):
    """An encoder and a model that are each right in 4 of 5, and not wrong at the same places."""
    gold, encoder, model = [], [], []
    for i in range(n):
        seen = i % 2 == 0
        e = {"start": 0, "end": 3, "type": "PER"}
        sure = 0.8 if (i // 2) % 5 else 0.3
        yes = 0.9 if (i // 2 + 2) % 5 else 0.4
        gold.append({"id": str(i), "text": "Ann", "entities": [{**e, "regions": [{"box": BOX}] if seen else []}]})
        encoder.append({"id": str(i), "text": "Ann", "entities": [{**e, "visible": round(sure if seen else 1 - sure, 6)}]})
        model.append({"id": str(i), "text": "Ann", "entities": [{**e, "visible": round(yes if seen else 1 - yes, 6)}]})
    return [write(d, f, p) for f, p in (("gold.jsonl", gold), ("enc.jsonl", encoder), ("model.jsonl", model))]


def test_entail():
    with gm.Folder() as d:
        gold, encoder, model = entail_files(d)
        few = "--numbers", "encoder,model"  # and nothing of the mention
        out = tune("entail", gold, encoder, model, *few, "-o", d / "tuned.yaml")
        by_name = {s["source"]: s for s in out["sources"]}
        assert by_name["encoder"]["accuracy"] == by_name["model"]["accuracy"] == 0.8, by_name
        assert by_name["all, fused"]["accuracy"] == 1 and by_name["all, fused"]["cross_fitted"]
        assert tune("entail", gold, "model=" + model, "encoder=" + encoder, *few) == out  # named in place of in order
        with open(d / "tuned.yaml", encoding="utf-8") as f:
            text = f.read()
        sets = re.findall(r"^    ([a-z+]+): \{(.*)\}$", text, re.M)
        assert [s for s, _ in sets] == ["encoder+model", "model", "encoder"], text
        weights = dict(p.split(": ") for p in dict(sets)["model"].split(", "))
        # The settings through gmner predict: a server that says yes, by a probability of 0.9.
        top = [{"token": "yes", "logprob": math.log(0.9)}, {"token": "no", "logprob": math.log(0.1)}]
        said = ("yes", {"logprobs": {"content": [dict(top[0], top_logprobs=top)]}})
        with llm_server.Own(lambda *_: said) as server:
            text = re.sub(r"^  bound:.*\n", "", text, flags=re.M)  # the recipe below has no encoder
            tuned = d.write("weights.yaml", text)
            photo = d.write("x.png", png())
            post = write(d, "in.jsonl", [{"id": "1", "text": "Ann", "image": photo, "entities": [
                {"start": 0, "end": 3, "type": "PER"}]}])
            rec = d.write("r.yaml", "name: r\nstages:\n  - stage: entail\n    backend: llm\n")
            gm.expect_ok(gm.run("predict", post, "-r", rec, "--settings", tuned, "--endpoint", server.url, "-o",
                                d / "out.jsonl", env={"GMNER_CACHE": d / "c.sqlite"}))
            with open(d / "out.jsonl", encoding="utf-8") as f:
                e = json.loads(f.read())["entities"][0]
        p = e["evidence"]["model"]
        assert abs(p - 0.9) < 1e-6, e
        z = float(weights["bias"]) + float(weights["model"]) * math.log(p / (1 - p))
        assert abs(e["visible"] - 1 / (1 + math.exp(-z))) < 1e-5, (e, weights)


def png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)) + \
        chunk(b"IDAT", zlib.compress((b"\0" + b"\x40\x80\xc0" * 40) * 30)) + chunk(b"IEND", b"")


def test_sources_that_are_missing():
    """An entity that the model was not asked about, pictures that were not looked at: weights of what is there."""
    with gm.Folder() as d:
        gold, encoder, model = entail_files(d)
        with open(model, encoding="utf-8") as f:
            posts = [json.loads(line) for line in f]
        for i, p in enumerate(posts):
            if i % 3 == 0:
                del p["entities"][0]["visible"]
            if i % 2:
                p["objects"] = [{"label": "person", "score": 0.9, "box": BOX}] if i % 4 == 1 else []
        out = tune("entail", gold, encoder, write(d, "part.jsonl", posts), "-o", d / "t.yaml")
        by_name = {s["source"]: s["entities"] for s in out["sources"]}
        assert by_name == {"encoder": 300, "model": 200, "detector": 150, "mention": 300, "all, fused": 300}, by_name
        with open(d / "t.yaml", encoding="utf-8") as f:
            text = f.read()
        # of the pictures that were looked at gold is never in the image: no weights for the detector
        assert "encoder+model:" in text and "detector" not in text.split("fusion:")[1], text


def test_order_of_predictions():
    """Posts that wait for their gold post keep what was seen in the picture."""
    with gm.Folder() as d:
        gold, encoder, _ = entail_files(d, 100)
        with open(encoder, encoding="utf-8") as f:
            posts = [json.loads(line) for line in f]
        for i, p in enumerate(posts):
            p["objects"] = [{"label": "person", "score": 0.9, "box": BOX}] if i % 20 else []
            p["texts"] = [{"text": "Ann", "score": 0.9, "box": BOX}] if i % 2 == 0 else []
        runs = [tune("entail", gold, write(d, "p.jsonl", posts[::order])) for order in (1, -1)]
        assert {s["source"]: s["entities"] for s in runs[0]["sources"]} == {
            "encoder": 100, "detector": 100, "reader": 100, "mention": 100, "all, fused": 100}, runs[0]["sources"]
        assert runs[0] == runs[1]


def test_equal_spans():
    """Of two entities at one place the one of gold's type is what is judged."""
    with gm.Folder() as d:
        gold, encoder, _ = entail_files(d, 100)
        with open(encoder, encoding="utf-8") as f:
            posts = [json.loads(line) for line in f]
        alone = tune("entail", gold, encoder, "--numbers", "encoder")
        for p in posts:
            p["entities"].insert(0, {**p["entities"][0], "type": "LOC", "visible": 0.5})
        both = tune("entail", gold, write(d, "p.jsonl", posts), "--numbers", "encoder")
        assert both == alone, (both["sources"], alone["sources"])


def test_target_without_a_bound():
    with gm.Folder() as d:
        gold, encoder, _ = entail_files(d, 60)
        args = "tune", "--stage", "entail", "--gold", gold, "--pred", encoder
        assert gm.expect_ok(gm.run(*args)).err == ""
        for more in (("--target", "calls=0.2"), ("--call-cost", "1"), ("--calls", "entity")):
            assert "there is no bound" in gm.expect_ok(gm.run(*args, *more)).err, more


# ---- what is refused ----

def test_refused():
    with gm.Folder() as d:
        gold, pred = ground_files(d, 10)
        for args, code, part in (
                (("--gold", gold, "--pred", pred), 2, "--stage"),
                (("--stage", "ground", "--pred", pred), 2, "--gold"),
                (("--stage", "ground", "--gold", gold), 2, "--pred"),
                (("--stage", "ground", "--gold", gold, "--pred", pred, pred), 2, "ground takes one"),
                (("--stage", "refine", "--gold", gold, "--pred", "model=" + pred), 2, "--stage entail"),
                (("--stage", "entail", "--gold", gold, "--pred", pred, "-"), 2, "standard input"),
                (("--stage", "entail", "--gold", gold, "--pred", pred, "--numbers", "encoder,persona"), 2, '"persona"'),
                (("--stage", "refine", "--gold", gold, "--pred", pred, "--numbers", "encoder"), 2,
                 "--numbers is for entail; refine does not read it"),
                (("--stage", "ground", "--gold", gold, "--pred", pred, "--c", "1"), 2, "--c is for entail"),
                (("--stage", "ground", "--gold", gold, "--pred", pred, "--target", "precision"), 2, "precision=0.9"),
                (("--stage", "ground", "--gold", gold, "--pred", pred, "--target", "calls=2"), 2, "calls=2"),
                (("--stage", "refine", "--gold", gold, "--pred", gold), 1, "no entity has a score below 1"),
                (("--stage", "ground", "--gold", gold, "--pred", gold), 1, "visible"),
                (("--stage", "entail", "--gold", gold, "--pred", gold), 1, "no gold entity")):
            gm.expect(gm.run("tune", *args), code, part)
        bare = write(d, "bare.jsonl", [{"id": "1", "text": "Ann", "entities": [entity("Ann", "Ann")]}])
        some = write(d, "some.jsonl", [{"id": "1", "text": "Ann", "entities": [entity("Ann", "Ann", visible=0.3)]}])
        gm.expect(gm.run("tune", "--stage", "entail", "--gold", bare, "--pred", some), 1, "--xml DIR reads boxes")
        names = d.write("names.txt", "1.jpg###Ann(PER)###x###0###&[0, 0, 0, 0]\n")
        for stage in ("entail", "refine", "ground"):
            gm.expect(gm.run("tune", "--stage", stage, "--gold", names, "--pred", some), 1, "names.txt:1 and ",
                      "without their places", "gmner eval --task gmner with --rule riveg")
        other = write(d, "other.jsonl", [{"id": "1", "text": "Bob", "entities": [entity("Bob", "Bob", visible=0.3)]}])
        for runs in ((other,), (some, other)):  # in any of the runs
            gm.expect(gm.run("tune", "--stage", "entail", "--gold", bare, "--pred", *runs), 1, "bare.jsonl:1 and ",
                      'other.jsonl:1: post 1: the predicted post has another text: "Bob" where gold has "Ann"')
        gm.expect(gm.run("tune", "--stage", "ground", "--gold", gold, "--pred", pred, "-o", d / "no/t.yaml"), 1,
                  "t.yaml")


gm.main(globals())
