"""Training and tagging as a user does it, with a tiny encoder made here: what is found, text of every
kind, and model directories that are broken in every way."""
import copy
import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time

import gm
import tiny_model

NAMES = ("Anna", "Bert", "Carla")
PLACES = ("Berlin", "Paris", "Rome")
RECIPE = os.path.join(gm.HOME, "recipes", "tag.yaml")
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-tagging-")


def conll():
    posts = []
    for i in range(60):
        name, place = NAMES[i % 3], PLACES[i // 3 % 3]
        words = [["@", "O"]] * (i % 4 == 1) + [[name, "B-PER"]] + [[":", "O"]] * (i % 3 == 1)
        words += [["lives" if i % 2 else "visits", "O"], ["in", "O"], [place, "B-LOC"],
                  [".!"[i % 5 == 1], "O"]]
        posts.append(f"IMGID:{i}\n" + "".join(f"{w}\t{t}\n" for w, t in words) + "\n")
    return "".join(posts)


def model():
    """The directory of a tagger trained on the sentences above; made once."""
    path = os.path.join(_dir.name, "model")
    if not os.path.isdir(path):
        encoder, data = os.path.join(_dir.name, "encoder"), os.path.join(_dir.name, "train.txt")
        tiny_model.write(encoder)
        with open(data, "w", encoding="utf-8") as f:
            f.write(conll())
        gm.expect_ok(gm.run("train", "--task", "ner", "--train", data, "--dev", data, "--encoder",
                            encoder, "-o", path, "--epochs", "20", "--lr", "0.005", "--seed", "1",
                            "--precision", "f32"))
    return path


def tag(posts, *args, tagger=None):
    lines = "".join(json.dumps(p) + "\n" for p in posts)
    return gm.run("predict", "-", "--recipe", "tag", "--tagger", tagger or model(), *args, stdin=lines)


def check_offsets(post):
    for e in post["entities"]:
        assert post["text"][e["start"]:e["end"]] == e["text"] and e["text"], e
        assert 0 <= e["score"] <= 1 and e["source"] == "tag", e


def test_learns():
    r = gm.expect_ok(tag([{"text": "Carla visits in Rome ."}, {"text": "@Anna: lives in Paris!"}]))
    found = [[(e["text"], e["type"]) for e in p["entities"]] for p in r.posts]
    assert found == [[("Carla", "PER"), ("Rome", "LOC")], [("Anna", "PER"), ("Paris", "LOC")]], found
    for p in r.posts:
        check_offsets(p)


def test_reads_every_format_with_texts():
    text = "Carla visits in Rome ."
    with gm.Folder() as d:
        posts = d.write("posts.jsonl", json.dumps({"id": "1", "text": text, "entities": []}) + "\n")
        for form in ("conll", "ccks-text", "coco", "labelstudio"):
            path = d / f"posts.{form}"
            gm.expect_ok(gm.run("data", "convert", posts, path, "--to", form))
            with open(path, encoding="utf-8") as f:
                content = f.read()
            rest = ("--recipe", "tag", "--tagger", model())
            for r in (gm.run("predict", path, *rest), gm.run("predict", "-", "--from", form.removesuffix("-text"), *rest,
                                                             stdin=content)):
                post, = gm.expect_ok(r).posts
                assert (post["text"], [e["text"] for e in post["entities"]]) == (text, ["Carla", "Rome"]), (form, post)


def test_stopped_training_leaves_a_whole_model():
    model()
    out = os.path.join(_dir.name, "stopped")
    data, encoder = (os.path.join(_dir.name, n) for n in ("train.txt", "encoder"))
    p = subprocess.Popen([gm.PROGRAM, "train", "--train", data, "--dev", data, "--encoder", encoder,
                          "-o", out, "--epochs", "10000", "--lr", "0.005", "--precision", "f32"],
                         stderr=subprocess.PIPE, text=True)
    for _ in range(6000):
        if os.path.exists(os.path.join(out, "gmner.json")) or p.poll() is not None:
            break
        time.sleep(0.05)
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=gm.TIMEOUT_S)
    assert p.returncode == -signal.SIGINT and "stopped in epoch" in err, (p.returncode, err[-500:])
    assert not [n for n in os.listdir(out) if n.endswith(".tmp")], os.listdir(out)
    gm.expect_ok(tag([{"text": "Carla visits in Rome ."}], tagger=out))


