"""Taggers of others: directories as AutoModelForTokenClassification saves them, with labels in config.json. What
their numbers are is compared with transformers in tests/ref/taggers_reference.py; here, what labels mean."""
import json
import math
import os
import random
import shutil
import struct
import tempfile

import gm
import tiny_model
from posts_data import conll

_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-softmax-")
BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
BIOES = ["O", "B-PER", "I-PER", "E-PER", "S-PER"]
POSTS = "".join(json.dumps({"id": str(i), "text": " ".join(random.Random(i).choices(tiny_model.WORDS, k=12))}) + "\n"
                for i in range(40))


def tagger(name, labels, row_of=None, biases=None, **more):
    """A directory whose classifier has one row for each label; row_of[i] is the random row that label i takes, biases[i]
    its bias."""
    path = os.path.join(_dir.name, name)
    tiny_model.write(path)
    weights = os.path.join(path, "model.safetensors")
    tensors = {"bert." + k: v for k, v in tiny_model.tensors(weights).items()}
    rng, n, h = random.Random(3), len(labels), tiny_model.HIDDEN
    rows = [[rng.gauss(0, 2) for _ in range(h)] for _ in range(8)]
    values = [x for i in range(n) for x in rows[row_of[i] if row_of else i]]
    tensors["classifier.weight"] = ("F32", [n, h], struct.pack(f"<{n * h}f", *values))
    tensors["classifier.bias"] = ("F32", [n], struct.pack(f"<{n}f", *(biases or [0.0] * n)))
    tiny_model.write_tensors(weights, tensors)
    config = os.path.join(path, "config.json")
    with open(config, encoding="utf-8") as f:
        settings = json.load(f)
    settings.update(architectures=["BertForTokenClassification"], id2label=dict(enumerate(labels)), **more)
    with open(config, "w", encoding="utf-8") as f:
        json.dump(settings, f)
    return path


def predict(path, *more):
    return gm.run("predict", "-", "--recipe", "tag", "--tagger", path, *more, stdin=POSTS)


def found(path):
    posts = gm.expect_ok(predict(path)).posts
    return [[(e["start"], e["end"], e["type"], round(e["score"], 4)) for e in p["entities"]] for p in posts]


def test_the_order_of_labels_means_nothing():
    want = found(tagger("bio", BIO))
    assert sum(map(len, want)) > 20 and {e[2] for p in want for e in p} == {"PER", "LOC"}, want
    mixed = [3, 0, 4, 2, 1]
    assert found(tagger("mixed", [BIO[i] for i in mixed], mixed)) == want


def test_bilou_is_bioes():
    want = found(tagger("bioes", BIOES))
    assert sum(map(len, want)) > 20, want
    assert found(tagger("bilou", ["O", "B-PER", "I-PER", "L-PER", "U-PER"])) == want
    assert found(tagger("underscores", ["O", "B_PER", "I_PER", "E_PER", "S_PER"])) == want


def test_runs_of_one_class_are_one_entity():
    want = found(tagger("bare", ["O", "PER", "LOC"]))
    assert found(tagger("inside", ["O", "I-PER", "I-LOC"])) == want
    for entities in want:
        for a, b in zip(entities, entities[1:]):
            assert a[2] != b[2] or b[0] > a[1] + 1, (a, b)


def test_a_line_ends_what_stands_on_it():
    """Of runs of one class, too: the words of each line alone, and not one less."""
    path = tagger("lines", ["PER", "O"], [1, 0], [50.0, 0.0])  # all words are of one class
    words = tiny_model.WORDS[:6]
    text = f"{words[0]} {words[1]}\n{words[2]}\n\n{words[3]} {words[4]} {words[5]}"
    post, = gm.expect_ok(gm.run("predict", "-", "--recipe", "tag", "--tagger", path, stdin=json.dumps({"text": text}))).posts
    assert [e["text"] for e in post["entities"]] == [s for s in text.split("\n") if s], post
    assert min(e["uncertainty"]["marginal"] for e in post["entities"]) > 0.99, post


