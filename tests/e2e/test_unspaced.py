"""Languages without spaces between words: a tagger finds in raw text what it finds in the words that its training
data has, whether those are characters (Chinese) or words of a dictionary (Thai). The encoder is a tiny random one of
XLM-R's shape, trained here until it knows the sentences by heart."""
import html
import json
import os
import random
import struct
import tempfile

import gm
import tiny_model

_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-unspaced-")
PERSONS, PLACES = ("小明", "张伟", "李小红", "Ann Lee"), ("北京", "上海", "New York", "香港岛")
FORMS = ("我和{p}在{l}吃饭。", "{p}住在{l}", "去年{p}离开{l}, 2024年回来", "#{l}#是{p}的家")


def is_chinese(c):
    return "\u4e00" <= c <= "\u9fff"


def sentences(seed, n):
    """[(text, [(start, end, type)])]."""
    rng, out = random.Random(seed), []
    for _ in range(n):
        text, entities = "", []
        for part in rng.choice(FORMS).replace("{", "|{").replace("}", "}|").split("|"):
            name = {"{p}": rng.choice(PERSONS), "{l}": rng.choice(PLACES)}.get(part)
            if name:
                entities.append((len(text), len(text) + len(name), "PER" if part == "{p}" else "LOC"))
            text += name or part
        out.append((text, entities))
    return out


def words_of(text, letters):
    """Where the words begin and end, each Chinese character one, and with `letters` each other one, too."""
    at = 0
    while at < len(text):
        end = at + 1
        while not letters and text[at].isalnum() and not is_chinese(text[at]) and end < len(text) and \
                text[end].isalnum() and not is_chinese(text[end]):
            end += 1
        if not text[at].isspace():
            yield at, end
        at = end


def conll(posts, letters=False):
    out = ""
    for i, (text, entities) in enumerate(posts):
        out += f"IMGID:{i}\n"
        for start, end in words_of(text, letters):
            tag = next((("B-" if start == s else "I-") + t for s, e, t in entities if s <= start < e), "O")
            out += f"{text[start:end]}\t{tag}\n"
        out += "\n"
    return out


def jsonl(posts, gold=True):
    return "".join(json.dumps({"id": str(i), "text": text, **({"entities": [
        {"start": s, "end": e, "type": t} for s, e, t in entities]} if gold else {})}, ensure_ascii=False) + "\n"
        for i, (text, entities) in enumerate(posts))


