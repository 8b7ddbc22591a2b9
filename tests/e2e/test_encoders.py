"""Training and tagging on encoders of the RoBERTa family, with the tokenizers of tests/golden: sentence
pieces and byte-level pieces, weights in several files, positions that run out."""
import json
import os
import shutil
import tempfile

import gm
import tiny_model

GOLDEN = os.path.join(gm.HOME, "tests", "golden", "tokenizers")
NAMES, PLACES = ("Anna", "Bert", "Carla"), ("Berlin", "Paris", "Rome")
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-encoders-")


def conll():
    posts = []
    for i in range(60):
        words = [["@", "O"]] * (i % 4 == 1) + [[NAMES[i % 3], "B-PER"]] + [[":", "O"]] * (i % 3 == 1)
        words += [["lives" if i % 2 else "visits", "O"], ["in", "O"], [PLACES[i // 3 % 3], "B-LOC"],
                  [".!"[i % 5 == 1], "O"]]
        posts.append(f"IMGID:{i}\n" + "".join(f"{w}\t{t}\n" for w, t in words) + "\n")
    return "".join(posts)


def tag(text, kind):
    """The entities of one post."""
    r = gm.expect_ok(gm.run("predict", "-", "--recipe", "tag", "--tagger", tagger(kind),
                            stdin=json.dumps({"text": text}) + "\n"))
    for e in r.posts[0]["entities"]:
        assert text[e["start"]:e["end"]] == e["text"] and e["text"], e
    return r.posts[0]["entities"]


def encoder(kind):
    """A directory as transformers writes a large one: a random XLM-R in two files, with a golden tokenizer."""
    path = os.path.join(_dir.name, kind + "-encoder")
    if os.path.isdir(path):
        return path
    tiny_model.write(path)
    with open(os.path.join(GOLDEN, kind + ".jsonl"), encoding="utf-8") as f:
        tokenizer = json.loads(f.readline())["tokenizer"]
    with open(os.path.join(path, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(tokenizer, f)
    n = len(tokenizer["model"]["vocab"]) + len(tokenizer["added_tokens"])
    with open(os.path.join(path, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    config.update(model_type="xlm-roberta", vocab_size=n, type_vocab_size=1, pad_token_id=1,
                  max_position_embeddings=tiny_model.POSITIONS + 2, layer_norm_eps=1e-5)
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    split_weights(path, n)
    return path


def split_weights(path, n_vocab):
    """The weights of tiny_model in two files and an index, with the shapes and names of an XLM-R."""
    single = os.path.join(path, "model.safetensors")
    header, data = tiny_model.read_raw(single)
    os.remove(single)
    rows = {"embeddings.word_embeddings.weight": n_vocab, "embeddings.position_embeddings.weight": 66,
            "embeddings.token_type_embeddings.weight": 1}
    parts, weight_map = ({}, {}), {}
    for i, (name, t) in enumerate(header.items()):
        begin, end = t["data_offsets"]
        payload, shape = data[begin:end], t["shape"]
        if name in rows:
            shape = [rows[name], shape[1]]
            n = 4 * shape[0] * shape[1]
            payload = (payload * (n // len(payload) + 1))[:n]
        parts[i % 2]["roberta." + name] = ("F32", shape, payload)
        weight_map["roberta." + name] = f"model-0000{i % 2 + 1}-of-00002.safetensors"
    for i, tensors in enumerate(parts):
        tiny_model.write_tensors(os.path.join(path, f"model-0000{i + 1}-of-00002.safetensors"), tensors)
    with open(os.path.join(path, "model.safetensors.index.json"), "w", encoding="utf-8") as f:
        json.dump({"metadata": {}, "weight_map": weight_map}, f)


def train(directory, *refused):
    """Train on an encoder directory to DIRECTORY-tagger; `refused`: status and parts of the error."""
    data, out = os.path.join(_dir.name, "train.txt"), directory + "-tagger"
    with open(data, "w", encoding="utf-8") as f:
        f.write(conll())
    r = gm.run("train", "--task", "ner", "--train", data, "--dev", data, "--encoder", directory, "-o", out,
               "--epochs", "20", "--lr", "0.005", "--seed", "1", "--precision", "f32")
    if refused:
        gm.expect(r, *refused)
    else:
        gm.expect_ok(r)
    return out


def tagger(kind):
    out = os.path.join(_dir.name, kind + "-encoder-tagger")
    return out if os.path.isdir(out) else train(encoder(kind))


def learns(kind):
    found = [[(e["text"], e["type"]) for e in tag(text, kind)]
             for text in ("Carla visits in Rome .", "@Anna: lives in Paris!")]
    assert found == [[("Carla", "PER"), ("Rome", "LOC")], [("Anna", "PER"), ("Paris", "LOC")]], found


def test_sentence_pieces():
    learns("unigram")


def test_byte_level():
    learns("bpe-roberta")


def rewrite(kind, name, files):
    """A copy of an encoder's directory with these files in place of tokenizer.json."""
    path = os.path.join(_dir.name, name)
    shutil.copytree(encoder(kind), path)
    os.remove(os.path.join(path, "tokenizer.json"))
    for file, text in files.items():
        with open(os.path.join(path, file), "w", encoding="utf-8") as f:
            f.write(text)
    return path


def test_byte_level_in_two_files():
    """vocab.json and merges.txt say what tokenizer.json says of them."""
    with open(os.path.join(encoder("bpe-roberta"), "tokenizer.json"), encoding="utf-8") as f:
        given = json.load(f)
    path = rewrite("bpe-roberta", "two-files", {
        "vocab.json": json.dumps(given["model"]["vocab"]),
        "merges.txt": "#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in given["model"]["merges"]),
        "tokenizer_config.json": json.dumps({"add_prefix_space": given["pre_tokenizer"]["add_prefix_space"]})})
    out = train(path)
    text = json.dumps({"text": "Carla visits in Rome, naïve #Anna2 😀 Bert's"})
    want, got = (gm.expect_ok(gm.run("predict", "-", "--recipe", "tag", "--tagger", t, stdin=text)).out
                 for t in (tagger("bpe-roberta"), out))
    assert got == want


def bertweet(name, config="{}"):
    """Words that are merged letter by letter, some of whose beginnings are in no vocabulary."""
    words = [*NAMES, *PLACES, "lives", "visits", "in"]
    merges = [f"{w[:i]} {w[i]}{'</w>' * (i + 1 == len(w))} {90 - i}\n" for w in words for i in range(1, len(w))]
    pieces = words + [c for w in words for c in (w[0] + "@@", w[-1])] + list("@:.!")
    return rewrite("bpe-roberta", name, {"vocab.txt": "".join(f"{p} 5\n" for p in dict.fromkeys(pieces)),
                                         "bpe.codes": "".join(merges), "tokenizer_config.json": config})


def test_bertweet():
    out = train(bertweet("bertweet"))
    post, = gm.expect_ok(gm.run("predict", "-", "--recipe", "tag", "--tagger", out,
                                stdin=json.dumps({"text": "@Anna: lives in Paris!"}))).posts
    assert [(e["text"], e["type"]) for e in post["entities"]] == [("Anna", "PER"), ("Paris", "LOC")], post
    gm.expect_ok(gm.run("models", "quantise", out, "-o", out + "-int8"))
    train(bertweet("normalized", '{"normalization": true}'), 1, "normalization", "tokenizer_config.json")


def test_vocabularies_that_are_refused():
    path = rewrite("bpe-roberta", "sentencepiece", {"spm.model": "x"})
    train(path, 1, "spm.model is SentencePiece's own format", "AutoTokenizer", "save_pretrained('" + path)
    train(rewrite("bpe-roberta", "nothing", {}), 1, "no tokenizer.json", "AutoTokenizer")
    train(rewrite("bpe-roberta", "uncounted", {"vocab.txt": "word\n", "bpe.codes": "a b 1\n"}), 1, "vocab.txt:1",
          "a word and its number")
    train(rewrite("bpe-roberta", "foreign", {"vocab.txt": "the\n"}), 1, "vocab.txt", "has no [SEP]")


def test_vocabularies_of_other_classes():
    """vocab.txt and merges.txt mean other things to other tokenizers, which the configurations name."""
    words = {"vocab.txt": "".join(w + "\n" for w in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "Anna"])}
    japanese = json.dumps({"tokenizer_class": "BertJapaneseTokenizer"})
    train(rewrite("bpe-roberta", "japanese", {**words, "tokenizer_config.json": japanese}), 1, "BertJapaneseTokenizer",
          "is not read as")
    path = rewrite("bpe-roberta", "herbert", {"vocab.json": "{}", "merges.txt": ""})
    with open(os.path.join(path, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as f:
        json.dump({**config, "tokenizer_class": "HerbertTokenizerFast"}, f)
    train(path, 1, "vocab.json", "HerbertTokenizerFast")
    train(rewrite("bpe-roberta", "fast", {**words, "tokenizer_config.json": '{"tokenizer_class": "ElectraTokenizerFast"}'}))
    # Names of special tokens from special_tokens_map.json, and numbers of added ones.
    train(rewrite("bpe-roberta", "mapped", {
        "vocab.txt": "<a>\n<b>\n[UNK]\nAnna\n", "added_tokens.json": '{"<x>": 4, "[MASK]": 6, "[PAD]": 5}',
        "special_tokens_map.json": '{"cls_token": "<a>", "sep_token": {"content": "<b>"}}'}))


def test_long_post():
    """Far more pieces than positions: windows end where the position table does."""
    text = "Anna lives in Rome . " * 200
    found = tag(text, "unigram")
    assert {e["text"] for e in found} == {"Anna", "Rome"}, found
    quarters = {4 * e["start"] // len(text) for e in found}
    assert quarters == {0, 1, 2, 3}, quarters


def test_padding_spelled():
    """A text may spell the special tokens."""
    tag("<pad> Anna <pad><s></s> lives in Rome .", "unigram")


def test_only_a_pickle():
    with tempfile.TemporaryDirectory() as d:
        tiny_model.write(d)
        os.rename(os.path.join(d, "model.safetensors"), os.path.join(d, "pytorch_model.bin"))
        train(d, 1, "only a pickle; convert it: python3 -c", "pytorch_model.bin")
        env = {"GMNER_MODELS": os.path.join(d, "models")}
        gm.expect(gm.run("models", "add", d, "--name", "pickled", env=env), 1, "only a pickle; convert it")
        assert not os.path.exists(os.path.join(d, "models/pickled")), "half a model"
        os.rename(os.path.join(d, "pytorch_model.bin"), os.path.join(d, "pytorch_model-00001-of-00001.bin"))
        with open(os.path.join(d, "pytorch_model.bin.index.json"), "w", encoding="utf-8") as f:
            f.write("{}")
        train(d, 1, "only a pickle; convert it: python3 -c", "pytorch_model.bin.index.json")


def test_missing_part():
    part = os.path.join(encoder("bpe-words"), "model-00002-of-00002.safetensors")
    os.remove(part)
    train(encoder("bpe-words"), 1, "model-00002-of-00002.safetensors: no such file")


def changed(d, name, change):
    """A copy of the tiny encoder whose tensors and metadata `change` was given."""
    path = d / name
    tiny_model.write(path)
    file = os.path.join(path, "model.safetensors")
    header, data = tiny_model.read_raw(file)
    data = change(header, data)
    tiny_model.write_raw(file, json.dumps(header).encode(), data)
    return path


def weights_of(d, start, out):
    data = d.write("t.txt", "IMGID:1\nanna\tB-PER\nlives\tO\n\n" * 8)
    r = gm.expect_ok(gm.run("train", "--train", data, "--encoder", start, "-o", d / out, "--epochs", "1",
                            "--precision", "f32", "--threads", "1"))
    with open(os.path.join(d / out, "model.safetensors"), "rb") as f:
        return f.read(), r.err


def test_foreign_heads_are_left_out():
    """Whatever their shapes: the model is that of the encoder without one."""
    def head(rows):
        def change(header, data):
            for name, shape in (("classifier.weight", [rows, tiny_model.HIDDEN]), ("classifier.bias", [rows])):
                n = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
                header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + n]}
                data += b"\1" * n
            return data
        return change
    with gm.Folder() as d:
        tiny_model.write(d / "plain")
        want, said = weights_of(d, d / "plain", "m")
        assert "classifier" not in said
        for rows in (2, 3, 5):
            got, said = weights_of(d, changed(d, f"head{rows}", head(rows)), f"m{rows}")
            assert got == want and said.count("its own classifier (classifier.") == 1, said


def test_tied_tensors_are_found_by_their_other_name():
    words = "embeddings.word_embeddings.weight"
    def tie(header, data):
        header["cls.decoder.weight"] = header.pop(words)
        header["__metadata__"] = {words: "cls.decoder.weight", "format": "pt"}
        return data
    with gm.Folder() as d:
        tiny_model.write(d / "plain")
        assert weights_of(d, changed(d, "tied", tie), "tied-m")[0] == weights_of(d, d / "plain", "m")[0]
        def nowhere(header, data):
            data = tie(header, data)
            header["__metadata__"][words] = words
            return data
        r = gm.run("train", "--train", d / "t.txt", "--encoder", changed(d, "bad", nowhere), "-o", d / "x")
        gm.expect(r, 1, f"tensor {words} is missing")


gm.main(globals())