def test_letters_in_front_and_behind_in_either_case():
    want = found(tagger("bio", BIO))
    for name, labels in (("suffix", ["O", "PER-B", "PER-I", "LOC-B", "LOC-I"]), ("suffix_", ["O", "PER_B", "PER_I", "LOC_B", "LOC_I"]),
                         ("none", ["NONE", "B-PER", "I-PER", "B-LOC", "I-LOC"])):
        assert found(tagger(name, labels)) == want, name
    small = [[(s, e, t.lower(), x) for s, e, t, x in p] for p in want]
    assert found(tagger("small", [l.lower() for l in BIO])) == small
    want = found(tagger("bioes", BIOES))
    assert found(tagger("bmes", ["O", "B-PER", "M-PER", "E-PER", "S-PER"])) == want
    assert found(tagger("bmes_", ["o", "PER_b", "PER_m", "PER_e", "PER_s"])) == want
    for name, labels in (("mail", ["O", "e-mail", "s-bahn"]), ("vitamins", ["O", "vitamin-b", "vitamin-e"])):
        assert {e[2] for p in found(tagger(name, labels)) for e in p} == set(labels[1:]), name


def test_labels_that_mean_the_same_add_up():
    """Schemes between BIO and BIOES, and what special tokens have: the same as with one label of the sum, here of twice
    the probability of each."""
    twice = math.log(2)
    for name, labels, rows, same, of, biases in [
            ("bios", ["O", "B-PER", "S-PER", "I-PER"], [0, 1, 1, 2], ["O", "B-PER", "I-PER"], [0, 1, 2], [0, twice, 0]),
            ("bie", ["O", "B-PER", "I-PER", "E-PER"], [0, 1, 2, 2], ["O", "B-PER", "I-PER"], [0, 1, 2], [0, 0, twice]),
            ("pad", ["[PAD]", "O", "B-PER", "I-PER"], [0, 0, 1, 2], ["O", "B-PER", "I-PER"], [0, 1, 2], [twice, 0, 0]),
            ("x", ["O", "B-PER", "I-PER", "X", "[CLS]"], [0, 1, 2, 0, 5], ["O", "B-PER", "I-PER", "[SEP]"], [0, 1, 2, 5],
             [twice, 0, 0, 0]),
            ("io-pad", ["<pad>", "PER", "O"], [0, 1, 0], ["PER", "O"], [1, 0], [0, twice])]:
        want = found(tagger("sum", same, of, biases))
        assert sum(map(len, want)) > 10, (name, want)
        assert found(tagger(name, labels, rows)) == want, name
    assert sum(map(len, found(tagger("one", ["<none>", "B-PER", "I-PER"])))) > 10


def test_iob1_by_its_names_and_by_gold():
    want = found(tagger("classes", ["O", "PER", "LOC"]))
    never = -1000.0
    # There is no B-PER, as no PER stood beside another in training.
    path = tagger("iob1-lacking", ["O", "I-PER", "B-LOC", "I-LOC"], [0, 1, 3, 2], [0, 0, never, 0])
    assert found(path) == want
    # All labels are there, and B comes as seldom: gold entities tell.
    path = tagger("iob1", ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], [0, 3, 1, 4, 2], [0, never, 0, never, 0])
    r = gm.expect_ok(predict(path))
    assert sum(len(p["entities"]) for p in r.posts) == 0 and "IOB1" in r.err and r.err.count("warning") == 1, r.err
    assert "IOB1" not in predict(tagger("bio", BIO)).err
    with gm.Folder() as d:
        gold = d.write("gold.jsonl", "".join(json.dumps(p) + "\n" for p in predict(tagger("classes", ["O", "PER", "LOC"])).posts))
        r = gm.expect_ok(gm.run("models", "calibrate", path, "--dev", gold))
        assert "its tags are IOB1's: F1 1.0000" in r.err, r.err
        spans = [[e[:3] for e in p] for p in found(path)]
        assert spans == [[e[:3] for e in p] for p in want]
        assert "IOB1" not in predict(path).err
        bio = tagger("bio", BIO)
        gold = d.write("bio.jsonl", "".join(json.dumps(p) + "\n" for p in predict(bio).posts))
        r = gm.expect_ok(gm.run("models", "calibrate", bio, "--dev", gold))
        with open(os.path.join(bio, "gmner.json"), encoding="utf-8") as f:
            assert "scheme" not in json.load(f) and "IOB1" not in r.err, r.err
        os.remove(os.path.join(bio, "gmner.json"))
    with open(os.path.join(path, "gmner.json"), "w", encoding="utf-8") as f:  # as the warning says
        json.dump({"format": 1, "task": "ner", "head": "softmax", "scheme": "iob1"}, f)
    assert found(path) == want
    path = tagger("bioes", BIOES)
    with open(os.path.join(path, "gmner.json"), "w", encoding="utf-8") as f:
        json.dump({"format": 1, "task": "ner", "head": "softmax", "scheme": "iob1"}, f)
    gm.expect(predict(path), 1, "gmner.json", '"iob1"')
    os.remove(os.path.join(path, "gmner.json"))


