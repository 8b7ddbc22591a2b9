"""Adapters (LoRA): trained, loaded, averaged, gone on from and refused, on a tiny encoder made here. Beside peft:
tests/ref/lora_live.sh."""
import functools
import json
import os
import shutil
import struct
import tempfile

import gm
import tiny_model
from posts_data import conll
from test_training import metrics, settings_of, tensors, train

_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-adapters-")
LORA = "lora_rank: 4\nlora_alpha: 8\nlora_f32: true\nhead_lr: 0.02\nlr: 0.01\n"
POST = ("--text", "Bert visits in Rome . Anna lives in Paris .")


def factors(directory):
    header, data = tiny_model.read_raw(os.path.join(directory, "adapter_model.safetensors"))
    assert header["__metadata__"] == {"format": "pt"}
    shutil.copy(os.path.join(directory, "adapter_model.safetensors"), os.path.join(_dir.name, "model.safetensors"))
    values = tensors(_dir.name)
    return {n: (header[n]["shape"], v) for n, v in values.items()}


def entities(model, *more, env=None):
    r = gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", model, *POST, *more, env=env))
    return [(e["text"], e["type"]) for e in r.posts[0]["entities"]]


@functools.cache
def seeds():
    """Two adapters of other seeds, with their encoder."""
    base = os.path.join(_dir.name, "base")
    tiny_model.write(base)
    out = []
    with gm.Folder() as d:
        dev = d.write("dev.txt", conll())
        for seed in ("1", "2"):
            gm.expect_ok(train(d, LORA, "--dev", dev, "--seed", seed, epochs=20, start=base))
            assert metrics(d)[-1]["dev_f1"] > 0.9, metrics(d)[-1]
            out.append(os.path.join(_dir.name, seed))
            shutil.move(d / "model", out[-1])
    return base, out


def delta(directory, layer):
    """s B A of a layer."""
    f = factors(directory)
    (rank, n_in), a = f[f"base_model.model.{layer}.lora_A.weight"]
    (n_out, _), b = f[f"base_model.model.{layer}.lora_B.weight"]
    with open(os.path.join(directory, "adapter_config.json"), encoding="utf-8") as c:
        config = json.load(c)
    own = [r for name, r in config.get("rank_pattern", {}).items() if layer.endswith(name)]
    assert rank == (own or [config["r"]])[0], config  # as peft reads it
    s = config["lora_alpha"] / (rank ** 0.5 if config["use_rslora"] else rank)
    return [s * sum(b[i * rank + r] * a[r * n_in + j] for r in range(rank)) for i in range(n_out) for j in range(n_in)]


def test_an_adapter_is_small_and_predicts():
    base, (model, _) = seeds()
    assert sorted(os.listdir(model)) == ["adapter_config.json", "adapter_model.safetensors", "config.yaml", "gmner.json",
                                         "metrics.jsonl"], os.listdir(model)
    names = set(factors(model))
    assert len([n for n in names if ".lora_" in n]) == 12, names
    assert all(n.startswith("base_model.model.") for n in names), names
    assert {n.split(".")[2] for n in names if ".lora_" not in n} == {"classifier", "crf", "case_embeddings"}, names
    found = entities(model)
    assert {t for t, _ in found} >= {"Bert", "Rome", "Anna", "Paris"}, found
    assert entities(model, "--precision", "f32") == found
    assert not gm.cpu_has("vnni") or entities(model, "--precision", "int8")
    assert settings_of(model)["base"]["model"].rstrip("/") == base, settings_of(model)


def test_the_mean_of_adapters_is_exact():
    _, models = seeds()
    with gm.Folder() as d:
        gm.expect_ok(gm.run("models", "average", *models, "-o", d / "mean"))
        for layer in ("encoder.layer.0.attention.self.value", "encoder.layer.0.output.dense"):
            want = [(x + y) / 2 for x, y in zip(*(delta(m, layer) for m in models))]
            have = delta(d / "mean", layer)
            assert max(abs(w - h) for w, h in zip(want, have)) < 1e-6 and max(map(abs, have)) > 1e-3
        heads = [factors(m)["base_model.model.classifier.bias"][1] for m in (*models, d / "mean")]
        assert all(abs((x + y) / 2 - z) < 1e-6 for x, y, z in zip(*heads)), heads
        assert entities(d / "mean")


