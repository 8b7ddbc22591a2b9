"""What the tests of annotated files share: masks as COCO counts them, pictures, conversions."""
import json
import struct
import zlib

import gm


def counts_of(mask):
    """COCO's compressed string of rows of 0/1: the COCO API's rleToString, written anew."""
    flat = [mask[y][x] for x in range(len(mask[0])) for y in range(len(mask))]
    runs, value, n = [], 0, 0
    for v in flat:
        if v != value:
            runs.append(n)
            value, n = v, 0
        n += 1
    runs.append(n)
    text = ""
    for i, run in enumerate(runs):
        x = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            c = x & 31
            x >>= 5
            more = x != -1 if c & 16 else x != 0
            text += chr((c | 32 if more else c) + 48)
    return text, runs


def png(w, h):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))
    rows = (b"\0" + b"\x80" * (3 * w)) * h
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def convert(source, target, *more, code=0):
    r = gm.run("data", "convert", source, target, *more)
    assert r.code == code, f"status {r.code}: {r.err}"
    return r


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]