def test_no_label_is_made_up():
    """A scheme that lacks a label of a type never gives it: here no LOC of one word."""
    path = tagger("lacks", [*BIOES, "B-LOC", "I-LOC", "E-LOC"])
    r = gm.expect_ok(predict(path))
    kinds = [len(e["text"].split()) for p in r.posts for e in p["entities"] if e["type"] == "LOC"]
    assert kinds and min(kinds) > 1, kinds


def test_calibrated_and_evaluated():
    path = tagger("calibrated", BIO)
    with gm.Folder() as d:
        before = gm.expect_ok(predict(path)).posts
        gold = d.write("gold.jsonl", "".join(
            json.dumps({**p, "entities": [e for k, e in enumerate(p["entities"]) if (i + k) % 2]}) + "\n"
            for i, p in enumerate(before)))
        gm.expect_ok(gm.run("models", "calibrate", path, "--dev", gold))
        after = gm.expect_ok(predict(path)).posts
        same = [[(e["start"], e["end"], e["type"]) for e in p["entities"]] for p in before]
        assert [[(e["start"], e["end"], e["type"]) for e in p["entities"]] for p in after] == same
        scores = [e["score"] for p in after for e in p["entities"]]
        assert abs(sum(scores) / len(scores) - 0.5) < 0.1, scores
        r = gm.expect_ok(gm.run("eval", "--gold", gold, "--pred", d.write("pred.jsonl", "".join(
            json.dumps(p) + "\n" for p in after)), "--task", "mner"))
        assert "recall" in r.out, r.out


def test_an_encoder_like_any_other():
    with gm.Folder() as d:
        data = d.write("t.conll", "IMGID:1\nAnna\tB-PER\nlives\tO\n\nIMGID:2\nBert\tB-PER\nis\tO\n\n")
        out = d / "m"
        r = gm.expect_ok(gm.run("train", "--task", "ner", "--encoder", tagger("start", BIO), "--train", data, "--dev", data,
                                "-o", out))
        assert "classifier" in r.err and "is not used" in r.err, r.err
        gm.expect_ok(predict(out))
        # Calibrated it is still somebody else's: training begins with its encoder.
        path = tagger("start", BIO)
        gold = d.write("gold.jsonl", "".join(json.dumps(p) + "\n" for p in predict(path).posts))
        gm.expect_ok(gm.run("models", "calibrate", path, "--dev", gold))
        gm.expect_ok(gm.run("train", "--task", "ner", "--encoder", path, "--train", data, "-o", d / "m2", "--epochs", "1"))
        os.remove(os.path.join(path, "gmner.json"))