def test_gold_entities_are_replaced():
    """A CoNLL file's tags are gold, not predictions: `tag` finds its own; eval compares the two."""
    model()
    data = os.path.join(_dir.name, "train.txt")
    out = os.path.join(_dir.name, "out.jsonl")
    gm.expect_ok(gm.run("predict", data, "--recipe", "tag", "--tagger", model(), "-o", out))
    with open(out, encoding="utf-8") as f:
        posts = [json.loads(line) for line in f]
    assert len(posts) == 60 and all(e["source"] == "tag" for p in posts for e in p["entities"])
    result = json.loads(gm.expect_ok(gm.run("eval", "--gold", data, "--pred", out, "--json")).out)
    assert result["f1"] > 0.95, result
    spoilt = posts[0]
    spoilt["entities"] = [{"start": 0, "end": 1, "type": "XXX"}]
    r = gm.expect_ok(tag([spoilt]))
    assert all(e["type"] != "XXX" for e in r.posts[0]["entities"]), r.out


def test_text_of_every_kind():
    texts = ["", " ", "\n\t", "!", "\U0001F600\U0001F468\u200d\U0001F469\u200d\U0001F467 Anna \u2764\ufe0f in Rome",
             "\u0410\u043d\u043d\u0430 \u0436\u0438\u0432\u0451\u0442 \u0432 \u041c\u043e\u0441\u043a\u0432\u0435",
             "\u5f20\u4f1f\u4f4f\u5728\u5317\u4eac", "\u0645\u0631\u062d\u0628\u0627 Anna",
             "x" * 100000, "Anna lives in Rome . " * 500, "a\u0301" * 300 + " Rome", "\u0000Anna\u0007 in Rome",
             "https://t.co/" + "a" * 5000 + " Anna", "''''____####@@@@", "\ufeffAnna", "\u202eAnna\u202c"]
    r = gm.expect_ok(tag([{"id": str(i), "text": t} for i, t in enumerate(texts)]))
    assert len(r.posts) == len(texts)
    for p, text in zip(r.posts, texts):
        assert p["text"] == text
        check_offsets(p)
    # Nothing is cut: entities are found far behind the encoder's 64 positions.
    assert len(r.posts[9]["entities"]) == 1000, len(r.posts[9]["entities"])


def settings_of(path):
    with open(os.path.join(path, "gmner.json"), encoding="utf-8") as f:
        return json.load(f)


def test_scores_are_calibrated():
    """Training with dev posts has fitted it; `models calibrate` does it again, to other posts."""
    data = os.path.join(_dir.name, "train.txt")
    other = os.path.join(_dir.name, "calibrated")
    shutil.copytree(model(), other)
    with gm.Folder() as d:
        wrong = d.write("wrong.txt", conll().replace("B-PER", "B-ORG"))  # half of what it finds
        r = gm.expect_ok(gm.run("models", "calibrate", other, "--dev", wrong))
        assert "calibrated" in r.err and "60 right" in r.err, r.err
        found = [gm.expect_ok(tag([{"text": "Carla visits in Rome ."}], tagger=m)).posts[0]["entities"]
                 for m in (model(), other)]
        for entities, m in zip(found, (model(), other)):
            c = settings_of(m)["calibration"]
            assert set(c) == {"entities", "a", "b", "c", "ece_before", "ece", "ece_cross"}, c
            assert c["entities"] == 120
            for e in entities:
                p = e["uncertainty"]["marginal"]
                z = c["a"] * math.log(p) - c["b"] * math.log(1 - p) + c["c"]
                assert abs(e["score"] - 1 / (1 + math.exp(-z))) < 1e-3, (e, c)
        assert all(e["score"] > 0.9 for e in found[0]) and all(e["score"] < 0.7 for e in found[1]), found
        for a, b in zip(*found, strict=True):  # the probabilities themselves stay
            assert all(a["uncertainty"][k] == b["uncertainty"][k] for k in ("marginal", "entropy", "margin"))
        before = settings_of(other)
        del before["calibration"]
        again = settings_of(model())
        del again["calibration"]
        assert before == again  # nothing else has changed
        nothing = d.write("nothing.txt", "IMGID:1\n.\tO\n\n")
        r = gm.expect_ok(gm.run("models", "calibrate", other, "--dev", nothing))
        assert "not calibrated" in r.err, r.err
    gm.expect(gm.run("models", "calibrate", other), 2, "--dev FILE")
    gm.expect(gm.run("models", "list", "--dev", data), 2, "--dev is for calibrate")
    gm.expect(gm.run("models", "calibrate", "no-such-model", "--dev", data), 1, "no-such-model")
    gm.expect(gm.run("models", "calibrate", other, "--dev", other + "/none.txt"), 1, "none.txt")
    with open(os.path.join(other, "gmner.json"), "w", encoding="utf-8") as f:
        json.dump(dict(again, calibration={"a": -1, "b": 1, "c": 0}), f)
    gm.expect(tag([{"text": "Rome"}], tagger=other), 1, "gmner.json", "calibration")


