"""The program as it comes: default recipe, shipped models, demo posts, hostile posts."""
import json
import os
import shutil
import subprocess
import time

import gm
import tiny_model

PHOTOS = os.path.join(gm.HOME, ".deps", "photos")
TWEET = "Rear Admiral Grace Hopper of the US Navy, who gave us the first compiler."


def entity(post, text):
    found = [e for e in post["entities"] if e["text"] == text]
    assert len(found) == 1, (text, post["entities"])
    return found[0]


def test_text():
    r = gm.expect_ok(gm.run("predict", "--text", TWEET))
    post = r.posts[0]
    e = entity(post, "Grace Hopper")
    assert (e["type"], e["start"], e["end"], e["source"]) == ("PER", 13, 25, "tag"), e
    assert "objects" not in post and "regions" not in e or e["regions"] == [], post


TWEETS = (  # as people and archives write, with what is named in them
    ("RT @newsroom_daily: Sen. Elizabeth Warren spoke in #Boston on Christmas Eve",
     [("Elizabeth Warren", "PER"), ("Boston", "LOC")]),
    ("Irish fans cheer as @taylorswift13 sings in Dublin â€” thatâ€™s Croke Park…",
     [("taylorswift13", "PER"), ("Dublin", "LOC"), ("Croke Park", "LOC")]),
    ("DONALD TRUMP ARRIVES IN LONDON #DonaldTrump",
     [("DONALD TRUMP", "PER"), ("LONDON", "LOC"), ("DonaldTrump", "PER")]),
    ("Chelsea FC - Manchester United | Wembley, via @skysports",
     [("Chelsea FC", "ORG"), ("Manchester United", "ORG"), ("Wembley", "LOC")]),
    ("Mr. Obama lands in the U.S. tonight, says Twitter ¡\u00AD",
     [("Obama", "PER"), ("U.S.", "LOC"), ("Twitter", "ORG")]),
    ("Happy #ValentinesDay from Paris and New York", [("Paris", "LOC"), ("New York", "LOC")]),
)


def test_names_in_tweets_own_spelling():
    r = gm.expect_ok(gm.run("predict", "-", stdin="".join(json.dumps({"text": t}) + "\n" for t, _ in TWEETS)))
    for post, (text, names) in zip(r.posts, TWEETS):
        found = [(e["text"], e["type"]) for e in post["entities"]]
        assert post["text"] == text and found == names, (text, found)
        assert all(text[e["start"]:e["end"]] == e["text"] for e in post["entities"]), post
    # The tagger alone is of its training data's mind.
    r = gm.expect_ok(gm.run("predict", "--recipe", "tag", "--text", TWEETS[4][0]))
    found = [(e["text"], e["type"]) for e in r.posts[0]["entities"]]
    assert found == [("Mr. Obama", "PER"), ("U.S", "LOC"), ("Twitter", "OTHER")], found


def test_text_needs_no_vision():
    """Posts without images never look for the vision models, let alone load them."""
    with gm.Folder() as d:
        for name in ("models/ner-default", "models/fusion-default", "recipes", "models/ner-default.json", ".deps/models/minilm"):
            os.makedirs(os.path.dirname(d / name), exist_ok=True)
            if os.path.exists(os.path.join(gm.HOME, name)):
                os.symlink(os.path.join(gm.HOME, name), d / name)
        program = shutil.copy(gm.PROGRAM, os.path.dirname(d.write("build/.keep", "")))
        env = {"GMNER_HOME": d.path, "GMNER_MODELS": ""}
        gm.expect_ok(gm.run("predict", "--text", TWEET, env=env, program=program))
        photo = os.path.join(PHOTOS, "grace_hopper.jpg")
        gm.expect(gm.run("predict", "--text", TWEET, "--image", photo, env=env, program=program), 1,
                  "stage look: ", "nanodet")


def test_person_in_image():
    r = gm.expect_ok(gm.run("predict", "--text", TWEET, "--image", os.path.join(PHOTOS, "grace_hopper.jpg")))
    e = entity(r.posts[0], "Grace Hopper")
    assert 0 <= e["visible"] <= 1 and e["expression"], e
    box = e["regions"][0]["box"]
    assert e["regions"][0]["label"] == "person" and e["regions"][0]["mask"]["counts"], e
    assert box[2] - box[0] > 300 and box[3] - box[1] > 300, box


