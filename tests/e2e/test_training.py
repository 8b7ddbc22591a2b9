"""Settings of training as a user gives them, on a tiny encoder made here: fine types, accumulation,
averaging, schedules, early stopping, what is frozen."""
import json
import os
import shutil
import struct
import tempfile

import gm
import tiny_model
from posts_data import conll

_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-training-")


def encoder():
    path = os.path.join(_dir.name, "encoder")
    if not os.path.isdir(path):
        tiny_model.write(path)
    return path


def train(d, settings="", *args, data=None, epochs=2, out="model", start=None):
    config = d.write("config.yaml", settings) if settings else None
    return gm.run("train", "--train", d.write("train.txt", data or conll()), "-o", d / out, "--encoder", start or encoder(),
                  "--epochs", str(epochs), "--precision", "f32", "--overwrite", *(["--config", config] if config else []), *args)


def metrics(d, out="model"):
    with open(os.path.join(d / out, "metrics.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def tensors(directory):
    return {name: tiny_model.floats(t) for name, t in tiny_model.tensors(directory).items()}


def settings_of(directory):
    with open(os.path.join(directory, "gmner.json"), encoding="utf-8") as f:
        return json.load(f)


def distance(a, b):
    return max(abs(x - y) for name in a for x, y in zip(a[name], b[name]))


def test_coarse_and_fine_types_together():
    with gm.Folder() as d:
        data = conll(fine=True, per="person", loc="location")
        dev = d.write("dev.txt", data)
        gm.expect_ok(train(d, "head_lr: 0.02\n", "--dev", dev, "--lr", "0.005", data=data, epochs=20))
        assert metrics(d)[-1]["dev_fine_f1"] > 0.95, metrics(d)[-1]
        r = gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / "model", "--text",
                                "Bert visits in Rome . Anna lives in Paris ."))
        found = [(e["text"], e["type"], e["fine_type"]) for e in r.posts[0]["entities"]]
        assert found == [("Bert", "person", "politician"), ("Rome", "location", "park"), ("Anna", "person", "actor"),
                         ("Paris", "location", "city")], found
        # A model trained on the same types goes on; one whose fine types differ does not.
        gm.expect_ok(train(d, start=d / "model", data=data, epochs=1, out="more"))
        other = data.replace("politician", "coach")
        gm.expect(train(d, start=d / "model", data=other, epochs=1, out="other"), 1, "fine types",
                  "person politician only in the model; person coach only in the data")


def test_the_order_of_fine_types_is_not_that_of_the_posts():
    """Which numbers they have is the same whatever comes first, and training goes on from a model of before that."""
    text = ("--text", "Bert visits in Rome . Anna lives in Paris .")
    with gm.Folder() as d:
        data = conll(fine=True, per="person", loc="location")
        other = "".join(p + "\n\n" for p in reversed(data.strip().split("\n\n")))
        settings = "head_lr: 0.02\nlr: 0.005\n"
        gm.expect_ok(train(d, settings, data=data, epochs=20))
        gm.expect_ok(train(d, settings, data=other, epochs=1, out="other"))
        names = settings_of(d / "model")["fine_types"]
        assert names == settings_of(d / "other")["fine_types"] == sorted(names, key=lambda n: (n["type"], n["name"])), names
        gm.expect_ok(gm.run("models", "average", d / "model", d / "other", "-o", d / "mean"))
        gm.expect_ok(train(d, start=d / "model", data=other, epochs=1, out="more"))
        # The same model with its classes in another order.
        old = shutil.copytree(d / "model", d / "old")
        order = [2, 0, 3, 1]
        d.write("old/gmner.json", json.dumps({**settings_of(old), "fine_types": [names[i] for i in order]}))
        put = tiny_model.tensors(old)
        for name in ("fine.weight", "fine.bias"):
            kind, shape, data_ = put[name]
            row = len(data_) // 5
            put[name] = kind, shape, b"".join(data_[row * i:row * (i + 1)] for i in [0] + [1 + i for i in order])
        tiny_model.write_tensors(os.path.join(old, "model.safetensors"), put)
        fine = lambda m: [(e["text"], e["fine_type"]) for e in gm.expect_ok(  # noqa: E731
            gm.run("predict", "--recipe", "tag", "--tagger", d / m, *text)).posts[0]["entities"]]
        assert fine("old") == fine("model") and len(set(fine("old"))) == 4, fine("model")
        gm.expect_ok(train(d, "lr: 0\nhead_lr: 1.0e-6\n", start=old, data=data, epochs=1, out="on"))
        assert settings_of(d / "on")["fine_types"] == [names[i] for i in order] and fine("on") == fine("model")
        assert metrics(d, "on")[0]["loss"] < 0.5 * metrics(d, "other")[0]["loss"]  # it meant the same classes


