"""`gmner models ensemble`: taggers that answer as one, on tiny encoders made here. The pool of taggers that share an encoder
is the tagger whose head and transitions are the means of theirs, which is written here by hand."""
import functools
import json
import os
import shutil
import struct
import tempfile

import gm
import tiny_model
from posts_data import NAMES, PLACES, conll
from tiny_model import floats, tensors

_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-ensemble-")
HEAD = ("classifier.weight", "classifier.bias", "crf.transitions", "crf.start_transitions", "crf.end_transitions")
WORDS = (*NAMES, *PLACES, "visits", "in", "xx", "Annaberlin", ":", "lives", "@")
POSTS = "".join(json.dumps({"text": " ".join(WORDS[(i * k) % len(WORDS)] for k in range(1, 9))}) + "\n" for i in range(1, 60))


def train(out, settings="", data=None, start=None, seed=1):
    with gm.Folder() as d:
        encoder = os.path.join(_dir.name, "encoder")
        if not os.path.isdir(encoder):
            tiny_model.write(encoder)
        gm.expect_ok(gm.run("train", "--train", d.write("t.txt", data or conll()), "-o", out, "--encoder", start or encoder,
                            "--precision", "f32", "--config", d.write("c.yaml", "case: false\n" + settings), "--seed", str(seed)))


@functools.cache
def members():
    """Two taggers with the same encoder and other heads: the second is the first gone on with, its encoder's rate zero."""
    a, b = (os.path.join(_dir.name, n) for n in "ab")
    train(a, "epochs: 3\nlr: 0.003\n")
    train(b, "epochs: 2\nlr: 0\nhead_lr: 0.1\ncrf_lr: 0.3\n", start=a, seed=2)
    one, two = tensors(a), tensors(b)
    assert all(one[n] == two[n] for n in one if n not in HEAD) and all(one[n] != two[n] for n in HEAD)
    return a, b


def settings_of(folder):
    with open(os.path.join(folder, "gmner.json"), encoding="utf-8") as f:
        return json.load(f)


def with_tensors(source, to, change, **settings):
    shutil.copytree(source, to)
    t = tensors(to)
    change(t)
    tiny_model.write_tensors(os.path.join(to, "model.safetensors"), t)
    was = settings_of(to)
    with open(os.path.join(to, "gmner.json"), "w", encoding="utf-8") as f:
        json.dump({**was, **settings}, f)
    return to


def ensemble(*models, out):
    return gm.run("models", "ensemble", *models, "-o", out)


def predict(tagger, *settings, posts=POSTS, threads=1):
    with gm.Folder() as d:
        stage = "".join(f"    {s}\n" for s in (f"model: {tagger}", "precision: f32", *settings))
        recipe = d.write("r.yaml", "name: t\nstages:\n  - stage: tag\n" + stage)
        return gm.run("predict", "-", "--recipe", recipe, "--threads", str(threads), stdin=posts)


def found(r):
    return [[(e["start"], e["end"], e["type"]) for e in p["entities"]] for p in gm.expect_ok(r).posts]


def numbers(r):
    return [(e["score"], *e["uncertainty"].values()) for p in r.posts for e in p["entities"] + p.get("entity_candidates", [])
            if "uncertainty" in e]


def same(r, s):
    assert found(r) == found(s)
    near = [abs(x - y) for a, b in zip(numbers(r), numbers(s), strict=True) for x, y in zip(a, b, strict=True)]
    assert len(near) > 100 and max(near) < 2e-4, max(near)
    scores = [[c["score"] for p in x.posts for c in p["entity_candidates"]] for x in (r, s)]
    assert scores[0] and max(abs(x - y) for x, y in zip(*scores, strict=True)) < 2e-4