def test_text_in_the_image():
    """What stands in the picture is in the record, and the output is read again as it is."""
    photo = os.path.join(PHOTOS, "grace_hopper.jpg")
    r = gm.expect_ok(gm.run("predict", "--text", TWEET, "--image", photo))
    post = r.posts[0]
    plate = [t for t in post["texts"] if "HOP" in t["text"]]  # HOPPER, perhaps misread
    assert len(plate) == 1 and plate[0]["box"][1] > 450 and 0.5 <= plate[0]["score"] <= 1, post["texts"]
    assert len(entity(post, "Grace Hopper")["regions"]) == 1, post
    with gm.Folder() as d:
        again = gm.expect_ok(gm.run("predict", "--recipe", "tag", d.write("p.jsonl", json.dumps(post) + "\n")))
        assert again.posts[0]["texts"] == post["texts"], again.posts


def test_boxes_by_what_is_read():
    """A thing whose name is read gets its lettering, one that is nowhere the whole picture; a place neither."""
    text = "Hopper and the Compiler in Arlington"
    post = {"id": "1", "text": text, "image": os.path.join(PHOTOS, "grace_hopper.jpg"), "entities": [
        {"text": w, "type": t, "start": text.index(w), "end": text.index(w) + len(w)}
        for w, t in (("Hopper", "OTHER"), ("Compiler", "OTHER"), ("Arlington", "LOC"))]}
    with gm.Folder() as d:
        recipe = d.write("x.yaml", "name: x\nstages:\n  - stage: look\n  - stage: read\n  - stage: ground\n"
                                   "    picture_types: [OTHER]\n")
        e = gm.expect_ok(gm.run("predict", d.write("in.jsonl", json.dumps(post)), "--recipe", recipe)).posts[0]["entities"]
    (plate,), (picture,) = e[0]["regions"], e[1]["regions"]
    assert plate["label"] == "lettering" and 90 < plate["box"][0] < plate["box"][2] < 180, plate
    assert picture["label"] == "picture" and picture["box"][:2] == [0, 0] and picture["box"][3] > 500, picture
    assert e[2]["note"] == "no_box:no_object", e[2]


def test_evidence_is_weighed():
    """The default keeps the encoder's word and weighs it with what was seen; without a picture there is none."""
    photo = os.path.join(PHOTOS, "grace_hopper.jpg")
    e = entity(gm.expect_ok(gm.run("predict", "--text", TWEET, "--image", photo)).posts[0], "Grace Hopper")
    assert 0 < e["evidence"]["encoder"] < 1 and e["visible"] >= 0.8 and e["visible"] != e["evidence"]["encoder"], e
    assert "evidence" not in entity(gm.expect_ok(gm.run("predict", "--text", TWEET)).posts[0], "Grace Hopper")


def test_what_is_missing_says_why():
    """An entity without a box, or a box without a mask, has a note, with and without a run folder; a post
    without an image has none, for nobody judged its entities."""
    photo = os.path.join(PHOTOS, "grace_hopper.jpg")
    lines = [json.dumps({"id": "1", "text": TWEET + " Apple moves to Paris.", "image": photo}),
             json.dumps({"id": "2", "text": TWEET})]
    with gm.Folder() as d:
        posts = d.write("in.jsonl", "\n".join(lines))
        for more in ([], ["--run", d / "run"], ["--run", d / "run"]):
            out = gm.expect_ok(gm.run("predict", posts, *more)).posts
            assert len(out[0]["entities"]) >= 3, out[0]
            for e in out[0]["entities"]:
                missing = not e.get("regions")
                assert e.get("note", "").startswith("no_box:") == missing, e
                for r in e.get("regions", []):
                    assert bool(r.get("mask")) != bool(r.get("note")), e
            assert not any("note" in e for e in out[1]["entities"]), out[1]


def test_judged_without_an_image():
    """A post that comes with `visible` and boxes but without an image is told, with and without a run."""
    post = {"id": "1", "text": "Ann Lee in Rome", "entities": [
        {"text": "Ann Lee", "type": "PER", "start": 0, "end": 7, "visible": 0.9},
        {"text": "Rome", "type": "LOC", "start": 11, "end": 15, "regions": [{"box": [1, 2, 3, 4]}]}]}
    with gm.Folder() as d:
        recipe = d.write("x.yaml", "name: x\nstages:\n  - stage: ground\n    backend: objects\n"
                                   "  - stage: segment\n    backend: matting\n")
        for more in ([], ["--run", d / "run"], ["--run", d / "run"]):
            e = gm.expect_ok(gm.run("predict", d.write("in.jsonl", json.dumps(post)), "--recipe", recipe,
                                    *more)).posts[0]["entities"]
            assert e[0]["note"] == "no_box:no_image", e
            assert e[1]["regions"][0]["note"] == "no_mask:no_image" and "note" not in e[1], e