def test_fine_types_as_helpers():
    with gm.Folder() as d:
        fine = d.write("fine.txt", conll(fine=True, per="person", loc="location"))
        r = gm.expect_ok(train(d, "", "--fine", fine))
        assert "4 fine types as helpers" in r.err and "no post of the same words" not in r.err, r.err
        gm.expect_ok(train(d, out="plain"))
        with open(os.path.join(d / "model", "gmner.json"), encoding="utf-8") as f:
            settings = json.load(f)
        assert "fine_types" not in settings and settings["types"] == ["LOC", "PER"], settings
        helped, plain = tensors(d / "model"), tensors(d / "plain")
        assert helped.keys() == plain.keys() and distance(helped, plain) > 1e-4
        assert metrics(d)[0]["loss"] > metrics(d, "plain")[0]["loss"]
        # A weight of 0 is as if they were not there.
        gm.expect_ok(train(d, "fine_weight: 0\n", "--fine", fine, out="zero"))
        assert distance(tensors(d / "zero"), plain) == 0
        r = gm.expect_ok(train(d, "", "--fine", d.write("few.txt", conll(fine=True, n=1)), epochs=1))
        assert "posts have no post of the same words in" in r.err, r.err
        gm.expect(train(d, "", "--fine", d.write("none.txt", conll())), 1, "none.txt: no fine types")
        other = d.write("other.txt", conll(fine=True).replace("in\t", "at\t"))
        gm.expect(train(d, "", "--fine", other), 1, "other.txt: none of its posts", "train.txt", "the same posts")


def test_a_teacher():
    """With all weight on the teacher, what it says is learned, whatever the gold labels say."""
    with gm.Folder() as d:
        rates = "lr: 5.0e-3\nhead_lr: 0.02\n"
        gm.expect_ok(train(d, rates, epochs=15, out="teacher"))
        wrong = conll(per="LOC", loc="PER")
        text = "Bert visits in Rome . Anna lives in Paris ."
        found = {}
        for weight in (0, 1):
            gm.expect_ok(train(d, rates + f"teacher_weight: {weight}\n", "--teacher", d / "teacher", data=wrong,
                               epochs=15, out=f"w{weight}"))
            r = gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / f"w{weight}", "--text", text))
            found[weight] = [e["type"] for e in r.posts[0]["entities"]]
        assert found == {0: ["LOC", "PER"] * 2, 1: ["PER", "LOC"] * 2}, found
        gm.expect(train(d, "", "--teacher", d / "teacher", data=conll(per="ORG"), out="x"), 1, "teacher", "types")
        gm.expect(train(d, "", "--teacher", encoder(), out="x"), 1, "not a trained tagger")


def raw_posts(coffee):
    """Posts of raw text, whose entities are a name and what is `coffee`."""
    lines = []
    for i in range(30):
        text = f"{coffee} is where {('Anna', 'Bert')[i % 2]} is"
        name = text.index("where ") + 6
        lines.append(json.dumps({"id": str(i), "text": text, "entities": [
            {"type": "LOC", "start": 0, "end": len(coffee)}, {"type": "PER", "start": name, "end": name + 4}]}) + "\n")
    return "".join(lines)


def test_text_is_read_as_it_was_meant():
    """Training, its dev score and its calibration read wrongly decoded text as prediction does."""
    with gm.Folder() as d:
        said = []
        for name, coffee in (("right", "Café Noël"), ("wrong", "CafÃ© NoÃ«l")):
            posts = d.write(f"{name}.jsonl", raw_posts(coffee))
            gm.expect_ok(gm.run("train", "--train", posts, "--dev", posts, "--encoder", encoder(), "--epochs", "12", "--precision", "f32",
                                "--lr", "0.005", "-o", d / name))
            said.append((tensors(d / name), settings_of(d / name)["calibration"], metrics(d, name)[-1]["dev_f1"]))
        assert distance(said[0][0], said[1][0]) == 0 and said[0][1:] == said[1][1:], said[0][1:] + said[1][1:]
        assert said[0][2] > 0.9, said[0][2]