def test_a_mean_is_cut_to_a_rank():
    """Rank 7 of 8 differs from the exact mean by its least direction alone, whatever the rank by less than all of it."""
    _, models = seeds()
    layer = "encoder.layer.0.output.dense"
    with gm.Folder() as d:
        gm.expect_ok(gm.run("models", "average", *models, "-o", d / "mean"))
        exact, far = delta(d / "mean", layer), []
        for rank in (2, 4, 7):
            gm.expect_ok(gm.run("models", "average", *models, "--rank", str(rank), "-o", d / f"cut{rank}"))
            cut = delta(d / f"cut{rank}", layer)
            far.append(sum((x - y) ** 2 for x, y in zip(exact, cut)) / sum(x * x for x in exact))
        assert 0.5 > far[0] > far[1] > far[2], far
        assert entities(d / "cut4")
        gm.expect_ok(train(d, LORA, start=d / "cut4", epochs=1))  # of the rank it was: training goes on from it
        gm.expect_ok(gm.run("models", "average", models[0], "--rank", "3", "-o", d / "less"))
        assert entities(d / "less")
        gm.expect(gm.run("models", "average", *models, "--rank", "8", "-o", d / "x"), 1, "has rank 8", "can't be cut")
        gm.expect(gm.run("models", "average", models[0], "-o", d / "x"), 2, "two or more")
        gm.expect(gm.run("models", "quantise", models[0], "--rank", "2", "-o", d / "x"), 2, "--rank is for average")


def changed(model, path, put, **config):
    """A copy of an adapter whose tensors are what `put` makes of name, type, shape and bytes."""
    shutil.copytree(model, path)
    file = os.path.join(path, "adapter_model.safetensors")
    header, data = tiny_model.read_raw(file)
    metadata = {"__metadata__": header.pop("__metadata__")}
    tiny_model.write_tensors(file, {n: put(n, t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for n, t in header.items()})
    header, data = tiny_model.read_raw(file)
    tiny_model.write_raw(file, json.dumps({**metadata, **header}).encode(), data)
    with open(os.path.join(path, "adapter_config.json"), encoding="utf-8") as f:
        was = json.load(f)
    with open(os.path.join(path, "adapter_config.json"), "w", encoding="utf-8") as f:
        json.dump({**was, **config}, f)
    return path


def test_means_of_halves():
    """As transformers saves what was trained in F16."""
    _, models = seeds()
    layer = "encoder.layer.0.output.dense"

    def half(name, kind, shape, raw):
        n = len(raw) // 4
        return "F16", shape, struct.pack(f"<{n}e", *struct.unpack(f"<{n}f", raw))

    with gm.Folder() as d:
        halves = [changed(m, d / str(i), half) for i, m in enumerate(models)]
        assert entities(halves[0]) == entities(models[0])
        exact = [(x + y) / 2 for x, y in zip(*(delta(m, layer) for m in halves))]
        gm.expect_ok(gm.run("models", "average", *halves, "-o", d / "mean"))
        assert max(abs(x - y) for x, y in zip(exact, delta(d / "mean", layer))) < 1e-6
        gm.expect_ok(gm.run("models", "average", *models, "--rank", "7", "-o", d / "want"))
        gm.expect_ok(gm.run("models", "average", *halves, "--rank", "7", "-o", d / "cut"))
        want, have = delta(d / "want", layer), delta(d / "cut", layer)
        assert max(abs(x - y) for x, y in zip(want, have)) < 2e-3 * max(map(abs, want)), (want[:3], have[:3])
        assert entities(d / "cut") == entities(d / "want") and entities(d / "mean") == entities(d / "cut")


def test_means_of_layers_with_ranks_of_their_own():
    """peft's rank_pattern: the same layer has rank 2 among ranks of 4, and so another scale."""
    _, models = seeds()
    narrow, wide = "encoder.layer.0.output.dense", "encoder.layer.0.attention.self.value"

    def cut(name, kind, shape, raw):
        if narrow + ".lora_A" in name:
            return kind, [2, shape[1]], raw[:2 * 4 * shape[1]]
        if narrow + ".lora_B" in name:
            return kind, [shape[0], 2], b"".join(raw[16 * i:16 * i + 8] for i in range(shape[0]))
        return kind, shape, raw

    far = lambda x, y: max(abs(a - b) for a, b in zip(x, y))  # noqa: E731
    with gm.Folder() as d:
        for stabilised in (False, True):
            out = f"rs{stabilised}-"
            own = [changed(m, d / f"{out}{i}", cut, rank_pattern={"0.output.dense": 2}, use_rslora=stabilised)
                   for i, m in enumerate(models)]
            gm.expect_ok(gm.run("models", "average", *own, "-o", d / (out + "mean")))
            for layer in (narrow, wide):
                want = [(x + y) / 2 for x, y in zip(*(delta(m, layer) for m in own))]
                assert far(want, delta(d / (out + "mean"), layer)) < 1e-6, layer
            # Twice the same has no more rank than once: what is cut is exact.
            gm.expect_ok(gm.run("models", "average", own[0], own[0], "--rank", "3", "-o", d / (out + "cut")))
            assert far(delta(own[0], narrow), delta(d / (out + "cut"), narrow)) < 1e-5
            assert entities(d / (out + "cut"))
            gm.expect(gm.run("models", "average", own[0], "--rank", "2", "-o", d / "x"), 1, narrow, "has rank 2",
                      "can't be cut to 2")
        changed(models[0], d / "dora", lambda *t: t[1:], use_dora=True)
        gm.expect(gm.run("models", "average", models[0], d / "dora", "-o", d / "x"), 1, "dora/", "use_dora", "not supported")
        assert not os.path.exists(d / "x")


def contents(directory):
    out = {}
    for root, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(root, name), "rb") as f:
                out[os.path.relpath(os.path.join(root, name), directory)] = f.read()
    return out