def test_what_may_have_been_missed():
    """With the setting candidates, spans that overlap no entity; the entities stay as they are, and their score
    is that of the span times that of the type."""
    words = (*NAMES, *PLACES, "visits", "in", "xx", "Annaberlin", ":", "lives", "@")
    posts = [{"text": " ".join(words[(i * k) % len(words)] for k in range(1, 9))} for i in range(1, 40)]
    with gm.Folder() as d:
        lines = "".join(json.dumps(p) + "\n" for p in posts)

        def predict(candidates, given=lines):
            rec = d.write("r.yaml", f"name: t\nstages:\n  - stage: tag\n    candidates: {candidates}\n")
            return gm.run("predict", "-", "-r", rec, "--tagger", model(), stdin=given)

        r = gm.expect_ok(predict(0.05))
        none = gm.expect_ok(predict(0))
        again = gm.expect_ok(predict(0.05, r.out))
        gm.expect(predict(1.5), 1, '"candidates" is 1.5')
    n = 0
    assert [p["entity_candidates"] for p in again.posts] == [p["entity_candidates"] for p in r.posts]
    for p, q in zip(r.posts, none.posts, strict=True):
        assert p["entities"] == q["entities"] and "entity_candidates" not in q
        for e in p["entities"]:
            u = e["uncertainty"]
            assert abs(e["score"] - u["span_score"] * u["type_score"]) < 1e-5, e
        found, at = p["entity_candidates"], -1
        taken = [(e["start"], e["end"]) for e in p["entities"]]
        assert len(found) <= 5
        for c in found:
            assert set(c) == {"text", "type", "start", "end", "score"} and c["type"] in ("PER", "LOC")
            assert c["score"] >= 0.05 and c["start"] > at and p["text"][c["start"]:c["end"]] == c["text"]
            assert all(c["end"] <= a or b <= c["start"] for a, b in taken), (c, taken)
            at = c["end"]
        n += len(found)
    assert n, r.out


def with_policy(d, policy):
    with open(RECIPE, encoding="utf-8") as f:
        recipe = f.read()
    recipe = recipe.replace("    model: ner-default\n", f"    model: ner-default\n    policy: {policy}\n")
    return d.write("policy.yaml", recipe)


def test_which_names_are_entities():
    """The rules for tweets hold in raw text only, and only where the recipe says so."""
    text = "@Anna: lives in Paris ."
    words = {"text": "@ Anna : lives in Paris .", "tokens": ["@", "Anna", ":", "lives", "in", "Paris", "."]}
    posts = [{"text": text}, words, {"text": "via " + text}, {"text": "#Berlin - #Rome"}]
    lines = "".join(json.dumps(p) + "\n" for p in posts)
    with gm.Folder() as d:
        found = {}
        for policy in ("none", "tweets"):
            r = gm.expect_ok(gm.run("predict", "-", "--recipe", with_policy(d, policy), "--tagger", model(), stdin=lines))
            for post in r.posts:
                check_offsets(post)
            found[policy] = [[e["text"] for e in p["entities"] if e["text"] != "via"] for p in r.posts]
        assert found["none"][:3] == [["Anna", "Paris"]] * 3, found
        assert found["tweets"][:3] == [["Anna", "Paris"], ["Anna", "Paris"], ["Paris"]], found
        assert found["tweets"][3] == ["Berlin", "Rome"], found
        gm.expect(gm.run("predict", "--recipe", with_policy(d, "strict"), "--tagger", model(), "--text", "x"), 1,
                  "policy", "strict", "none or tweets")