def test_missing_weights_are_not_taken_from_the_base():
    """Only the frozen word embeddings come from the base model, whatever else it has."""
    for missing in ("embeddings.LayerNorm.weight", "encoder.layer.0.output.dense.weight"):
        with gm.Folder() as d:
            shutil.copytree(os.path.join(gm.HOME, "models", "ner-default"), d / "model")
            path = os.path.join(d / "model", "model.safetensors")
            header, data = tiny_model.read_raw(path)
            tiny_model.write_tensors(path, {
                name: (e["dtype"], e["shape"], data[slice(*e["data_offsets"])])
                for name, e in header.items() if name not in (missing, "__metadata__")})
            gm.expect(gm.run("predict", "--text", TWEET, "--recipe", "tag", "--tagger", d / "model"), 1,
                      path, missing, "is missing")


def test_the_tagger_that_reads_knowledge():
    """It goes by its name, and what a post says is known changes what it thinks; not the default tagger."""
    text = "great show by Adele in Leeds"
    known = "Named entities: 1. Adele (person/singer) 2. Leeds (location/city)"
    for name, reads in (("ner-knowledge", True), ("ner-default", False)):
        posts = [json.dumps({"text": text}), json.dumps({"text": text, "knowledge": known})]
        r = gm.expect_ok(gm.run("predict", "-", "--recipe", "tag", "--tagger", name, stdin="\n".join(posts)))
        plain, told = ([(e["text"], e["type"], e["score"]) for e in p["entities"]] for p in r.posts)
        assert [e[:2] for e in told] == [("Adele", "PER"), ("Leeds", "LOC")], told
        assert (plain != told) == reads, (name, plain, told)


def test_many_entities_in_one_post():
    """Questions of one post are asked in batches of bounded memory, too."""
    text = "Anna Smith met Bill Gates in London . " * 50
    post = {"text": text, "image": os.path.join(PHOTOS, "grace_hopper.jpg")}
    r = gm.expect_ok(gm.run("predict", "-", stdin=json.dumps(post)))
    entities = r.posts[0]["entities"]
    assert len(entities) > 100, len(entities)
    assert all(0 < e["visible"] < 1 for e in entities), entities


def test_demo():
    with gm.Folder() as d:
        begin = time.monotonic()
        p = subprocess.run([os.path.join(gm.HOME, "tools", "demo.sh"), d.path], capture_output=True,
                           env={**os.environ, "GMNER": gm.PROGRAM}, timeout=gm.TIMEOUT_S, check=False)
        took_s = time.monotonic() - begin
        assert p.returncode == 0, (p.stdout, p.stderr)
        names = d.names()
        assert names[-2:] == ["index.html", "posts.jsonl"], names
        assert len([n for n in names if n.endswith(".png")]) == 4, names
        with open(d / "posts.jsonl", encoding="utf-8") as f:
            posts = {json.loads(line)["id"]: json.loads(line) for line in f}
        for post, person in (("grace-hopper", "Grace Hopper"), ("eileen-collins", "Eileen Collins")):
            e = entity(posts[post], person)
            assert e["type"] == "PER" and e["regions"] and "mask" in e["regions"][0], e
        assert all(not e.get("regions") for e in posts["not-in-the-image"]["entities"])
        assert all(not e.get("regions") for e in posts["text-only"]["entities"])
        assert b"Grace Hopper" in p.stdout
        print(f"demo: {took_s:.1f} s")


def test_every_post_comes_back():
    """Bad posts among good ones, in the default recipe, more than a batch."""
    photo = os.path.join(PHOTOS, "astronaut.png")
    posts = []
    for i in range(70):
        posts.append({"id": f"{i}", "text": f"Eileen Collins said {i} to NASA",
                      **({"image": photo} if i % 10 == 0 else {"image": "/none.jpg"} if i % 10 == 5 else {})})
    r = gm.run("predict", "-", stdin="".join(json.dumps(p) + "\n" for p in posts))
    assert r.code == 3 and len(r.errors) == 7, (r.code, r.err)
    assert [p["id"] for p in r.posts] == [p["id"] for p in posts]
    for i, p in enumerate(r.posts):
        assert any(e["text"] == "Eileen Collins" for e in p["entities"]), p
        assert ("error" in p) == (i % 10 == 5) and ("objects" in p) == (i % 10 == 0), p


def shipped(name):
    return os.path.isdir(os.path.join(gm.HOME, "models", name))


if not (shipped("ner-default") and shipped("entail-default")):
    print("skipped: models/ner-default or models/entail-default is not there")
    raise SystemExit(77)
gm.main(globals())