def test_nothing_of_an_old_model_is_read_with_a_new_one():
    """Of whatever kind the two are; and the old one is whole until the new one is done."""
    base, (adapter, other) = seeds()
    whole = ["config.json", "gmner.json", "model.safetensors", "tokenizer.json"]
    with gm.Folder() as d:
        for seed in ("1", "2"):
            gm.expect_ok(train(d, "head_lr: 0.01\n", "--seed", seed, start=base, epochs=1, out="w" + seed))
        for old, models, files in (
                (adapter, (d / "w1", d / "w2"), whole),
                (d / "w1", (adapter, other), ["adapter_config.json", "adapter_model.safetensors", "gmner.json"])):
            name = os.path.basename(old)
            shutil.copytree(old, d / f"mix-{name}")
            d.write(f"mix-{name}/notes.md", "mine")
            d.write(f"mix-{name}/model.safetensors.index.json", "{}")
            args = ("models", "average", *models, "-o", d / f"mix-{name}")
            before = contents(d / f"mix-{name}")
            gm.expect(gm.run(*args), 1, "there is a model already", "--overwrite")
            gm.expect(gm.run(*args, "--overwrite", "--dev", d / "none.txt"), 1, "none.txt")
            assert contents(d / f"mix-{name}") == before
            gm.expect_ok(gm.run(*args, "--overwrite"))
            gm.expect_ok(gm.run("models", "average", *models, "-o", d / f"free-{name}"))
            assert sorted(os.listdir(d / f"free-{name}")) == files, os.listdir(d / f"free-{name}")
            assert contents(d / f"mix-{name}") == {"notes.md": b"mine", **contents(d / f"free-{name}")}
            assert entities(d / f"mix-{name}") == entities(d / f"free-{name}")
        # So it is with other models, parts of models, and runs.
        for name in ("adapter_config.json", "adapter_model.bin", "pytorch_model.bin", "model.safetensors.index.json",
                     "unfinished/config.yaml", "checkpoint.safetensors"):
            path = d.write(f"held-{name.split('.')[0].replace('/', '-')}/{name}", "x").removesuffix("/" + name)
            word = "a run that is not finished" if name[0] in "uc" else "a model"
            gm.expect(gm.run("models", "quantise", d / "w1", "-o", path), 1, path, word, "--overwrite")
            if name[0] not in "uc":
                r = gm.run("train", "--train", d / "train.txt", "-o", path, "--encoder", base)
                gm.expect(r, 1, path, word, "--overwrite")
            gm.expect_ok(gm.run("models", "quantise", d / "w1", "-o", path, "--overwrite"))
            assert sorted(os.listdir(path)) == whole, os.listdir(path)
        # What is read is not what is written, nor what an adapter needs; and what fails leaves nothing.
        need = shutil.copytree(base, d / "need")
        gm.expect_ok(train(d, LORA, start=need, epochs=1, out="needs"))
        gm.expect(gm.run("models", "average", d / "needs", "--rank", "2", "-o", need, "--overwrite"), 1, "base of an adapter", "lost")
        gm.expect(train(d, LORA, start=need, epochs=1, out="need"), 1, "the base of the adapter that is trained", "lost")
        gm.expect(train(d, LORA, start=d / "needs", epochs=1, out="need"), 1, "the base of the adapter that is trained")
        assert contents(need) == contents(base)
        shutil.copytree(d / "w1", d / "held-x/unfinished")
        gm.expect(gm.run("models", "quantise", d / "held-x/unfinished", "-o", d / "held-x", "--overwrite"), 1, "would be lost")
        gm.expect(gm.run("models", "quantise", adapter, "-o", d / "nothing"), 1, "an adapter")
        assert not os.path.exists(d / "nothing")
        gm.expect(gm.run("models", "calibrate", d / "w1", "--dev", d / "x", "--overwrite"), 2, "average, ensemble and quantise")