def test_wrongly_decoded_text():
    """What was meant is read, and offsets are of the text as it is."""
    r = gm.expect_ok(tag([{"text": "Carla¡¯s â€™ Anna lives in Paris ¡\u00AD"}]))
    check_offsets(r.posts[0])
    assert [e["text"] for e in r.posts[0]["entities"]][-2:] == ["Anna", "Paris"], r.posts[0]["entities"]
    assert r.posts[0]["text"].startswith("Carla¡¯s")


def test_tokens():
    r = gm.expect_ok(tag([{"tokens": ["Anna", "lives", "in", "Rome"]}, {"tokens": []}, {"tokens": ["", "Rome"]}]))
    assert [e["text"] for e in r.posts[0]["entities"]] == ["Anna", "Rome"], r.out
    for p in r.posts:
        check_offsets(p)


def test_a_million_words():
    r = gm.expect_ok(tag([{"id": "big", "text": "Anna lives in Rome . " * 200000}, {"id": "small", "text": "Anna"}], "--max-words", "2000000"))
    assert [p["id"] for p in r.posts] == ["big", "small"]
    assert r.posts[0]["entities"][-1]["end"] > 4000000
    check_offsets(r.posts[0])


def test_same_result():
    posts = [{"text": f"{n} visits in {p} with {m}"} for n in NAMES for p in PLACES for m in NAMES] * 5
    first = gm.expect_ok(tag(posts, "--threads", "1", "--precision", "f32")).out
    assert gm.expect_ok(tag(posts, "--threads", "1", "--precision", "f32")).out == first


def train(d, data, *args, encoder=None, out="model"):
    """One epoch on `data` (CoNLL, or a list of (words, tags)), into the folder `out` of d."""
    if not isinstance(data, str):
        data = "".join("IMGID:1\n" + "".join(f"{w}\t{t}\n" for w, t in zip(words, tags)) + "\n"
                       for words, tags in data)
    model()
    return gm.run("train", "--train", d.write("train.txt", data), "-o", d / out, "--epochs", "1",
                  "--encoder", encoder or os.path.join(_dir.name, "encoder"), "--precision", "f32", "--overwrite", *args)


def test_same_weights():
    """A seed gives the same weights, another one others."""
    weights = []
    for seed in ("5", "5", "6"):
        with gm.Folder() as d:
            gm.expect_ok(train(d, conll(), "--seed", seed, "--threads", "2"))
            with open(os.path.join(d / "model", "model.safetensors"), "rb") as f:
                weights.append(f.read())
    assert weights[0] == weights[1] and weights[0] != weights[2]


def test_an_entity_longer_than_the_encoder_reads():
    for scheme in ("", "scheme: bioes\n"):
        with gm.Folder() as d:
            data = [(["Anna"] * 300, ["B-PER"] + ["I-PER"] * 299)] * 3
            gm.expect_ok(train(d, data, "--config", d.write("c.yaml", scheme + "lr: 1e-4\n")))


def test_training_mistakes():
    with gm.Folder() as d:
        gm.expect(train(d, ""), 1, "train.txt: no entities to learn from")
        gm.expect(train(d, [(["a", "b"], ["O", "O"])]), 1, "train.txt: no entities to learn from")
        gm.expect(train(d, "IMGID:1\nAnna\tB-PER\nlives\tO\tO\tO\n\n"), 1, "train.txt:3: 4 columns")
        gm.expect(train(d, "IMGID:1\nAnna\tQ-PER\n\n"), 1, "train.txt:2: \"Q-PER\"")
        gm.expect(train(d, conll(), "--dev", d / "none.txt"), 1, "none.txt", "No such file")
        gm.expect(train(d, conll(), "--dev", d.write("dev.txt", "")), 1, "dev.txt: no posts")
        gm.expect(train(d, conll(), encoder=d / "none"), 1, "none: no such model folder")
        assert d.names() == ["dev.txt", "train.txt"], d.names()


