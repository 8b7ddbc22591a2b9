"""`gmner models quantise`: model directories with int8 weights, on a tiny encoder made here."""
import functools
import json
import os
import shutil
import struct
import tempfile

import gm
import tiny_model
from posts_data import conll

_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-quantise-")
POST = ("--text", "Bert visits Rome .")
MATRICES = 6  # of the one layer


@functools.cache
def model():
    """A trained tagger (bf16) and its posts."""
    encoder, posts, out = (os.path.join(_dir.name, n) for n in ("encoder", "posts.txt", "model"))
    tiny_model.write(encoder)
    with open(posts, "w", encoding="utf-8") as f:
        f.write(conll())
    gm.expect_ok(gm.run("train", "--train", posts, "-o", out, "--encoder", encoder, "--epochs", "8", "--lr", "0.003",
                        "--precision", "f32"))
    return out, posts


@functools.cache
def quantised():
    out = os.path.join(_dir.name, "quantised")
    gm.expect_ok(gm.run("models", "quantise", model()[0], "-o", out))
    return out


def to_f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def predict(directory, precision, *posts):
    r = gm.run("predict", "--recipe", "tag", "--tagger", directory, "--precision", precision, *posts)
    if r.code == 1 and "this CPU" in r.err:
        return None
    return gm.expect_ok(r)


def changed(d, name, change):
    """A copy of the quantised model, its tensors changed."""
    shutil.copytree(quantised(), d / name)
    t = tiny_model.tensors(d / name)
    change(t)
    tiny_model.write_tensors(os.path.join(d / name, "model.safetensors"), t)
    return d / name


def test_what_is_written():
    was, now = tiny_model.tensors(model()[0]), tiny_model.tensors(quantised())
    scales = {name for name in now if name.endswith(".weight.scale")}
    assert now.keys() - scales == was.keys() and len(scales) == MATRICES, now.keys()
    for name, tensor in was.items():
        if name + ".scale" not in scales:
            assert now[name] == tensor, name
            continue
        kind, (rows, cols), raw = now[name]
        w, q, scale = tiny_model.floats(tensor), struct.unpack(f"<{rows * cols}b", raw), tiny_model.floats(now[name + ".scale"])
        assert kind == "I8" and tensor[:2] == ("BF16", [rows, cols]) and now[name + ".scale"][:2] == ("F32", [rows])
        for r in range(rows):
            row = w[r * cols:(r + 1) * cols]
            assert scale[r] == to_f32(max(map(abs, row)) / 127), (name, r)
            for c, x in enumerate(row):
                assert abs(q[r * cols + c] - x / scale[r]) <= 0.5001, (name, r, c)
    for name in ("config.json", "tokenizer.json", "gmner.json"):
        with open(os.path.join(model()[0], name), "rb") as a, open(os.path.join(quantised(), name), "rb") as b:
            assert a.read() == b.read(), name


def test_int8_predicts_the_same():
    for posts in (POST, (model()[1],)):
        a, b = (predict(m, "int8", *posts) for m in (model()[0], quantised()))
        if a is None:
            raise gm.Skip("this CPU has no VNNI")
        assert a.out == b.out and a.posts[0]["entities"], a.out