def test_what_else_is_done_with_models():
    _, (model, _) = seeds()
    with gm.Folder() as d:
        shutil.copytree(model, d / "copy")
        gm.expect_ok(gm.run("models", "calibrate", d / "copy", "--dev", d.write("dev.txt", conll())))
        assert "calibration" in settings_of(d / "copy")
        gm.expect(gm.run("models", "quantise", d / "copy", "-o", d / "int8"), 1, "an adapter", "--precision int8")
        os.mkdir(d / "cache")
        env = {"GMNER_MODELS": str(d / "cache")}
        gm.expect_ok(gm.run("models", "add", model, "--name", "mine", env=env))
        assert entities("mine", env=env) == entities(model)


def test_going_on_and_starting_from_one():
    _, (model, _) = seeds()
    with gm.Folder() as d:
        gm.expect_ok(train(d, LORA, start=model, epochs=1))
        before, after = factors(model), factors(d / "model")
        assert before.keys() == after.keys() and before != after
        far = max(abs(x - y) for n in before for x, y in zip(before[n][1], after[n][1]))
        assert far < 0.3, far  # it went on, and did not begin anew
        gm.expect(train(d, LORA.replace("rank: 4", "rank: 2"), start=model, out="x"), 1, "an adapter of rank 4")
        gm.expect(train(d, LORA + "lora_targets: query\n", start=model, out="x"), 1, "lora_", "not among the adapters")
        # Without lora_rank it is merged, and all of it is trained.
        gm.expect_ok(train(d, "head_lr: 0.01\n", start=model, epochs=1, out="whole"))
        assert os.path.isfile(d / "whole/model.safetensors")
        gm.expect(train(d, LORA, start=d / "whole", out="x"), 1, "a whole model that was trained")


