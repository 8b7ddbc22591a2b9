"""The entailment classifier as a user trains it: its answers are calibrated, with captions and without, by training
and by `models calibrate`."""
import json
import math
import os
import shutil
import tempfile

import gm
import tiny_model

POSTS = 90
BOX = "<annotation><object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
KEYS = {"entities", "a", "b", "c", "ece_before", "ece", "ece_cross"}
RECIPE = "name: e\nstages:\n  - {{stage: entail, backend: native, model: {}, precision: f32}}\n"
POST = {"text": "Anna is red", "image": "none.jpg", "entities": [{"text": "Anna", "type": "PER", "start": 0, "end": 4}]}
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-entail-")


def name_of(i):
    return "Anna" if i // 2 % 2 else "Rome"


def is_visible(i):
    """Most persons are, few places."""
    return i % 5 != 1 if i // 2 % 2 else i % 5 == 2


def data():
    """Arguments of training: posts in CoNLL, boxes, captions of two thirds of them. Made once."""
    place = os.path.join(_dir.name, "data")
    if not os.path.isdir(place):
        os.makedirs(os.path.join(place, "xml"))
        with open(os.path.join(place, "posts.txt"), "w", encoding="utf-8") as f:
            f.writelines(f"IMGID:{i}\n{name_of(i)}\tB-{'PER' if name_of(i) == 'Anna' else 'LOC'}\nis\tO\nred\tO\n\n" for i in range(POSTS))
        with open(os.path.join(place, "captions.txt"), "w", encoding="utf-8") as f:
            f.writelines(f"imgid:{i}###{'a person' if is_visible(i) else 'nothing'}\n" for i in range(POSTS) if i % 3)
        for i in filter(is_visible, range(POSTS)):
            with open(os.path.join(place, "xml", f"{i}.xml"), "w", encoding="utf-8") as f:
                f.write(BOX.format(name_of(i)))
        tiny_model.write(os.path.join(place, "encoder"))
    posts, captions = os.path.join(place, "posts.txt"), os.path.join(place, "captions.txt")
    return ("--train", posts, "--dev", posts, "--xml", os.path.join(place, "xml"), "--captions", captions,
            "--dev-captions", captions, "--encoder", os.path.join(place, "encoder"))


def model():
    path = os.path.join(_dir.name, "model")
    if not os.path.isdir(path):
        r = gm.expect_ok(gm.run("train", "--task", "entail", *data(), "-o", path, "--epochs", "20", "--lr", "0.005",
                                "--precision", "f32", "--threads", "1"))
        n = [sum(map(is_visible, posts)) for posts in (range(POSTS), filter(lambda i: i % 3, range(POSTS)))]
        assert f"90 entities without captions, {n[0]} visible" in r.err, r.err
        assert f"60 entities with captions, {n[1]} visible" in r.err, r.err
    return path


def settings(directory):
    with open(os.path.join(directory, "gmner.json"), encoding="utf-8") as f:
        return json.load(f)


def with_calibration(name, calibration):
    """A copy of the model with it; None: without any."""
    path = os.path.join(_dir.name, name)
    shutil.copytree(model(), path)
    s = {k: v for k, v in settings(path).items() if k != "calibration"}
    with open(os.path.join(path, "gmner.json"), "w", encoding="utf-8") as f:
        json.dump(s if calibration is None else {**s, "calibration": calibration}, f)
    return path


def visible(directory):
    """Of a person and a place, without and with a caption, what the model says."""
    posts = [{"text": f"{name} is red", "image": "none.jpg", "entities": [{"text": name, "type": t, "start": 0, "end": 4}],
              **({"caption": c} if c else {})} for name, t in (("Anna", "PER"), ("Rome", "LOC")) for c in ("", "a person")]
    with gm.Folder() as d:
        recipe = d.write("e.yaml", RECIPE.format(directory))
        lines = "".join(json.dumps(p) + "\n" for p in posts)
        return [p["entities"][0]["visible"] for p in gm.expect_ok(gm.run("predict", "-", "--recipe", recipe, stdin=lines)).posts]


def calibrated(p, c):
    return 1 / (1 + math.exp(-(c["a"] * math.log(p) - c["b"] * math.log(1 - p) + c["c"])))


def test_answers_are_calibrated():
    c = settings(model())["calibration"]
    assert set(c) == {"text", "captions"} and set(c["text"]) == set(c["captions"]) == KEYS, c
    assert c["text"]["entities"] == POSTS and c["captions"]["entities"] == POSTS * 2 // 3, c
    raw, now = visible(with_calibration("raw", None)), visible(model())
    for i, (p, score) in enumerate(zip(raw, now, strict=True)):
        assert abs(score - calibrated(p, c["captions" if i % 2 else "text"])) < 1e-4, (i, p, score, c)
    assert any(abs(p - score) > 1e-3 for p, score in zip(raw, now)), (raw, now)