def test_added_under_a_name():
    with gm.Folder() as d:
        env = {"GMNER_MODELS": d / "models"}
        path = tagger("added", BIO)
        os.makedirs(os.path.join(path, "more"), exist_ok=True)
        for name in "pytorch_model.bin", ".hidden", "more/note.txt":
            with open(os.path.join(path, name), "w", encoding="utf-8") as f:
                f.write("x")
        r = gm.run("models", "add", path + "/", "--name", "mine", env=env)
        gm.expect_ok(r)
        with open(d / "models/mine.json", encoding="utf-8") as f:
            manifest = json.load(f)
        assert [f["path"] for f in manifest["files"]] == \
            ["config.json", "model.safetensors", "more/note.txt", "tokenizer.json"], manifest
        assert manifest["task"] == "ner" and _dir.name not in json.dumps(manifest), manifest
        listed = gm.expect_ok(gm.run("models", "list", "mine", env=env)).out
        assert "mine" in listed and "comes with gmner" not in listed, listed
        gm.expect_ok(gm.run("models", "check", "mine", env=env))
        want = gm.expect_ok(predict(path)).out
        assert gm.expect_ok(gm.run("predict", "-", "--recipe", "tag", "--tagger", "mine", stdin=POSTS, env=env)).out == want
        gm.expect(gm.run("models", "add", path, "--name", "mine", env=env), 1, "there is a model mine already")
        gm.expect(gm.run("models", "add", path, "--name", "minilm", env=env), 1, "there is a model minilm already")
        os.remove(d / "models/mine/model.safetensors")
        r = gm.run("models", "check", "mine", env=env)
        assert r.code == 1 and "model.safetensors is not there" in r.err and "delete its folder and the manifest mine.json" in r.err, r.err
        gm.expect(gm.run("models", "add", path, "--name", "mine", env=env), 1, "delete its folder and manifest")
        os.remove(d / "models/mine.json")
        shutil.rmtree(d / "models/mine")
        gm.expect_ok(gm.run("models", "add", path, "--name", "mine", env=env))
        gm.expect_ok(gm.run("models", "check", "mine", env=env))
        for name in "../x", "-x", "_x":
            gm.expect(gm.run("models", "add", path, "--name", name, env=env), 1, "lower-case letters")
        d.write("models/own/weights.onnx", "x")
        gm.expect(gm.run("models", "add", path, "--name", "own", env=env), 1, "models/own is there already")
        assert os.listdir(d / "models/own") == ["weights.onnx"]
        gm.expect_ok(gm.run("models", "add", d / "models/own", "--name", "own", env=env))
        gm.expect(gm.run("models", "add", d / "none", "--name", "x", env=env), 1, "no such file or folder")
        gm.expect(gm.run("models", "add", path, env=env), 2, "--name")
        gm.expect_ok(gm.run("models", "add", os.path.join(path, "config.json"), "--name", "one-file", env=env))
        gm.expect_ok(gm.run("models", "check", "one-file", env=env))


def test_what_fails_leaves_nothing():
    with gm.Folder() as d:
        env = {"GMNER_MODELS": d / "models"}
        d.write("broken/config.json", "{")
        d.write("broken/onnx/model.onnx", "x")
        d.write("models/here.txt", "")
        gm.expect(gm.run("models", "add", d / "broken", "--name", "broken", env=env), 1, "config.json")
        assert os.listdir(d / "models") == ["here.txt"], os.listdir(d / "models")
        os.mkfifo(d / "models/pipe.json")  # no manifest, and nothing to wait for
        assert "minilm" in gm.expect_ok(gm.run("models", "list", env=env)).out


def test_quantised_but_not_averaged():
    path = tagger("rounded", BIO)
    with gm.Folder() as d:
        gm.expect_ok(gm.run("models", "quantise", path, "-o", d / "q"))
        if gm.cpu_has("vnni"):
            assert gm.expect_ok(predict(d / "q", "--precision", "int8")).out == gm.expect_ok(predict(path, "--precision", "int8")).out
        gm.expect(gm.run("models", "average", path, path, "-o", d / "a"), 1, "gmner.json", "`gmner train`")
        gm.expect(gm.run("models", "quantise", path, "-o", path + "/."), 1, "would be lost")
        gm.expect(gm.run("models", "average", d / "q", path, "-o", path), 1, "would be lost")
        # Over a model with a gmner.json, which was not this one's.
        d.write("old/gmner.json", "{}")
        gm.expect(gm.run("models", "quantise", path, "-o", d / "old"), 1, "there is a model already")
        gm.expect_ok(gm.run("models", "quantise", path, "-o", d / "old", "--overwrite"))
        assert sorted(os.listdir(d / "old")) == sorted(os.listdir(d / "q")) and "gmner.json" not in os.listdir(d / "q")
        gold = d.write("gold.jsonl", json.dumps({"id": "1", "text": "Ann", "entities": []}) + "\n")
        gm.expect(gm.run("models", "calibrate", "ner-default", "--dev", gold), 1, "a copy of its folder")