def test_training_output_is_tried_first():
    with gm.Folder() as d:
        d.write("a-file", "")
        r = train(d, conll(), out="a-file")
        gm.expect(r, 1, "a-file: cannot create the folder")
        assert "epoch 1" not in r.err, r.err


def test_training_goes_on_with_the_same_types_only():
    with gm.Folder() as d:
        gm.expect_ok(train(d, conll(), encoder=model()))
        for types in ("XX", "XX YY"), ("PER", "LOC ORG"):
            tags = [f"B-{t}" for t in " ".join(types).split()]
            gm.expect(train(d, [(["Anna"] * len(tags), tags)], encoder=model()), 1, model(), "types")


def test_entailment_needs_both_answers():
    with gm.Folder() as d:
        os.mkdir(d / "xml")
        gm.expect(train(d, conll(), "--task", "entail", "--xml", d / "xml"), 1, "train.txt: none of its 120 ",
                  d / "xml")


def test_bad_settings():
    with gm.Folder() as d:
        path = d.write("r.yaml", "name: x\nstages:\n  - stage: tag\n    colour: red\n")
        gm.expect(gm.run("predict", "--recipe", path, "--text", "x"), 1, "stage tag", "\"colour\"")
        path = d.write("r.yaml", "name: x\nstages:\n  - stage: tag\n    model: none\n")
        gm.expect(gm.run("predict", "--recipe", path, "--text", "x"), 1, "no model \"none\"; known are:")


class Broken:
    """A copy of the model for a test to spoil."""

    def __enter__(self):
        self._d = tempfile.TemporaryDirectory(prefix="gm-e2e-broken-")
        self.path = os.path.join(self._d.name, "model")
        shutil.copytree(model(), self.path)
        self.weights = os.path.join(self.path, "model.safetensors")
        return self

    def __exit__(self, *_):
        self._d.cleanup()

    def expect(self, *parts):
        out = os.path.join(self._d.name, "out.jsonl")
        gm.expect(tag([{"text": "Anna lives in Rome"}], "-o", out, tagger=self.path), 1, "stage tag: ",
                  self.path, *parts)
        assert not os.path.exists(out)


def test_missing_files():
    for name in os.listdir(model()):
        if name.endswith((".json", ".safetensors")):
            with Broken() as b:
                os.unlink(os.path.join(b.path, name))
                b.expect()
            with Broken() as b:
                open(os.path.join(b.path, name), "w", encoding="utf-8").close()
                b.expect(name)
            with Broken() as b:
                with open(os.path.join(b.path, name), "w", encoding="utf-8") as f:
                    f.write("}not what it should be{" * 3)
                b.expect(name)


def test_not_a_tagger():
    with gm.Folder() as d:
        gm.expect(tag([{"text": "x"}], tagger=d.path), 1, "stage tag: ", d.path)
        model()
        encoder = os.path.join(_dir.name, "encoder")
        gm.expect(tag([{"text": "x"}], tagger=encoder), 1, encoder)


def spoil(change, *parts):
    """change(header, data) gives the new (header, data, claimed header length or None)."""
    with Broken() as b:
        header, data = tiny_model.read_raw(b.weights)
        header, data, claimed = change(copy.deepcopy(header), data)
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        tiny_model.write_raw(b.weights, raw, data, claimed)
        b.expect("model.safetensors", *parts)


def with_entry(name_part, **fields):
    def change(header, data):
        name = next(n for n in header if name_part in n)
        header[name].update(fields)
        return header, data, None
    return change


def test_settings_of_another_kind():
    for key, value in (("format", 2), ("scheme", "iob"), ("task", "entail"), ("types", []), ("types", ["PER"])):
        with Broken() as b:
            path = os.path.join(b.path, "gmner.json")
            with open(path, encoding="utf-8") as f:
                settings = json.load(f)
            with open(path, "w", encoding="utf-8") as f:
                json.dump({**settings, key: value}, f)
            b.expect()