def test_pool_is_the_mean_of_the_scores():
    a, b = members()
    with gm.Folder() as d:
        def mean(t, w=0.5):
            other = tensors(b)
            for n in HEAD:
                t[n] = ("F32", t[n][1], struct.pack(f"<{len(floats(t[n]))}f", *(w * x + (1 - w) * y for x, y in zip(floats(t[n]), floats(other[n])))))
        hand = with_tensors(a, d / "hand", mean)
        gm.expect_ok(ensemble(a, b, out=d / "both"))
        assert os.listdir(d / "both") == ["gmner.json"]
        want = predict(hand, "candidates: 0.01")
        same(predict(d / "both", "candidates: 0.01"), want)
        same(predict(d / "both", "candidates: 0.01", threads=2), want)
        assert found(want) != found(predict(a)) and found(want) != found(predict(b))
        gm.expect_ok(gm.run("models", "ensemble", a, b, "--weights", "3,1", "-o", d / "uneven"))
        uneven = with_tensors(a, d / "hand31", lambda t: mean(t, 0.75))
        same(predict(d / "uneven", "candidates: 0.01"), predict(uneven, "candidates: 0.01"))
        for wrong in ("3", "3,1,1", "3,0", "3,x", "3,", "-1,2", "3,inf", "3,nan", "1e308,1e308", "1,1e-60", "1001,1", ""):
            gm.expect(gm.run("models", "ensemble", a, b, "--weights", wrong, "-o", d / "x"), 2, "--weights")
        gm.expect(gm.run("models", "average", a, b, "--weights", "3,1", "-o", d / "x"), 2, "--weights is for ensemble")

        # The same types in another order: B and I of each change places with those of the other type.
        order = [0, 3, 4, 1, 2]
        def turn(t):
            for n in HEAD:
                kind, shape, raw = t[n]
                cells = len(raw) // shape[0]
                rows = [raw[cells * i:cells * (i + 1)] for i in order]
                if n == "crf.transitions":
                    size = cells // 5
                    rows = [b"".join(r[size * j:size * (j + 1)] for j in order) for r in rows]
                t[n] = (kind, shape, b"".join(rows))
        types = settings_of(b)["types"]
        turned = with_tensors(b, d / "turned", turn, types=types[::-1])
        assert found(predict(turned)) == found(predict(b))
        gm.expect_ok(ensemble(a, turned, out=d / "again"))
        same(predict(d / "again", "candidates: 0.01"), want)
        gm.expect_ok(ensemble(a, b, turned, out=d / "three"))
        assert found(predict(d / "three")) != found(want)


def test_each_reads_what_it_learned_to_read():
    """A member with knowledge reads it, one without does not."""
    a, _ = members()
    told = "".join(json.dumps({**json.loads(p), "knowledge": "Anna is a place in Rome . "}) + "\n" for p in POSTS.splitlines())
    with gm.Folder() as d:
        lines = []
        for block in conll().strip().split("\n\n"):
            place = "Rome" in block
            lines.append(block + "\n<EOS>\tX\n" + ("a\tX\nplace\tX\n" if place else "nobody\tX\n"))
        train(d / "knows", "epochs: 4\nlr: 0.003\n", data="\n".join(lines) + "\n", seed=3)
        assert settings_of(d / "knows")["knowledge"] and not settings_of(a)["knowledge"]
        gm.expect_ok(ensemble(a, d / "knows", out=d / "both"))
        gm.expect_ok(ensemble(d / "knows", a, out=d / "turned"))
        score = lambda *x: numbers(gm.expect_ok(predict(*x[:1], posts=x[1])))  # noqa: E731
        assert score(a, told) == score(a, POSTS)
        assert score(d / "knows", told) != score(d / "knows", POSTS)
        assert score(d / "both", told) != score(d / "both", POSTS)
        assert found(predict(d / "both", posts=told)) == found(predict(d / "turned", posts=told))


