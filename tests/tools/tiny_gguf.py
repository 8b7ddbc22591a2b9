"""A multimodal model of random weights that llama.cpp's server loads: a text model of one llama layer
(a token a letter or byte) and a LLaVA projector file with one layer of vision. What it says is noise
made of letters; the way of a picture through the server is real. Python's standard library only.

    tiny_gguf.py FOLDER     writes FOLDER/text.gguf and FOLDER/mmproj.gguf (about 300 kB)

Format: GGUF version 3 (ggml/docs/gguf.md of llama.cpp); tensors are f32, dimensions innermost first."""
import os
import random
import struct
import sys
from array import array

WIDTH, FFN, HEADS, CONTEXT = 32, 64, 2, 2048
IMAGE, PATCH = 56, 14  # 16 tokens a picture
LETTERS = ["\u2581"] + [chr(c) for c in (*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1))]
FIRST_LETTER = 3 + 256
CHAT = ("{% for m in messages %}{{ m['role'] + ': ' + m['content'] + ' ' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}")
ALIGN = 32


def text(s):
    data = s.encode()
    return struct.pack("<Q", len(data)) + data


def value(v, signed=False):
    """A metadata value with its type; integers are u32, in lists i32."""
    if isinstance(v, bool):
        return struct.pack("<I?", 7, v)
    if isinstance(v, int):
        return struct.pack("<Ii", 5 if signed else 4, v)
    if isinstance(v, float):
        return struct.pack("<If", 6, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + text(v)
    items = [value(x, True) for x in v]
    return struct.pack("<I", 9) + items[0][:4] + struct.pack("<Q", len(v)) + b"".join(x[4:] for x in items)


def write(path, fields, tensors):
    """fields: name -> value; tensors: name -> (dimensions, floats)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields))
    head += b"".join(text(k) + value(v) for k, v in fields.items())
    data = b""
    for name, (dims, floats) in tensors.items():
        head += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, 0, len(data))
        data += floats.tobytes()
        data += bytes(-len(data) % ALIGN)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % ALIGN) + data)


class Weights(dict):
    def __init__(self, seed):
        super().__init__()
        self._rng = random.Random(seed)

    def normal(self, name, *dims):
        n = 1
        for d in dims:
            n *= d
        self[name] = dims, array("f", (self._rng.gauss(0, 0.3) for _ in range(n)))

    def same(self, name, x, n):
        self[name] = (n,), array("f", [x] * n)


def text_model(path):
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + LETTERS
    w = Weights(1)
    w.normal("token_embd.weight", WIDTH, len(tokens))
    w.normal("output.weight", WIDTH, len(tokens))
    out = w["output.weight"][1]
    for i in range(FIRST_LETTER * WIDTH):
        out[i] = 0  # bytes and the end are never the likeliest: the answer is letters
    w.same("output_norm.weight", 1, WIDTH)
    w.same("blk.0.attn_norm.weight", 1, WIDTH)
    w.same("blk.0.ffn_norm.weight", 1, WIDTH)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        w.normal(f"blk.0.{name}.weight", WIDTH, WIDTH)
    w.normal("blk.0.ffn_gate.weight", WIDTH, FFN)
    w.normal("blk.0.ffn_up.weight", WIDTH, FFN)
    w.normal("blk.0.ffn_down.weight", FFN, WIDTH)
    write(path, {
        "general.architecture": "llama", "general.name": "random", "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH, "llama.block_count": 1, "llama.feed_forward_length": FFN,
        "llama.attention.head_count": HEADS, "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH // HEADS, "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": [-float(i) for i in range(len(tokens))],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * len(LETTERS),
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0, "tokenizer.chat_template": CHAT,
    }, w)


def projector(path):
    w = Weights(2)
    w.normal("v.patch_embd.weight", PATCH, PATCH, 3, WIDTH)
    w.normal("v.class_embd", WIDTH)
    w.normal("v.position_embd.weight", WIDTH, (IMAGE // PATCH) ** 2 + 1)
    for norm in ("v.pre_ln", "v.blk.0.ln1", "v.blk.0.ln2"):
        w.same(norm + ".weight", 1, WIDTH)
        w.same(norm + ".bias", 0, WIDTH)
    for name, n_in, n_out in (("v.blk.0.attn_q", WIDTH, WIDTH), ("v.blk.0.attn_k", WIDTH, WIDTH),
                              ("v.blk.0.attn_v", WIDTH, WIDTH), ("v.blk.0.attn_out", WIDTH, WIDTH),
                              ("v.blk.0.ffn_up", WIDTH, FFN), ("v.blk.0.ffn_down", FFN, WIDTH),
                              ("mm.0", WIDTH, WIDTH), ("mm.2", WIDTH, WIDTH)):
        w.normal(name + ".weight", n_in, n_out)
        w.same(name + ".bias", 0, n_out)
    write(path, {
        "general.architecture": "clip", "general.name": "random", "general.file_type": 0,
        "clip.has_vision_encoder": True, "clip.projector_type": "mlp", "clip.use_gelu": True,
        "clip.vision.image_size": IMAGE, "clip.vision.patch_size": PATCH,
        "clip.vision.embedding_length": WIDTH, "clip.vision.feed_forward_length": FFN,
        "clip.vision.projection_dim": WIDTH, "clip.vision.attention.head_count": HEADS,
        "clip.vision.attention.layer_norm_epsilon": 1e-5, "clip.vision.block_count": 1,
        "clip.vision.image_mean": [0.5, 0.5, 0.5], "clip.vision.image_std": [0.5, 0.5, 0.5],
    }, w)


def main(folder):
    text_model(os.path.join(folder, "text.gguf"))
    projector(os.path.join(folder, "mmproj.gguf"))


if __name__ == "__main__":
    main(sys.argv[1])
