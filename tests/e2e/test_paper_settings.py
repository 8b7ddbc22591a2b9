"""The papers' settings (recipes/train/*-xlmr-large.yaml) for a few steps on random weights of
xlm-roberta-large's shape: 24 layers of width 1024, with a vocabulary cut to that of a golden tokenizer
(the published one has 250,002 rows). Takes 8 GB of memory and 1.2 GB of disk; skipped where there is
less."""
import json
import os
import random
import shutil
import struct
import tempfile

import gm
from posts_data import conll

NEEDED_MEMORY, NEEDED_DISK = 9 << 30, 2 << 30
HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 1024, 24, 16, 4096, 514
GOLDEN = os.path.join(gm.HOME, "tests", "golden", "tokenizers", "unigram.jsonl")
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-papers-")


def room():
    with open("/proc/meminfo", encoding="ascii") as f:
        free = next(int(line.split()[1]) << 10 for line in f if line.startswith("MemAvailable"))
    if free < NEEDED_MEMORY:
        raise gm.Skip(f"{free >> 30} GB of memory free, {NEEDED_MEMORY >> 30} needed")
    if shutil.disk_usage(_dir.name).free < NEEDED_DISK:
        raise gm.Skip(f"less than {NEEDED_DISK >> 30} GB of disk free in {_dir.name}")


def shapes(n_vocab):
    yield "embeddings.word_embeddings.weight", [n_vocab, HIDDEN]
    yield "embeddings.position_embeddings.weight", [POSITIONS, HIDDEN]
    yield "embeddings.token_type_embeddings.weight", [1, HIDDEN]
    yield "embeddings.LayerNorm.weight", [HIDDEN]
    yield "embeddings.LayerNorm.bias", [HIDDEN]
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}."
        for name, rows, cols in (("attention.self.query", HIDDEN, HIDDEN), ("attention.self.key", HIDDEN, HIDDEN),
                                 ("attention.self.value", HIDDEN, HIDDEN), ("attention.output.dense", HIDDEN, HIDDEN),
                                 ("intermediate.dense", INNER, HIDDEN), ("output.dense", HIDDEN, INNER)):
            yield layer + name + ".weight", [rows, cols]
            yield layer + name + ".bias", [rows]
        for name in ("attention.output", "output"):
            yield layer + name + ".LayerNorm.weight", [HIDDEN]
            yield layer + name + ".LayerNorm.bias", [HIDDEN]


def write_weights(path, n_vocab):
    """bf16; matrices are runs of one block of normal numbers (deviation 0.02) from random places on."""
    rng = random.Random(1)
    block = b"".join(struct.pack("<f", rng.gauss(0, 0.02))[2:] for _ in range(1 << 18)) * 2
    header, at, pieces = {}, 0, []
    for name, shape in shapes(n_vocab):
        n = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + n]}
        pieces.append((name, n))
        at += n
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, n in pieces:
            if name.endswith("LayerNorm.weight"):
                f.write(b"\x80\x3f" * (n // 2))
            elif name.endswith("bias"):
                f.write(bytes(n))
            while name.endswith("weight") and "LayerNorm" not in name and n:
                start = 2 * rng.randrange(1 << 18)
                f.write(block[start:start + min(n, 1 << 19)])
                n -= min(n, 1 << 19)


def encoder():
    path = os.path.join(_dir.name, "xlm-roberta-large")
    if os.path.isdir(path):
        return path
    os.makedirs(path)
    with open(GOLDEN, encoding="utf-8") as f:
        tokenizer = json.loads(f.readline())["tokenizer"]
    n = len(tokenizer["model"]["vocab"]) + len(tokenizer["added_tokens"])
    config = {"model_type": "xlm-roberta", "vocab_size": n, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
              "num_attention_heads": HEADS, "intermediate_size": INNER, "hidden_act": "gelu",
              "max_position_embeddings": POSITIONS, "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1,
              "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    for name, value in (("config.json", config), ("tokenizer.json", tokenizer)):
        with open(os.path.join(path, name), "w", encoding="utf-8") as f:
            json.dump(value, f)
    write_weights(os.path.join(path, "model.safetensors"), n)
    return path


def few_steps(recipe, n_posts, n_steps):
    room()
    with gm.Folder() as d:
        gm.expect_ok(gm.run("train", "--config", os.path.join(gm.HOME, "recipes", "train", recipe), "--encoder",
                            encoder(), "--train", d.write("train.txt", conll(n=n_posts)), "--epochs", "1", "-o",
                            d / "model"))
        with open(d / "model/metrics.jsonl", encoding="utf-8") as f:
            last = json.loads(f.read().splitlines()[-1])
        assert last["step"] == n_steps and 0 < last["loss"] < 100, last
        with open(d / "model/gmner.json", encoding="utf-8") as f:
            settings = json.load(f)
        assert settings["scheme"] == "bioes" and settings["types"] == ["LOC", "PER"], settings
        # as the papers' code runs: a word is its first piece, without its case, and nothing is hidden in training
        assert settings["pooling"] == "first" and settings["case"] is False, settings
        assert settings["training"]["word_dropout"] == 0, settings
        r = gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / "model", "--text", "Anna lives in Rome ."))
        assert "entities" in r.posts[0], r.out


def test_riveg():
    few_steps("riveg-xlmr-large.yaml", 12, 3)


def test_refineg():
    few_steps("refineg-xlmr-large.yaml", 64, 2)


gm.main(globals())