def test_what_was_trained_whole_is_not_lost():
    """peft's modules_to_save may name parts of the encoder."""
    base, (model, _) = seeds()
    with gm.Folder() as d:
        shutil.copytree(model, d / "copy")
        header, data = tiny_model.read_raw(os.path.join(base, "model.safetensors"))
        begin, end = header["encoder.layer.0.output.LayerNorm.weight"]["data_offsets"]
        put = tiny_model.tensors(os.path.join(model, "adapter_model.safetensors"))
        name = "base_model.model.encoder.layer.0.output.LayerNorm.weight"
        tiny_model.write_tensors(d / "copy/adapter_model.safetensors", {name: ("F32", [(end - begin) // 4], data[begin:end]), **put})
        assert entities(d / "copy") == entities(model)
        gm.expect(train(d, LORA, start=d / "copy", out="x"), 1, "output.LayerNorm.weight", "modules_to_save", "lora_rank 0")
        gm.expect_ok(train(d, "head_lr: 0.01\n", start=d / "copy", epochs=1, out="whole"))


def test_layers_by_name():
    with gm.Folder() as d:
        gm.expect_ok(train(d, LORA + "lora_targets: query, output.dense\n", start=seeds()[0]))
        layers = {n.split(".lora_")[0].split("layer.0.")[1] for n in factors(d / "model") if ".lora_" in n}
        assert layers == {"attention.self.query", "attention.output.dense", "output.dense"}, layers
        gm.expect(train(d, LORA + "lora_targets: q_proj\n", start=seeds()[0], out="x"), 1, '"q_proj"',
                  "query, key, value, dense")
        gm.expect(train(d, LORA + "freeze_layers: 1\n", start=seeds()[0], out="x"), 1, "freeze_layers")


def test_one_kind_takes_the_others_place():
    base, _ = seeds()
    with gm.Folder() as d:
        gm.expect_ok(train(d, "head_lr: 0.01\n", start=base))
        gm.expect_ok(train(d, LORA, start=base))  # with --overwrite
        assert not {"model.safetensors", "config.json", "tokenizer.json"} & set(os.listdir(d / "model"))
        gm.expect_ok(train(d, "head_lr: 0.01\n", start=base))
        assert not [n for n in os.listdir(d / "model") if n.startswith("adapter")], os.listdir(d / "model")
        entities(d / "model")


def test_the_base_must_be_there_and_the_same():
    base, (model, _) = seeds()
    with gm.Folder() as d:
        shutil.copytree(model, d / "copy")
        shutil.copytree(base, d / "base")
        settings = settings_of(model)

        def with_base(name):
            with open(d / "copy/gmner.json", "w", encoding="utf-8") as f:
                json.dump({**settings, "base": {**settings["base"], "model": str(name)}}, f)
            return gm.run("predict", "--recipe", "tag", "--tagger", d / "copy", *POST, env=env, cwd=d.path)

        env = {}
        gm.expect_ok(with_base("base"))  # a folder of that name, as no model has it
        gm.expect_ok(with_base(d / "base"))
        path = d / "base/model.safetensors"
        header, data = tiny_model.read_raw(path)
        at = header["encoder.layer.0.output.dense.weight"]["data_offsets"][0]
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) - len(data) + at)
            f.write(b"\0\0\0\x3f")
        gm.expect(with_base(d / "base"), 1, "not the weights that the adapter", "was trained on")
        gm.expect(with_base("hub/unknown-base"), 1, "hub/unknown-base", "models add FOLDER --name NAME")
        gm.expect(with_base("unknown-base"), 1, "unknown-base", "models add FOLDER --name NAME")
        # Hubs' names have capitals; its weights may be in parts.
        tiny_model.write(d / "parts")
        os.rename(d / "parts/model.safetensors", d / "parts/model-1.safetensors")
        header, _ = tiny_model.read_raw(d / "parts/model-1.safetensors")
        with open(d / "parts/model.safetensors.index.json", "w", encoding="utf-8") as f:
            json.dump({"weight_map": {n: "model-1.safetensors" for n in header}}, f)
        env = {"GMNER_MODELS": str(d / "added")}
        gm.expect_ok(gm.run("models", "add", d / "parts", "--name", "big-base", env=env))
        gm.expect_ok(with_base("Hub/Big-Base"))
        os.mkdir(d / "big-base")  # says nothing, where a model has the name
        gm.expect_ok(with_base("big-base"))
        env = {}
        # A home that knows mpnet and does not have it.
        os.makedirs(d / "home/models")
        os.makedirs(d / "home/.deps/models")
        for part in ("recipes", "prompts"):
            os.symlink(os.path.join(gm.HOME, part), d / f"home/{part}")
        shutil.copy(os.path.join(gm.HOME, "models/mpnet.json"), d / "home/models/mpnet.json")
        env = {"GMNER_HOME": str(d / "home")}
        gm.expect(with_base("mpnet"), 1, "gmner models get mpnet")


def base_of(directory):
    """The base's name, the same in both files."""
    with open(os.path.join(directory, "adapter_config.json"), encoding="utf-8") as f:
        name = json.load(f)["base_model_name_or_path"]
    assert settings_of(directory)["base"]["model"] == name
    return name


def test_a_base_in_a_folder_is_found_from_everywhere():
    base, _ = seeds()
    with gm.Folder() as d:
        shutil.copytree(base, d / "in/mini")
        args = ("train", "--train", d.write("train.txt", conll()), "--config", d.write("config.yaml", LORA), "--epochs", "1",
                "--precision", "f32", "--checkpoint-minutes", "0")

        def found(model, cwd="/"):
            return gm.run("predict", "--recipe", "tag", "--tagger", model, *POST, cwd=cwd)

        os.mkdir(d / "in/more")
        for encoder, cwd, want in (("./mini", "in", d / "in/mini"), ("mini", "in", d / "in/mini"), ("in/mini/", ".", d / "in/mini/"),
                                   ("../mini", "in/more", d / "in/more/../mini"), (d / "in/mini", ".", d / "in/mini")):
            gm.expect_ok(gm.run(*args, "--encoder", encoder, "-o", d / "model", "--overwrite", cwd=d / cwd))
            assert os.path.normpath(base_of(d / "model")) == os.path.normpath(want), base_of(d / "model")
            assert os.path.isabs(base_of(d / "model"))
            gm.expect_ok(found(d / "model"))
        # A packaged model's name stays one.
        env = {"GMNER_MODELS": str(d / "models")}
        gm.expect_ok(gm.run("models", "add", base, "--name", "named", env=env))
        gm.expect_ok(gm.run(*args, "--encoder", "named", "-o", d / "named", env=env))
        assert base_of(d / "named") == "named"
        # What an older adapter says is right from where it was trained, and made right where training goes on from it.
        for name, change in (("gmner.json", lambda s: s["base"].update(model="./mini")),
                             ("adapter_config.json", lambda s: s.update(base_model_name_or_path="./mini"))):
            with open(d / f"model/{name}", encoding="utf-8") as f:
                settings = json.load(f)
            change(settings)
            d.write(f"model/{name}", json.dumps(settings))
        gm.expect_ok(found(d / "model", cwd=d / "in"))
        gm.expect_ok(gm.run(*args, "--encoder", "../model", "-o", d / "more", cwd=d / "in"))
        assert base_of(d / "more") == d / "in/mini" and gm.expect_ok(found(d / "more"))
        # The file that says it is named, with what mends it.
        r = gm.expect(found(d / "model"), 1, d / "model/gmner.json", '"./mini", from the current one,', "isn't there",
                      "write into this file", "gmner models add FOLDER --name NAME")
        assert "known are" not in r.err, r.err
        gm.expect_ok(gm.run("models", "add", d / "in/mini", "--name", "mini", env=env))
        gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / "model", *POST, cwd="/", env=env))
        os.rename(d / "in/mini", d / "gone")
        gm.expect(found(d / "more"), 1, d / "more/gmner.json", "the folder", d / "in/mini", "isn't there")
        os.remove(d / "more/gmner.json")
        r = gm.run(*args, "--encoder", d / "more", "-o", d / "x")
        gm.expect(r, 1, d / "more/adapter_config.json", "in/mini", "isn't there")


