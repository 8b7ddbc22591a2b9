"""An encoder with a larger vocabulary: the same weights, its word embeddings repeated."""
import json
import os
import shutil
import struct

TABLE = "embeddings.word_embeddings.weight"


def widen(encoder, out, rows):
    """Write to `out` the Hugging Face directory `encoder` with `rows` words; returns `out`. The new
    words are of a form that no text has, so that both directories make the same ids of a text."""
    done = os.path.join(out, "config.json")
    if os.path.exists(done):
        return out
    os.makedirs(out, exist_ok=True)
    with open(f"{encoder}/tokenizer.json", encoding="utf-8") as f:
        tokenizer = json.load(f)
    vocab = tokenizer["model"]["vocab"]
    vocab.update({f"\ue000{i}": i for i in range(len(vocab), rows)})
    with open(f"{out}/tokenizer.json", "w", encoding="utf-8") as f:
        json.dump(tokenizer, f)
    widen_table(f"{encoder}/model.safetensors", f"{out}/model.safetensors", rows)
    with open(f"{encoder}/config.json", encoding="utf-8") as f:
        config = json.load(f)
    with open(f"{done}.part", "w", encoding="utf-8") as f:
        json.dump({**config, "vocab_size": rows}, f)
    os.replace(f"{done}.part", done)
    return out


def widen_table(source, target, rows):
    with open(source, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        start = f.tell()
        header.pop("__metadata__", None)
        old_rows, width = header[TABLE]["shape"]
        at, new = 0, {}
        for name, t in header.items():
            size = t["data_offsets"][1] - t["data_offsets"][0]
            shape = t["shape"]
            if name == TABLE:
                size, shape = size // old_rows * rows, [rows, width]
            new[name] = {**t, "shape": shape, "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(new).encode()
        text += b" " * (-len(text) % 8)
        with open(target, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for name, t in header.items():
                f.seek(start + t["data_offsets"][0])
                data = f.read(t["data_offsets"][1] - t["data_offsets"][0])
                want = new[name]["data_offsets"][1] - new[name]["data_offsets"][0]
                out.write((data * (want // len(data) + 1))[:want])