def test_what_is_read_twice_is_no_pipe():
    with gm.Folder() as d:
        gm.expect_ok(train(d, epochs=1))
        os.mkfifo(d / "pipe")
        for option in ("--dev", "--fine"):
            gm.expect(train(d, "", option, d / "pipe", out="x"), 1, option[2:], "pipe", "save it as a file")
        gm.expect(gm.run("models", "calibrate", d / "model", "--dev", d / "pipe"), 1, "pipe", "save it as a file")


def test_knowledge_is_for_the_teacher():
    """knowledge: false is as if there were none; a teacher reads it all the same."""
    told = conll().replace("\n\n", "\n<EOS>\tX\nAnna\tX\nis\tX\n\n")
    with gm.Folder() as d:
        gm.expect_ok(train(d, out="none"))
        gm.expect_ok(train(d, "knowledge: false\n", data=told, out="ignored"))
        gm.expect_ok(train(d, data=told, out="read"))
        none, ignored, read = (tensors(d / name) for name in ("none", "ignored", "read"))
        assert distance(none, ignored) == 0 and distance(none, read) > 1e-4
        students = []
        for data in (told, conll()):
            gm.expect_ok(train(d, "knowledge: false\n", "--teacher", d / "read", data=data, out="student"))
            students.append(tensors(d / "student"))
        assert 0 < distance(*students) < distance(none, read)


def test_only_a_tagger_trained_with_knowledge_reads_it():
    told = conll().replace("\n\n", "\n<EOS>\tX\nAnna\tX\nis\tX\n\n")
    with gm.Folder() as d:
        def scores(model, data):
            r = gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / model, d.write("p.txt", data)))
            return [e["uncertainty"]["marginal"] for post in r.posts for e in post["entities"]]
        gm.expect_ok(train(d, "lr: 5.0e-3\n", epochs=5, out="plain"))
        gm.expect_ok(train(d, "lr: 5.0e-3\n", epochs=5, data=told, out="told"))
        assert scores("plain", told) == scores("plain", conll()) != []
        assert scores("told", told) != scores("told", conll())


def test_other_spellings():
    """They are drawn by the seed: the same weights again, others with another seed and without; and with names
    joined behind "#" half of the time, a tagger finds one there."""
    with gm.Folder() as d:
        config = "spellings: 0.5\nname_parts: true\n"
        for out, settings, seed in (("a", config, "1"), ("b", config, "1"), ("c", config, "2"), ("d", "", "1")):
            gm.expect_ok(train(d, settings, "--seed", seed, "--threads", "1", out=out))
        a = tensors(d / "a")
        assert distance(a, tensors(d / "b")) == 0
        assert distance(a, tensors(d / "c")) > 1e-5 and distance(a, tensors(d / "d")) > 1e-5
        assert settings_of(d / "a")["name_parts"] is True and settings_of(d / "d")["name_parts"] is False
        assert settings_of(d / "a")["training"]["spellings"] == 0.5
        # Taggers that read hashtags in another way are no soup.
        gm.expect(gm.run("models", "average", d / "a", d / "d", "-o", d / "soup"), 1, "name_parts")
        gm.expect(train(d, "spellings: 1.5\n", out="x"), 1, "spellings")


def test_spellings_with_helpers_and_a_teacher():
    with gm.Folder() as d:
        fine = d.write("fine.txt", conll(fine=True, per="person", loc="location"))
        gm.expect_ok(train(d, out="teacher"))
        for scheme in ("bio", "bioes"):
            teacher = ["--teacher", d / "teacher"] if scheme == "bio" else []
            gm.expect_ok(train(d, f"spellings: 1\nname_parts: true\nscheme: {scheme}\n", "--fine", fine, *teacher))
            losses = [m["loss"] for m in metrics(d)]
            assert all(0 < l < 1e3 for l in losses) and losses[-1] < losses[0], losses


def test_accumulated_batches_are_one_batch():
    still = "hidden_dropout: 0\nattention_dropout: 0\nlr: 1.0e-3\n"
    with gm.Folder() as d:
        weights = []
        for batch, times in ((12, 1), (6, 2), (4, 3)):
            gm.expect_ok(train(d, still + f"batch_posts: {batch}\naccumulate: {times}\n", out=f"m{times}"))
            weights.append(tensors(d / f"m{times}"))
            assert [m["step"] for m in metrics(d, f"m{times}")] == [5, 10]
        gm.expect_ok(train(d, still + "batch_posts: 6\n", out="other"))
        assert distance(weights[0], weights[1]) < 1e-3 and distance(weights[0], weights[2]) < 1e-3
        assert distance(weights[0], tensors(d / "other")) > 5e-3