def test_adapters_of_other_kinds():
    _, (model, _) = seeds()
    with gm.Folder() as d:
        shutil.copytree(model, d / "copy")
        with open(d / "copy/adapter_config.json", encoding="utf-8") as f:
            config = json.load(f)
        for more in ({"use_dora": True}, {"bias": "all"}, {"peft_type": "IA3"}, {"alpha_pattern": {"query": 3}},
                     {"init_lora_weights": "pissa"}, {"layer_replication": [[0, 1]]}, {"fan_in_fan_out": True}):
            with open(d / "copy/adapter_config.json", "w", encoding="utf-8") as f:
                json.dump({**config, **more}, f)
            r = gm.run("predict", "--recipe", "tag", "--tagger", d / "copy", *POST)
            gm.expect(r, 1, "adapter_config.json", next(iter(more)), "not supported")
        os.rename(d / "copy/adapter_model.safetensors", d / "copy/adapter_model.bin")
        with open(d / "copy/adapter_config.json", "w", encoding="utf-8") as f:
            json.dump(config, f)
        r = gm.run("predict", "--recipe", "tag", "--tagger", d / "copy", *POST)
        gm.expect(r, 1, "adapter_model.bin", "only a pickle; convert it", "save_file")
        env = {"GMNER_MODELS": str(d / "models")}
        gm.expect(gm.run("models", "add", d / "copy", "--name", "pickled", env=env), 1, "only a pickle; convert it")
        os.rename(d / "copy/adapter_model.bin", d / "copy/adapter_model.safetensors")
        # What peft writes beside that is harmless, and without gmner.json it is a start for training.
        os.remove(d / "copy/gmner.json")
        with open(d / "copy/adapter_config.json", "w", encoding="utf-8") as f:
            json.dump({**config, "use_dora": False, "alpha_pattern": {}, "layer_replication": None, "eva_config": None,
                       "init_lora_weights": True, "rank_pattern": {}}, f)
        gm.expect_ok(train(d, "head_lr: 0.01\n", start=d / "copy", epochs=1))


if __name__ == "__main__":
    gm.main(globals())