def write_encoder(path, texts):
    """XLM-R in small: a Unigram vocabulary of the characters and words of these texts behind "▁"."""
    tiny_model.write(path)
    pieces = sorted({c for t in texts for c in t} | {w for t in texts for w in t.split()} | set("▁"))
    vocab = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    vocab += [[p, -8.0] for p in pieces] + [["▁" + p, -7.0 - len(p) / 100] for p in pieces if p != "▁"]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "decoder": None,
        "added_tokens": [{"id": i, "content": vocab[i][0], "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i in range(4)],
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True,
                           "add_prefix_space": True},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": False}}
    config = os.path.join(path, "config.json")
    with open(config, encoding="utf-8") as f:
        settings = json.load(f)
    settings.update(model_type="xlm-roberta", architectures=["XLMRobertaModel"], vocab_size=len(vocab), pad_token_id=1,
                    type_vocab_size=1, max_position_embeddings=130, bos_token_id=0, eos_token_id=2)
    for name, value in ((config, settings), (os.path.join(path, "tokenizer.json"), tokenizer)):
        with open(name, "w", encoding="utf-8") as f:
            json.dump(value, f)
    weights = os.path.join(path, "model.safetensors")
    tensors = tiny_model.tensors(weights)
    rng, h = random.Random(5), tiny_model.HIDDEN
    for name, rows in (("word", len(vocab)), ("position", 130), ("token_type", 1)):
        tensors[f"embeddings.{name}_embeddings.weight"] = (
            "F32", [rows, h], struct.pack(f"<{rows * h}f", *[rng.gauss(0, 0.05) for _ in range(rows * h)]))
    tiny_model.write_tensors(weights, tensors)
    return path


def write(name, content):
    path = os.path.join(_dir.name, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(content)
    return path


TRAIN, DEV = sentences(1, 160), sentences(2, 40)


def trained(name, train, *more, texts=None):
    """The directory of a tagger of this training data; made once."""
    path = os.path.join(_dir.name, name)
    if not os.path.isdir(path):
        encoder = write_encoder(path + "-encoder", texts or [t for t, _ in TRAIN])
        gm.expect_ok(gm.run("train", "--task", "ner", "--train", write(name + "-train", train), "--encoder", encoder,
                            "-o", path, "--epochs", "10", "--lr", "0.005", "--precision", "f32", "--threads", "1",
                            *more))
    return path


def chinese():
    return trained("characters", conll(TRAIN))


def predict(tagger, data, *more):
    return gm.expect_ok(gm.run("predict", "-", "--recipe", "tag", "--tagger", tagger, *more, stdin=data)).posts


def cut_of(path):
    with open(os.path.join(path, "gmner.json"), encoding="utf-8") as f:
        return json.load(f).get("words")


def spans(post):
    for e in post["entities"]:
        assert post["text"][e["start"]:e["end"]] == e["text"], e
    return [(e["start"], e["end"], e["type"]) for e in post["entities"]]


def without_spaces(post):
    """The same with offsets that count what is no white space."""
    solid = lambda n: len("".join(post["text"][:n].split()))
    return [(solid(s), solid(e), t) for s, e, t in spans(post)]


def check_round_trip(tagger, posts, letters=False):
    """Raw text and the words of CoNLL: the same entities, and the right ones."""
    raw = predict(tagger, jsonl(posts, gold=False))
    given = predict(tagger, conll(posts, letters))
    assert [spans(p) for p in raw] == [e for _, e in posts], list(zip(map(spans, raw), posts))
    assert [without_spaces(p) for p in given] == [without_spaces(p) for p in raw]
    for a, b in zip(raw, given):
        for x, y in zip(a["entities"], b["entities"]):
            assert abs(x["score"] - y["score"]) < 1e-6, (x, y)


def test_characters_are_found_in_raw_text():
    assert cut_of(chinese()) == "characters"
    check_round_trip(chinese(), DEV)
    text = "张伟 在New York吃饭"
    post, = predict(chinese(), json.dumps({"text": text}))
    assert post["text"] == text and spans(post) == [(0, 2, "PER"), (4, 12, "LOC")], post


def test_letters_each_a_word():
    path = trained("letters", conll(TRAIN, letters=True))
    assert cut_of(path) == "letters"
    check_round_trip(path, DEV, letters=True)


def test_raw_training_data():
    """Of Chinese that comes as text with places in it, each character is a word: no name ends inside of one."""
    path = trained("raw", jsonl(TRAIN), "--dev", write("raw-dev.jsonl", jsonl(DEV)))
    assert cut_of(path) == "characters"
    check_round_trip(path, DEV)


def test_evaluated_against_words():
    with gm.Folder() as d:
        gold = d.write("gold.txt", conll(DEV))
        pred = d.write("pred.jsonl", "".join(json.dumps(p) + "\n" for p in predict(chinese(), jsonl(DEV, gold=False))))
        r = json.loads(gm.expect_ok(gm.run("eval", "--gold", gold, "--pred", pred, "--json")).out)
        assert r["f1"] == 1, r


def test_models_of_before_know_spaces_alone():
    path = chinese()
    old = os.path.join(_dir.name, "old")
    os.makedirs(old, exist_ok=True)
    for name in os.listdir(path):
        with open(os.path.join(path, name), "rb") as f:
            content = f.read()
        if name == "gmner.json":
            settings = json.loads(content)
            del settings["words"]
            content = json.dumps(settings).encode()
        with open(os.path.join(old, name), "wb") as f:
            f.write(content)
    post, = predict(old, json.dumps({"text": "我和小明在北京吃饭。"}))
    assert all(e["text"] in ("我和小明在北京吃饭", "。") for e in post["entities"]), post
    recipe = write("words.yaml", "stages: [{stage: tag, words: characters}]\n")
    post, = gm.expect_ok(gm.run("predict", "-", "--recipe", recipe, "--tagger", old,
                                stdin=json.dumps({"text": "我和小明在北京吃饭。"}))).posts
    assert [e["text"] for e in post["entities"]] == ["小明", "北京"], post
    recipe = write("wrong.yaml", "stages: [{stage: tag, words: kanji}]\n")
    gm.expect(gm.run("predict", "-", "--recipe", recipe, "--tagger", old, stdin='{"text": "x"}'), 1, "words", "kanji",
              "wrong.yaml:1")


def test_said_in_the_settings():
    path = trained("said", conll(TRAIN), "--config", write("said.yaml", "words: spaces\n"))
    assert cut_of(path) == "spaces"
    gm.expect(gm.run("train", "--config", write("no.yaml", "words: kanji\n"), "--train", "x", "-o", "y"), 1, "words",
              "characters")


def test_words_of_a_dictionary():
    """Thai, whose data has words."""
    places = ("กรุงเทพมหานคร", "เชียงใหม่")
    posts = [(("ฉัน", "O"), ("อยู่", "O"), ("ที่", "O"), (p, "B-LOC")) for p in places] * 20
    train = "".join("".join(f"{w}\t{t}\n" for w, t in p) + "\n" for p in posts)
    path = trained("thai", train, texts=[" ".join(w for w, _ in p) for p in posts])
    assert cut_of(path) == "dictionary"
    for place in places:
        text = "ฉันอยู่ที่" + place
        post, = predict(path, json.dumps({"text": text}))
        assert spans(post) == [(10, len(text), "LOC")], post


def test_converted_and_shown_without_spaces():
    text = "我和小明在New York吃饭。"
    post = {"id": "1", "text": text, "entities": [{"start": 2, "end": 4, "type": "PER"}, {"start": 5, "end": 13, "type": "LOC"}]}
    with gm.Folder() as d:
        raw = d.write("raw.jsonl", json.dumps(post) + "\n")
        gm.expect_ok(gm.run("data", "convert", raw, d / "words.txt"))
        with open(d / "words.txt", encoding="utf-8") as f:
            words = [l.split("\t") for l in f.read().splitlines()[1:] if l]
        assert [w for w, _ in words] == ["我", "和", "小", "明", "在", "New", "York", "吃", "饭", "。"], words
        assert [t for _, t in words] == ["O", "O", "B-PER", "I-PER", "O", "B-LOC", "I-LOC", "O", "O", "O"], words
        assert gm.expect_ok(gm.run("data", "check", raw)).code == 0
        page = d / "page.html"
        gm.expect_ok(gm.run("predict", raw, "--recipe", "tag", "--tagger", chinese(), "-o", page))
        with open(page, encoding="utf-8") as f:
            shown = html.unescape(f.read())
        assert "小明" in shown and "小 明" not in shown


def test_hashtags_by_the_rules_for_tweets():
    recipe = write("tweets.yaml", "stages: [{stage: tag, policy: tweets}]\n")
    post, = gm.expect_ok(gm.run("predict", "-", "--recipe", recipe, "--tagger", chinese(),
                                stdin=json.dumps({"text": "#北京#是小明的家"}))).posts
    assert [e["text"] for e in post["entities"]] == ["北京", "小明"], post


def test_taggers_of_others():
    """Without gmner.json: characters where the tokenizer parts Chinese ones, else words of the dictionary."""
    texts = ["我 们 北 京"]
    for name, want in (("bert", ["我", "们", "在", "北", "京", "New York"]), ("xlmr", ["我们", "在", "北京", "New York"])):
        path = os.path.join(_dir.name, "theirs-" + name)
        if name == "bert":
            tiny_model.write(path)
        else:
            write_encoder(path, texts)
        with open(os.path.join(path, "config.json"), encoding="utf-8") as f:
            settings = json.load(f)
        kind, prefix = ("Bert", "bert.") if name == "bert" else ("XLMRoberta", "roberta.")
        settings.update(architectures=[kind + "ForTokenClassification"], id2label={"0": "O", "1": "B-X", "2": "I-X"})
        with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as f:
            json.dump(settings, f)
        weights = os.path.join(path, "model.safetensors")
        tensors = {prefix + k: v for k, v in tiny_model.tensors(weights).items()}
        h = tiny_model.HIDDEN
        tensors["classifier.weight"] = ("F32", [3, h], struct.pack(f"<{3 * h}f", *[0.0] * (3 * h)))
        tensors["classifier.bias"] = ("F32", [3], struct.pack("<3f", 0, 9, 1))  # each word an entity
        tiny_model.write_tensors(weights, tensors)
        post, = predict(path, json.dumps({"text": "我们在北京New York"}))
        assert [e["text"] for e in post["entities"]] == [x for w in want for x in w.split()], (name, post)


gm.main(globals())