def test_dropout_settings():
    with gm.Folder() as d:
        found = []
        for i, settings in enumerate(("", "hidden_dropout: 0.1\nattention_dropout: 0.1\n", "hidden_dropout: 0\n",
                                      "attention_dropout: 0\n")):
            gm.expect_ok(train(d, settings, out=f"m{i}"))
            found.append(tensors(d / f"m{i}"))
        assert distance(found[0], found[1]) == 0  # what config.json says
        assert distance(found[0], found[2]) > 0 and distance(found[0], found[3]) > 0


def test_first_pieces_and_cases():
    """What a word's state is made of is stored with the model, and followed when it is read."""
    text = "Anna lives in Zagreb ."  # Zagreb is many pieces
    with gm.Folder() as d:
        scores = {}
        for pooling in ("mean", "first"):
            for case in ("true", "false"):
                out = f"{pooling}-{case}"
                gm.expect_ok(train(d, f"pooling: {pooling}\ncase: {case}\nhead_lr: 0.01\n", out=out, epochs=4))
                settings, names = settings_of(d / out), tensors(d / out)
                assert settings.get("pooling", "mean") == pooling and settings.get("case", True) == (case == "true")
                assert ("case_embeddings.weight" in names) == (case == "true"), names.keys()
                tag = lambda t: [(e["type"], e["uncertainty"]["marginal"]) for e in gm.expect_ok(gm.run(  # noqa: E731
                    "predict", "--recipe", "tag", "--tagger", d / out, "--precision", "f32", "--text", t)).posts[0]["entities"]]
                scores[out] = tag(text)
                # an uncased vocabulary and no cases: capitals are lost
                assert (tag("ANNA lives in Berlin .") == tag("anna lives in berlin .")) == (case == "false"), out
        assert len({json.dumps(s) for s in scores.values()}) == 4, scores
        # the same settings go on from it, others don't, and they make no average
        more = lambda settings: train(d, settings, start=d / "first-false", out="more")  # noqa: E731
        gm.expect_ok(more("pooling: first\ncase: false\n"))
        gm.expect(more("case: false\n"), 1, "trained with pooling: first")
        gm.expect(more("pooling: first\n"), 1, "trained with case: false")
        gm.expect(gm.run("models", "average", d / "mean-true", d / "first-true", "-o", d / "x"), 1, '"pooling"')
        gm.expect(gm.run("models", "average", d / "mean-true", d / "mean-false", "-o", d / "x"), 1, '"case"')
        gm.expect_ok(gm.run("models", "quantise", d / "first-false", "-o", d / "int8"))
        gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / "int8", "--text", text))
        gm.expect(train(d, "pooling: last\n"), 1, "mean|first")


def test_average():
    """The average lags behind the weights, and is what is scored and saved."""
    with gm.Folder() as d:
        start = tensors(encoder())
        name = "encoder.layer.0.output.dense.weight"
        moved = {}
        for average in (0, 0.5, 0.85):
            settings = f"average: {average}\nlr: 1.0e-3\nschedule: constant\nhead_lr: 0.001\n"
            gm.expect_ok(train(d, settings, "--batch-posts", "6", epochs=6, out=f"m{average}"))
            w = tensors(d / f"m{average}")[name]
            moved[average] = sum(abs(a - b) for a, b in zip(w, start[name]))
            loss = [m["loss"] for m in metrics(d, f"m{average}")]
            assert average == 0 or loss == first, (loss, first)  # the weights themselves are not touched
            first = loss
        assert 0 < moved[0.85] < moved[0.5] < moved[0], moved


def test_settings_by_name():
    """A training recipe that comes with the program is found from everywhere; paths are the user's own files."""
    with gm.Folder() as d:
        words = ["train", "--train", d.write("train.txt", conll()), "--encoder", encoder(), "--epochs", "1", "-o"]
        gm.expect_ok(gm.run(*words, "a", "--config", "ner-default", cwd=d.path))
        path = os.path.join(gm.HOME, "recipes", "train", "ner-default.yaml")
        gm.expect_ok(gm.run(*words, "b", "--config", path, cwd=d.path))
        a, b = (open(d / f"{out}/config.yaml", encoding="utf-8").read().replace(f"out: {out}", "") for out in "ab")
        assert a == b and "freeze_embeddings: true" in a, (a, b)
        d.write("mine", "epochs: 3\nword_dropout: 0.25\n")  # a file without an ending is a file still
        gm.expect_ok(gm.run(*words, "c", "--config", "mine", cwd=d.path))
        assert "word_dropout: 0.25" in open(d / "c/config.yaml", encoding="utf-8").read()
        before = d.names()
        gm.expect(gm.run(*words, "d", "--config", "ner-larg", cwd=d.path), 2, "no training recipe \"ner-larg\"",
                  "entail-default, entail-large, ner-default", "ner-large-on", "./ner-larg.yaml")
        gm.expect(gm.run(*words, "d", "--config", "ner-large.yaml", cwd=d.path), 1, "ner-large.yaml", "No such file")
        assert d.names() == before, d.names()