def test_a_teacher():
    """Its labels are told by their names, whatever their order; ours are in order of type."""
    always = lambda label: [50.0 if l == label else 0.0 for l in BIO]  # noqa: E731
    mixed = [3, 0, 4, 2, 1]
    with gm.Folder() as d:
        tiny_model.write(d / "encoder")
        posts, settings = d.write("train.txt", conll()), d.write("s.yaml", "teacher_weight: 1\nhead_lr: 0.02\nlr: 0.005\n")

        def train(teacher, out, *more):
            return gm.run("train", "--train", posts, "-o", d / out, "--encoder", d / "encoder", "--epochs", "8", "--precision",
                          "f32", "--config", settings, "--teacher", teacher, *more)

        for label in ("B-PER", "B-LOC"):
            gm.expect_ok(train(tagger(f"always-{label}", BIO, None, always(label)), label))
            r = gm.run("predict", "--recipe", "tag", "--tagger", d / label, "--text", "Anna lives in Rome .")
            assert {e["type"] for e in gm.expect_ok(r).posts[0]["entities"]} == {label[2:]}, r.out
        for name, labels, rows in (("in-order", BIO, None), ("mixed", [BIO[i] for i in mixed], mixed)):
            gm.expect_ok(train(tagger(name, labels, rows), name))
        a, b = (predict(d / name).posts for name in ("in-order", "mixed"))
        for x, y in zip(a, b, strict=True):
            assert [e["type"] for e in x["entities"]] == [e["type"] for e in y["entities"]]
            assert all(abs(e["score"] - f["score"]) < 1e-3 for e, f in zip(x["entities"], y["entities"]))
        assert sum(len(p["entities"]) for p in a) > 20
        gm.expect(train(tagger("org", ["O", "B-PER", "I-PER", "B-ORG", "I-ORG"]), "x"), 1, "org: a teacher whose types are not",
                  "(ORG only in the model; LOC only in the data)")
        gm.expect(train(tagger("bioes", ["O", *(p + t for t in ("PER", "LOC") for p in ("B-", "I-", "E-", "S-"))],
                               [i % 8 for i in range(9)]), "x"), 1, "a teacher whose tags are bioes", "are bio", '"scheme"')


def test_a_thousand_types():
    """Linear in labels: their square (each from each, twice a word and forwards and backwards) took 22 s here."""
    labels = ["O", *(p + str(i) for i in range(1000) for p in ("B-", "I-"))]
    path = tagger("thousand", labels, [0] + [1 + i % 7 for i in range(2000)])
    before = os.times()
    posts = gm.expect_ok(predict(path, "--threads", "1")).posts
    after = os.times()
    assert len(posts) == 40 and any(p["entities"] for p in posts)
    if not gm.is_sanitized():
        assert after.children_user - before.children_user < 5, (before, after)


def test_refused_by_name():
    for labels, more, words in [
            (["LABEL_0", "LABEL_1"], {}, ["LABEL_0", "id2label"]),
            (["POS", "NEG"], {}, ["there is no O"]),
            (["O", "PER", "B-PER"], {}, ["BIO, BIOES, BILOU, BMES or IO", "but not PER"]),
            (["PER", "B-PER", "I-PER"], {}, ["but not PER"]),  # is it outside, or a person?
            (["B-PER", "I-PER"], {}, ["there is no O"]),
            (["O", "PER-B", "PER-I", "LOC"], {}, ["but not LOC"]),
            (["O", "O", "B-PER", "I-PER"], {}, ["label 1", "O, is there before"]),
            (["O", "B-PER", "I-PER", "B-PER"], {}, ["label 3", "B-PER, is there before"]),
            (["O", "B-PER", "E-PER", "L-PER"], {}, ["label 3", "L-PER, is there before"]),
            (["O", "PER", "PER"], {}, ["label 2", "PER, is there before"]),
            (["O", "B", "I"], {}, ["say no type", "B-TERM"]),
            (["[CLS]", "[SEP]", "B-PER", "I-PER"], {}, ["there is no O"]),
            (BIO, {"hidden_act": "mish"}, ["mish"]),
            (BIO, {"architectures": ["BertForSequenceClassification"]}, ["BertForSequenceClassification"])]:
        path = tagger("refused", labels)
        config = os.path.join(path, "config.json")
        with open(config, encoding="utf-8") as f:
            settings = json.load(f)
        with open(config, "w", encoding="utf-8") as f:
            json.dump({**settings, **more}, f)
        gm.expect(predict(path), 1, *words, "config.json")
    path = tagger("fewer", BIO)
    with open(os.path.join(path, "config.json"), encoding="utf-8") as f:
        settings = json.load(f)
    settings["id2label"] = {"0": "O", "1": "B-PER"}
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as f:
        json.dump(settings, f)
    gm.expect(predict(path), 1, "classifier.weight has shape [5,32] where [2,32] is needed")


gm.main(globals())