def test_calibrated_and_added():
    """It is calibrated as a model is, has a name as a model has, and its entities are cut by their score."""
    a, b = members()
    with gm.Folder() as d:
        env = {"GMNER_MODELS": d / "models"}
        gm.expect_ok(gm.run("models", "ensemble", a, b, "-o", d / "both", "--dev", d.write("dev.txt", conll())))
        assert settings_of(d / "both")["calibration"]["entities"] > 0 and len(settings_of(d / "both")["members"]) == 2
        gm.expect_ok(ensemble(a, b, out=d / "raw"))
        scores = [[n[0] for n in numbers(gm.expect_ok(predict(d / m)))] for m in ("both", "raw")]
        assert scores[0] != scores[1] and found(predict(d / "both")) == found(predict(d / "raw"))
        gm.expect_ok(gm.run("models", "add", d / "both", "--name", "mine", env=env))
        named, folder = (gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", m, "--text", "Bert visits Rome .", env=env))
                         for m in ("mine", d / "both"))
        assert named.out == folder.out and named.posts[0]["entities"], named.out

        whole = gm.expect_ok(predict(d / "both"))
        bound = sorted(n[0] for n in numbers(whole))[len(numbers(whole)) // 2]
        cut = gm.expect_ok(predict(d / "both", f"min_score: {bound}"))
        want = [[(e["start"], e["end"], e["type"]) for e in p["entities"] if e["score"] >= bound] for p in whole.posts]
        assert found(cut) == want and 0 < sum(map(len, want)) < len(numbers(whole))
        gm.expect(predict(d / "both", "min_score: 2"), 1, '"min_score" is 2')


def test_what_is_no_member():
    a, b = members()
    with gm.Folder() as d:
        gm.expect(ensemble(a, out=d / "x"), 2, "2 to 16 MODELs")
        gm.expect(ensemble(a, a, out=d / "x"), 1, a, "count twice")
        gm.expect(ensemble(a, d / "none", out=d / "x"), 1, "none")
        gm.expect(ensemble(a, os.path.join(_dir.name, "encoder"), out=d / "x"), 1, "encoder", "not a tagger that `gmner train` made")
        tiny_model.write_entail(d / "entail")
        gm.expect(ensemble(a, d / "entail", out=d / "x"), 1, "entail", "not a tagger")
        train(d / "other", "epochs: 1\n", data=conll(per="person"))
        gm.expect(ensemble(a, d / "other", out=d / "x"), 1, a, "other", "other types, or another scheme")
        train(d / "bioes", "epochs: 1\nscheme: bioes\n")
        gm.expect(ensemble(a, d / "bioes", out=d / "x"), 1, "bioes", "other types, or another scheme")
        assert not os.path.exists(d / "x")

        gm.expect_ok(ensemble(a, b, out=d / "both"))
        gm.expect(ensemble(b, a, out=d / "both"), 1, "--overwrite")
        gm.expect_ok(gm.run("models", "ensemble", b, a, "-o", d / "both", "--overwrite"))
        posts = d.write("t.txt", conll())
        for args in (("train", "--train", posts, "--encoder", d / "both", "-o", d / "y"),
                     ("models", "average", a, d / "both", "-o", d / "y"), ("models", "quantise", d / "both", "-o", d / "y"),
                     ("models", "ensemble", a, d / "both", "-o", d / "y")):
            gm.expect(gm.run(*args), 1, "both", "an ensemble", "one of its members")
            assert not os.path.exists(d / "y/gmner.json"), args


def test_in_place_of_a_model():
    """Nothing of an old model, adapter or run stays beside an ensemble, nor the other way round."""
    a, b = members()
    with gm.Folder() as d:
        for name, old in (("model", [os.path.join(a, n) for n in os.listdir(a)]), ("adapter", ()), ("run", ())):
            for path in old:
                d.write(f"{name}/{os.path.basename(path)}", open(path, "rb").read())
            for file in {"adapter": ("adapter_config.json", "adapter_model.safetensors"), "run": ("checkpoint.safetensors", "config.yaml")}.get(name, ()):
                d.write(f"{name}/{file}", "{}")
            d.write(f"{name}/mine.txt", "kept")
            gm.expect(ensemble(a, b, out=d / name), 1, "--overwrite")
            gm.expect_ok(gm.run("models", "ensemble", a, b, "-o", d / name, "--overwrite"))
            assert sorted(os.listdir(d / name)) == ["gmner.json", "mine.txt"], name
        gm.expect_ok(gm.run("models", "average", a, b, "-o", d / "model", "--overwrite"))
        assert "members" not in settings_of(d / "model")
        gm.expect_ok(predict(d / "model"))


def test_members_that_changed():
    """Weights that are not those that the ensemble was made of are no answer of it; nor are those that went."""
    a, b = (shutil.copytree(m, os.path.join(_dir.name, "moved-" + os.path.basename(m))) for m in members())
    with gm.Folder() as d:
        gm.expect_ok(ensemble(a, b, out=d / "both"))
        gm.expect_ok(gm.run("models", "calibrate", b, "--dev", d.write("dev.txt", conll())))  # the weights are the same
        gm.expect_ok(predict(d / "both"))
        right = settings_of(d / "both")
        for broken, say in (({"format": 2}, "another version of gmner"), ({"task": "entail"}, "\"entail\" where one for \"ner\"")):
            d.write("both/gmner.json", json.dumps({**right, **broken}))
            gm.expect(predict(d / "both"), 1, "both/gmner.json", say)
        for wrong, say in (([right["members"][0]], "1 \"members\""), ([right["members"][0], {"model": b}], "fingerprint"), ({}, "0 \"members\""),
                           ([right["members"][0]] * 17, "17 \"members\""), ([right["members"][0], 7], "\"model\""),
                           *(([right["members"][0], {**right["members"][1], "weight": w}], "\"weight\" must be a number from 0.001 to 1000") for w in (0, -1, "2", 1e308)),
                           ([right["members"][0], {**right["members"][1], "model": "nowhere"}], "nowhere")):
            d.write("both/gmner.json", json.dumps({**right, "members": wrong}))
            gm.expect(predict(d / "both"), 1, "both", say)
        d.write("both/gmner.json", json.dumps(right))
        gm.expect_ok(predict(d / "both"))
        changed = ("its member", "moved-b", "not the model that the ensemble was made of", "models ensemble")
        with open(os.path.join(b, "gmner.json"), "r+", encoding="utf-8") as f:
            was = f.read()
            f.seek(0)
            f.write(json.dumps({**json.loads(was), "knowledge": True}))
            f.truncate()
        gm.expect(predict(d / "both"), 1, "both", *changed)
        with open(os.path.join(b, "gmner.json"), "w", encoding="utf-8") as f:
            f.write(was)
        gm.expect_ok(predict(d / "both"))
        for name, old, new in (("config.json", '"num_attention_heads": 2', '"num_attention_heads": 1'), ("tokenizer.json", '"lives"', '"livez"')):
            with open(os.path.join(b, name), "r+", encoding="utf-8") as f:
                was = f.read()
                assert old in was, (name, was[:300])
                f.seek(0)
                f.write(was.replace(old, new, 1))
                f.truncate()
            gm.expect(predict(d / "both"), 1, "both", *changed)
            with open(os.path.join(b, name), "w", encoding="utf-8") as f:
                f.write(was)
        gm.expect_ok(predict(d / "both"))
        # What a run has stored is not the answer of an ensemble one of whose members is another now.
        run = ("predict", d.write("p.jsonl", POSTS), "--recipe", "tag", "--tagger", d / "both", "--run", d / "run", "-o", d / "o.jsonl")
        gm.expect_ok(gm.run(*run))
        assert "ran 0" in gm.expect_ok(gm.run(*run)).err + gm.run("runs", "show", d / "run").out
        weights = os.path.join(b, "model.safetensors")
        shutil.copy(os.path.join(a, "model.safetensors"), weights)
        gm.expect(predict(d / "both"), 1, "both", *changed)
        gm.expect(gm.run(*run), 1, "both", *changed)
        os.remove(weights)
        gm.expect(predict(d / "both"), 1, "both", "its member", "moved-b", "No such file")
        shutil.rmtree(b)
        gm.expect(predict(d / "both"), 1, "both", "its member", "moved-b")


if __name__ == "__main__":
    gm.main(globals())