def test_schedules():
    with gm.Folder() as d:
        losses = set()
        for schedule in ("linear", "cosine", "constant"):
            gm.expect_ok(train(d, f"schedule: {schedule}\nlr: 1.0e-3\n", out=schedule))
            losses.add(metrics(d, schedule)[-1]["loss"])
        assert len(losses) == 3, losses
        gm.expect(train(d, "schedule: step\n"), 1, "config.yaml", "\"schedule\"", "linear|cosine|constant")


def test_early_stopping():
    with gm.Folder() as d:
        dev = d.write("dev.txt", conll())
        gm.expect_ok(train(d, "patience: 3\nlr: 0\nhead_lr: 0\ncrf_lr: 0\n", "--dev", dev, epochs=50))
        assert len(metrics(d)) == 4, metrics(d)  # the first is the best, and three more bring nothing


def test_what_is_frozen():
    with gm.Folder() as d:
        gm.expect_ok(train(d, "freeze_layers: 1\nfreeze_embeddings: true\nlr: 1.0e-2\n", out="frozen"))
        gm.expect_ok(train(d, "layer_decay: 0.5\nlr: 1.0e-2\n", out="decayed"))
        gm.expect_ok(train(d, "lr: 1.0e-2\n", out="plain"))
        start, frozen, decayed, plain = (tensors(p) for p in (encoder(), d / "frozen", d / "decayed", d / "plain"))
        for name, was in start.items():
            same = all(abs(a - b) <= 0.004 * abs(b) for a, b in zip(frozen[name], was))  # stored as bf16
            kept = name.startswith("encoder.layer") or "word_embeddings" in name
            assert same or not kept, name
        words = "embeddings.word_embeddings.weight"
        step = [max(abs(a - b) for a, b in zip(w[words], start[words])) for w in (decayed, plain)]
        assert 0 < step[0] < 0.8 * step[1], step
        gm.expect(train(d, "freeze_layers: 2\n"), 1, "freeze_layers: 2", "1 layers")