def test_truncated_weights():
    with Broken() as b:
        size = os.path.getsize(b.weights)
        for keep in (1, 7, 8, 100, size // 2, size - 1):
            os.truncate(b.weights, keep)
            b.expect("model.safetensors")
            shutil.copy(os.path.join(model(), "model.safetensors"), b.weights)


def test_broken_header():
    spoil(lambda h, d: (h, d, 1 << 62), "header of")
    spoil(lambda h, d: (h, d, (1 << 64) - 1), "header of")
    spoil(lambda h, d: (h, d, len(json.dumps(h)) + len(d) + 64), "header of")
    spoil(lambda h, d: (b" " * (100 << 20) + b"{}", b"", None))
    spoil(lambda h, d: (b"[" * 200000 + b"]" * 200000, d, None))
    spoil(lambda h, d: (b"[]", d, None))
    spoil(lambda h, d: (b"\xff\xfe{}", d, None))


def test_broken_tensors():
    spoil(with_entry("classifier.weight", dtype="Q7"), "classifier.weight", "Q7")
    spoil(with_entry("classifier.weight", dtype=3), "classifier.weight")
    spoil(with_entry("classifier.weight", shape=[1 << 40, 1 << 40]), "classifier.weight")
    spoil(with_entry("classifier.weight", shape=[1 << 32, 1 << 32]), "classifier.weight")
    spoil(with_entry("classifier.weight", shape=[-1, 32]), "classifier.weight")
    spoil(with_entry("classifier.weight", shape="big"), "classifier.weight")
    spoil(with_entry("classifier.weight", data_offsets=[0, 4]))
    spoil(with_entry("classifier.weight", data_offsets=[8, 4]))
    spoil(with_entry("classifier.weight", data_offsets=[0, 1 << 62]))
    spoil(with_entry("classifier.weight", data_offsets=None))
    spoil(lambda h, d: (h, d + b"\0" * 16, None))


def test_wrong_tensors():
    def without(part):
        """Tensors whose names hold `part` are left out, the data closed up."""
        def change(header, data):
            kept, out = {}, b""
            for name, e in header.items():
                if name == "__metadata__" or part in name:
                    continue
                a, z = e["data_offsets"]
                kept[name] = {**e, "data_offsets": [len(out), len(out) + z - a]}
                out += data[a:z]
            return kept, out, None
        return change

    def transposed(header, data):
        name = next(n for n in header if "intermediate.dense.weight" in n)
        header[name]["shape"].reverse()
        return header, data, None

    for part in ("crf.transitions", "classifier.weight", "query.bias", "case_embeddings"):
        spoil(without(part), part)
    spoil(transposed, "intermediate.dense.weight")


LINE_ENDS = ("\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", " \n ")


def test_an_entity_ends_with_its_line():
    """Every two words are one name to this tagger; a name is never in two lines, in either scheme."""
    with gm.Folder() as d:
        for scheme, tags in (("bio", ["B-PER", "I-PER"]), ("bioes", ["B-PER", "E-PER"])):
            settings = d.write("s.yaml", f"scheme: {scheme}\nlr: 1.0e-2\nhead_lr: 0.05\n")
            data = "".join(f"IMGID:1\nanna\t{tags[0]}\nbert\t{tags[1]}\n\n" for _ in range(300))
            gm.expect_ok(train(d, data, "--config", settings))

            def found(text):
                r = gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / "model",
                                        d.write("p.jsonl", json.dumps({"id": "1", "text": text}))))
                return [(e["text"], e["start"], e["end"]) for e in json.loads(r.out)["entities"]]
            assert found("anna bert") == [("anna bert", 0, 9)]
            for end in LINE_ENDS:
                names = [text for text, _, _ in found(f"anna{end}bert")]
                assert not any(end in name for name in names), (scheme, end, names)
                two = found(f"anna bert{end}anna bert")
                assert two == [("anna bert", 0, 9), ("anna bert", 9 + len(end), 18 + len(end))], (scheme, end, two)
            assert found("anna \u00a0 bert")[0][0] == "anna \u00a0 bert"  # white space that ends no line


gm.main(globals())