def test_again_on_other_posts():
    """`models calibrate` takes boxes and captions out of the posts, and changes nothing else."""
    other = with_calibration("other", None)
    places = dict(zip(data()[::2], data()[1::2]))
    with gm.Folder() as d:
        gm.expect_ok(gm.run("data", "convert", places["--dev"], d / "dev.jsonl", "--xml", places["--xml"], "--captions",
                            places["--captions"]))
        gm.expect_ok(gm.run("models", "calibrate", other, "--dev", d / "dev.jsonl"))
        assert settings(other) == settings(model())
        with open(d / "dev.jsonl", encoding="utf-8") as f:
            posts = [json.loads(line) for line in f]
        box = next(e["regions"] for p in posts for e in p["entities"] if e["regions"])
        for p in posts:  # the contrary of what it has learned
            for e in p["entities"]:
                e["regions"], e["visible"] = ([], 0) if e["regions"] else (box, 1)
            p.pop("caption", None)
        r = gm.expect_ok(gm.run("models", "calibrate", other, "--dev", d.write("not.jsonl", "".join(json.dumps(p) + "\n" for p in posts))))
        now = settings(other)["calibration"]  # of answers with captions nothing is known now, and nothing is lost
        assert now["captions"] == settings(model())["calibration"]["captions"] != now["text"], now
        assert "stays as it was" in r.err and "entities with captions" not in r.err, r.err
        assert visible(other)[0] < visible(model())[0]
        for p in posts:
            for e in p["entities"]:
                del e["regions"], e["visible"]
        gm.expect(gm.run("models", "calibrate", other, "--dev", d.write("none.jsonl", "".join(json.dumps(p) + "\n" for p in posts))), 1,
                  "none.jsonl", "none of its 90 entities has a box", "gmner data convert")


def test_captions_of_a_file():
    """The file's captions go before the posts' own, which posts that it does not name keep."""
    places = dict(zip(data()[::2], data()[1::2]))
    with gm.Folder() as d:
        gm.expect_ok(gm.run("data", "convert", places["--dev"], d / "own.jsonl", "--xml", places["--xml"]))
        with open(d / "own.jsonl", encoding="utf-8") as f:
            posts = [json.loads(line) | {"caption_short": "a person"} for line in f]
        own = d.write("own.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
        said = {}
        for name, text in (("none", None), ("other", "imgid:zzz###words\n"), ("half", "".join(
                f"imgid:{p['id']}###{'a person' if i % 2 else 'nothing here'}\n" for i, p in enumerate(posts) if i >= POSTS // 2))):
            captions = ["--captions", d.write("c.txt", text)] if text else []
            r = gm.expect_ok(gm.run("train", "--task", "entail", "--train", own, "--xml", places["--xml"], "--encoder", places["--encoder"],
                                    *captions, "--epochs", "1", "-o", d / name))
            assert f"{POSTS} with a caption" in r.err, r.err
            with open(d / f"{name}/metrics.jsonl", encoding="utf-8") as f:
                said[name] = r.err, json.loads(f.readline())["loss"]
        assert "has captions of 0 of the 90 posts" in said["other"][0] and "has captions of 45 of the 90" in said["half"][0], said
        assert said["none"][1] == said["other"][1] != said["half"][1], said


def test_settings_of_training():
    """A setting that the task doesn't read is refused, from a file and on the command line; words are dropped."""
    with gm.Folder() as d:
        def train(text, *args, out="m"):
            return gm.run("train", *args, *data(), "-o", d / out, "--epochs", "1", "--config", d.write("c.yaml", text))
        for text in ("teacher_weight: 0.7", "spellings: 0.2", "pooling: first", "case: false", "crf_lr: 0.5"):
            gm.expect(train(text, "--task", "entail"), 1, text.split(":", maxsplit=1)[0], "a setting of task ner", "leave it out")
        gm.expect(train("lora_targets: query", "--task", "entail"), 1, '"lora_targets"', '"lora_rank"')
        gm.expect(train("task: ner"), 1, '"xml" is a setting of task entail')
        losses = []
        for i, text in enumerate(("lr: 1.0e-4", "lr: 1.0e-4\nword_dropout: 0.5", "lr: 1.0e-4\npooling: mean")):
            gm.expect_ok(train(text, "--task", "entail", out=f"m{i}"))
            with open(d / f"m{i}/metrics.jsonl", encoding="utf-8") as f:
                losses.append(json.loads(f.readline())["loss"])
        assert losses[0] == losses[2] and abs(losses[0] - losses[1]) > 1e-4, losses
        # The settings that a run writes name all of them, and are read again.
        gm.expect_ok(gm.run("train", "--config", d / "m1/config.yaml", "-o", d / "again"))


def test_wrong_settings():
    right = settings(model())["calibration"]
    for i, c in enumerate(({**right, "text": {}}, {**right, "captions": {**right["captions"], "a": -1}})):
        path = with_calibration(f"wrong{i}", c)
        with gm.Folder() as d:
            recipe = d.write("e.yaml", RECIPE.format(path))
            gm.expect(gm.run("predict", "-", "--recipe", recipe, stdin=json.dumps(POST) + "\n"), 1, path, "gmner.json",
                      "calibration")


if __name__ == "__main__":
    gm.main(globals())