def test_other_precisions_use_the_rounded_weights():
    """As a model does whose f32 weights were rounded by hand."""
    with gm.Folder() as d:
        def by_hand(t):
            for name in [n for n in t if n.endswith(".scale")]:
                scale, matrix = tiny_model.floats(t.pop(name)), name.removesuffix(".scale")
                (rows, cols), raw = t[matrix][1:]
                q = struct.unpack(f"<{rows * cols}b", raw)
                values = [to_f32(x * scale[i // cols]) for i, x in enumerate(q)]
                t[matrix] = ("F32", [rows, cols], struct.pack(f"<{len(q)}f", *values))
        hand = changed(d, "hand", by_hand)
        for precision in ("f32", "bf16"):
            a, b = (predict(m, precision, model()[1]) for m in (hand, quantised()))
            assert a is None or a.out == b.out, precision
        # A few words: here weights are not packed where they are as a product needs them.
        a, b = (predict(m, "f32", *POST).posts[0]["entities"] for m in (hand, quantised()))
        assert a and [e["text"] for e in a] == [e["text"] for e in b], (a, b)
        assert all(abs(x["score"] - y["score"]) < 1e-4 for x, y in zip(a, b)), (a, b)


def test_going_on_from_it():
    with gm.Folder() as d:
        start = [x for n, t in tiny_model.tensors(quantised()).items() if n == "encoder.layer.0.output.dense.weight"
                 for x in struct.unpack(f"<{len(t[2])}b", t[2])]
        scale = tiny_model.floats(tiny_model.tensors(quantised())["encoder.layer.0.output.dense.weight.scale"])
        gm.expect_ok(gm.run("train", "--train", model()[1], "-o", d / "on", "--encoder", quantised(), "--epochs", "1",
                            "--lr", "1e-6", "--precision", "f32"))
        kind, (_, cols), _ = got = tiny_model.tensors(d / "on")["encoder.layer.0.output.dense.weight"]
        assert kind == "BF16"
        for i, x in enumerate(tiny_model.floats(got)):
            want = start[i] * scale[i // cols]
            assert abs(x - want) <= 2 ** -8 * abs(want) + 1e-4, (i, x, want)
        # With posts to calibrate on it is calibrated.
        gm.expect_ok(gm.run("models", "quantise", model()[0], "-o", d / "scored", "--dev", model()[1]))
        with open(os.path.join(d / "scored", "gmner.json"), encoding="utf-8") as f:
            assert json.load(f)["calibration"]["entities"] > 0


def test_damaged_weights_are_refused():
    """NaN or infinity in any tensor: one line with file, tensor and element, whatever the model is for. Of
    the words' table only the rows that a text reads are looked at."""
    damages = ((b"\xc0\x7f", "nan"), (b"\x80\xff", "-inf"))
    whole = tiny_model.tensors(model()[0])
    for i, (name, (kind, shape, raw)) in enumerate(whole.items()):
        damage, says = damages[i % 2]
        with gm.Folder() as d:
            broken = shutil.copytree(model()[0], d / "broken")
            file = os.path.join(broken, "model.safetensors")
            if kind == "F32":
                damage = b"\0\0" + damage
            bad = raw[:len(damage)] + damage + raw[2 * len(damage):]
            tiny_model.write_tensors(file, {**whole, name: (kind, shape, bad)})
            line = f"{file}: tensor {name}: element 1 is {says}: the weights are damaged"
            word = name.endswith("word_embeddings.weight")
            for precision in ("f32", "bf16", "int8") if i % 5 == 0 or word else ("auto",):
                r = gm.run("predict", "--recipe", "tag", "--tagger", broken, "--precision", precision, *POST)
                if "this CPU" in r.err:
                    continue
                if word:  # row 0 is the padding's
                    gm.expect_ok(r)
                else:
                    gm.expect(r, 1, line)
                    assert r.err.count("\n") == 1 and not r.out, (r.err, r.out)
            if i % 5 == 0 or word:
                gm.expect(gm.run("models", "quantise", broken, "-o", d / "q"), 1, line)
                gm.expect(gm.run("models", "average", model()[0], broken, "-o", d / "a"), 1, line)


def test_a_damaged_row_is_refused_when_it_is_read():
    name = "embeddings.word_embeddings.weight"
    whole = tiny_model.tensors(model()[0])
    kind, shape, raw = whole[name]
    at = tiny_model.vocabulary()["bert"] * shape[1] + 3
    assert kind == "BF16"
    with gm.Folder() as d:
        broken = shutil.copytree(model()[0], d / "broken")
        file = os.path.join(broken, "model.safetensors")
        tiny_model.write_tensors(file, {**whole, name: (kind, shape, raw[:2 * at] + b"\xc0\x7f" + raw[2 * at + 2:])})
        gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", broken, "--text", "Anna visits Rome ."))
        r = gm.run("predict", "--recipe", "tag", "--tagger", broken, *POST)
        gm.expect(r, 1, f"{file}: tensor {name}: element {at} is nan")
        assert not r.out, r.out


def test_what_cannot_be():
    name = "encoder.layer.0.intermediate.dense.weight.scale"
    with gm.Folder() as d:
        def nan(t):
            t[name] = t[name][:2] + (struct.pack("<f", float("nan")) + t[name][2][4:],)
        for i, (change, *says) in enumerate((
                (lambda t: t.pop(name), f"tensor {name} is missing"),
                (lambda t: t.update({name: ("F32", [1], b"\0" * 4)}), f"tensor {name}", "shape [64]"),
                (nan, f"tensor {name}", "element 0, nan,"),
                (lambda t: t.update({"classifier.bias": ("I8", t.pop("classifier.bias")[1], b"\0" * 5)}), "tensor classifier.bias", "float"))):
            broken = changed(d, f"broken{i}", change)
            gm.expect(gm.run("predict", "--recipe", "tag", "--tagger", broken, *POST), 1,
                      os.path.join(broken, "model.safetensors"), *says)
        gm.expect(gm.run("models", "quantise", quantised(), "-o", d / "x"), 1, "quantised", "int8 already")
        gm.expect(gm.run("models", "average", quantised(), quantised(), "-o", d / "x"), 1, "average first, then quantise")
        gm.expect(gm.run("models", "quantise", d / "none", "-o", d / "x"), 1, "none")
        gm.expect(gm.run("models", "quantise", model()[0]), 2, "-o MODEL")
        gm.expect(gm.run("models", "quantise", "-o", d / "x"), 2, "one MODEL")
        gm.expect(gm.run("models", "check", "-o", d / "x"), 2, "average, ensemble and quantise")


gm.main(globals())
