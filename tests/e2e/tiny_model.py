"""A tiny BERT-type encoder as a Hugging Face directory, and safetensors files with chosen faults; for
tests of the program. Python's standard library only."""
import json
import os
import random
import struct

WORDS = ("anna bert carla berlin paris rome lives in visits the a and is with today @ # _ . , ! ' s "
         "rt : http / moon big red").split()
HIDDEN, HEADS, INNER, POSITIONS = 32, 2, 64, 64


def vocabulary():
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + [str(d) for d in range(10)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    for letter in letters:
        pieces += [p for p in (letter, "##" + letter) if p not in pieces]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def tokenizer(vocab):
    special = [{"id": vocab[t], "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True}
               for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    return {
        "version": "1.0",
        # As in the base package: settings of training that must not cut anything here.
        "truncation": {"direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": None,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": special,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                     {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}},
                     {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [vocab[t]], "tokens": [t]}
                               for t in ("[CLS]", "[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab},
    }


def shapes(n_vocab):
    h, layer = HIDDEN, "encoder.layer.0."
    out = {"embeddings.word_embeddings.weight": [n_vocab, h],
           "embeddings.position_embeddings.weight": [POSITIONS, h],
           "embeddings.token_type_embeddings.weight": [2, h],
           "embeddings.LayerNorm.weight": [h], "embeddings.LayerNorm.bias": [h]}
    for name, rows, cols in (("attention.self.query", h, h), ("attention.self.key", h, h),
                             ("attention.self.value", h, h), ("attention.output.dense", h, h),
                             ("intermediate.dense", INNER, h), ("output.dense", h, INNER)):
        out[layer + name + ".weight"] = [rows, cols]
        out[layer + name + ".bias"] = [rows]
    for name in ("attention.output", "output"):
        out[layer + name + ".LayerNorm.weight"] = [h]
        out[layer + name + ".LayerNorm.bias"] = [h]
    return out


def write(directory):
    """A model directory with random weights (always the same)."""
    rng = random.Random(1)
    os.makedirs(directory, exist_ok=True)
    vocab = vocabulary()
    config = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(vocab),
              "hidden_size": HIDDEN, "num_hidden_layers": 1, "num_attention_heads": HEADS,
              "intermediate_size": INNER, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
              "attention_probs_dropout_prob": 0.1, "max_position_embeddings": POSITIONS,
              "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0,
              "position_embedding_type": "absolute"}
    for name, value in (("config.json", config), ("tokenizer.json", tokenizer(vocab))):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
            json.dump(value, f)
    tensors = {}
    for name, shape in shapes(len(vocab)).items():
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        if name.endswith("LayerNorm.weight"):
            values = [1.0] * n
        elif name.endswith("bias"):
            values = [0.0] * n
        else:
            values = [rng.gauss(0, 0.05) for _ in range(n)]
        tensors[name] = ("F32", shape, struct.pack(f"<{n}f", *values))
    write_tensors(os.path.join(directory, "model.safetensors"), tensors)


def write_tensors(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, payload) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(payload)]}
        data += payload
    write_raw(path, json.dumps(header).encode(), data)


def write_raw(path, header, data, claimed=None):
    header += b" " * (-len(header) % 8)  # so that tensors are aligned, as the library does it
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header) if claimed is None else claimed) + header + data)


def read_raw(path):
    """(header as a dict, data) of a safetensors file."""
    with open(path, "rb") as f:
        blob = f.read()
    n = struct.unpack("<Q", blob[:8])[0]
    return json.loads(blob[8:8 + n]), blob[8 + n:]


def tensors(path):
    """{name: (type, shape, bytes)}, which write_tensors takes, of a safetensors file or that of a model's directory."""
    header, data = read_raw(os.path.join(path, "model.safetensors") if os.path.isdir(path) else path)
    return {name: (e["dtype"], e["shape"], data[slice(*e["data_offsets"])]) for name, e in header.items() if name != "__metadata__"}


def floats(tensor):
    """The numbers of one of these, of BF16, F16 or F32."""
    kind, _, raw = tensor
    if kind == "BF16":
        raw = b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2))
    return struct.unpack(f"<{len(raw) // 2}e" if kind == "F16" else f"<{len(raw) // 4}f", raw)


def write_entail(directory):
    """A classifier of entailment over such an encoder, trained for a moment on made-up posts."""
    import gm  # the other helpers do without the program

    with gm.Folder() as d:
        box = ("<annotation><object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
               "</bndbox></object></annotation>")
        lines = []
        for i in range(48):
            lines.append(f"IMGID:{i}\n{'Anna' if i % 2 else 'Rome'}\tB-{'PER' if i % 2 else 'LOC'}\nis\tO\nred\tO\n\n")
            if i % 3:
                d.write(f"xml/{i}.xml", box.format("Anna" if i % 2 else "Rome"))
        write(d / "encoder")
        data = d.write("train.txt", "".join(lines))
        gm.expect_ok(gm.run("train", "--task", "entail", "--train", data, "--dev", data, "--xml", d / "xml", "-o", directory,
                            "--encoder", d / "encoder", "--epochs", "1", "--threads", "1"))