def test_models_of_several_seeds_become_one():
    with gm.Folder() as d:
        dev = d.write("dev.txt", conll())
        for seed in "123":
            gm.expect_ok(train(d, "", "--seed", seed, "--dev", dev, out=f"m{seed}"))
        models = [d / f"m{seed}" for seed in "123"]
        gm.expect_ok(gm.run("models", "average", *models, "-o", d / "mean"))
        each, mean = [tensors(m) for m in models], tensors(d / "mean")
        assert mean.keys() == each[0].keys()
        wanted = {k: [sum(x) / 3 for x in zip(*(m[k] for m in each))] for k in mean}
        assert distance(each[0], each[1]) > 1e-3
        for name, values in wanted.items():  # bf16 keeps 8 bits
            assert all(abs(x - y) <= 2 ** -8 * abs(y) + 1e-6 for x, y in zip(mean[name], values)), name
        settings = settings_of(d / "mean")
        assert settings["averaged"] == 3 and "calibration" not in settings, settings
        gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / "mean", "--text", "Anna lives in Paris ."))
        # Names of models go as well as folders.
        gm.expect_ok(gm.run("models", "average", "m1", "m2", models[2], "-o", d / "named", env={"GMNER_MODELS": d.path}))
        assert tensors(d / "named") == mean
        # All or none read knowledge; a model from before that setting does not.
        for i, (knowledge, code) in enumerate((({"knowledge": True}, 1), ({"knowledge": False}, 0), ({}, 0))):
            path = shutil.copytree(models[1], d / f"k{i}")
            without = {k: v for k, v in settings_of(path).items() if k != "knowledge"}
            d.write(f"k{i}/gmner.json", json.dumps({**without, **knowledge}))
            r = gm.run("models", "average", models[0], path, "-o", d / f"mean{i}")
            assert r.code == code and os.path.exists(d / f"mean{i}") == (code == 0), r.err
            if code:
                gm.expect(r, 1, f"{models[0]} and {path}: \"knowledge\" in gmner.json differs")
        # What a model doesn't say is what it does.
        says = {"pooling": "mean", "case": True, "knowledge": False, "name_parts": False, "words": "spaces"}
        paths = [shutil.copytree(models[1], d / name) for name in ("said", "unsaid")]
        others = {k: v for k, v in settings_of(models[1]).items() if k not in says}
        d.write("said/gmner.json", json.dumps({**others, **says}))
        d.write("unsaid/gmner.json", json.dumps(others))
        gm.expect_ok(gm.run("models", "average", *paths, "-o", d / "of-both"))
        # Nothing that one of them has alone is left out, whatever their order.
        path = shutil.copytree(models[1], d / "more")
        tiny_model.write_tensors(os.path.join(path, "model.safetensors"), {**tiny_model.tensors(path), "more.bias": ("F32", [1], b"\0" * 4)})
        for order in ([models[0], path, models[2]], [path, models[0]], [models[0], models[2], path]):
            gm.expect(gm.run("models", "average", *order, "-o", d / "x"), 1, "more/model.safetensors: tensor more.bias is not in")
        # Models of other types, missing models and too few of them are told apart.
        other = conll().replace("PER", "HUM")
        gm.expect_ok(train(d, data=other, out="other"))
        gm.expect(gm.run("models", "average", models[0], d / "other", "-o", d / "x"), 1, "\"types\"", "same types")
        gm.expect(gm.run("models", "average", models[0], d / "none", "-o", d / "x"), 1, "none: no such model")
        gm.expect(gm.run("models", "average", models[0], "-o", d / "x"), 2, "two or more")
        gm.expect(gm.run("models", "average", *models), 2, "-o MODEL")
        assert not os.path.exists(d / "x")


def test_a_dev_set_that_can_not_choose():
    with gm.Folder() as d:
        plain = "IMGID:1\nit\tO\nrains\tO\n\n"
        for dev, word in ((plain, "no entities of the types of"), (conll(per="HUM", loc="PLACE"), "type HUM is not in")):
            r = gm.expect_ok(train(d, "", "--dev", d.write("dev.txt", dev), epochs=3))
            assert word in r.err and "the last epoch is kept" in r.err and "wrote" in r.err, r.err
            settings = settings_of(d / "model")
            assert settings["training"]["best_epoch"] == 3 and "calibration" not in settings, settings
            assert "best so far" not in r.err and "calibrated" not in r.err, r.err
        # A model that finds nothing on dev: no epoch is better than another, and the last is kept.
        r = gm.expect_ok(train(d, "lr: 0\nhead_lr: 0\ncrf_lr: 0\n", "--dev", d.write("dev.txt", conll()), epochs=3))
        if metrics(d)[0]["dev_f1"] == 0:
            assert settings_of(d / "model")["training"]["best_epoch"] == 3, r.err
        # Fine types that dev does not have are not what chooses.
        data = conll(fine=True)
        r = gm.expect_ok(train(d, "lr: 5.0e-3\n", "--dev", d.write("dev.txt", conll()), data=data, epochs=10))
        assert "no fine types: epochs are chosen by coarse types" in r.err, r.err
        assert "dev_fine_f1" not in metrics(d)[-1] and metrics(d)[-1]["dev_f1"] > 0, metrics(d)[-1]
        r = gm.expect_ok(gm.run("models", "calibrate", d / "model", "--dev", d.write("plain.txt", conll().replace(
            "B-PER", "O").replace("B-LOC", "O"))))
        assert "not calibrated" in r.err, r.err


def test_damaged_weights_are_named():
    with gm.Folder() as d:
        path = shutil.copytree(encoder(), d / "nan")
        header, data = tiny_model.read_raw(os.path.join(path, "model.safetensors"))
        at = header["encoder.layer.0.output.dense.weight"]["data_offsets"][0] + 8
        data = data[:at] + struct.pack("<f", float("nan")) + data[at + 4:]
        tiny_model.write_raw(os.path.join(path, "model.safetensors"), json.dumps(header).encode(), data)
        r = train(d, start=path)
        gm.expect(r, 1, "nan/model.safetensors: tensor encoder.layer.0.output.dense.weight: element 2 is nan")
        assert "smaller lr" not in r.err


if __name__ == "__main__":
    gm.main(globals())
