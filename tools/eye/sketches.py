#!/usr/bin/env python3
"""Sketches of cases: where annotation and prediction have their boxes, without the photos, which may not be copied.

    sketches.py GOLD.jsonl PREDICTED.jsonl ID... > docs/eye-cases.svg

Each post is a grey picture of its shape: green are the annotated boxes, orange and dashed the predicted ones, both with
the entity's name; names below are entities without a box on that side. Standard library only; sizes are read from the
JPEG files that the predictions name.
"""
import html
import json
import os
import struct
import sys

CELL, PICTURE, LINE, COLUMNS = 260, 190, 14, 5


def jpeg_size(path):
    """(width, height) from a JPEG's frame header."""
    with open(path, "rb") as f:
        data = f.read()
    at = 2
    while at + 9 < len(data):
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2:at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            h, w = struct.unpack(">HH", data[at + 5:at + 9])
            return w, h
        at += 2 + length
    raise SystemExit(f"{path}: no JPEG")


def read(path):
    with open(path, encoding="utf-8") as f:
        return {str(p["id"]): p for p in map(json.loads, f)}, os.path.dirname(os.path.abspath(path))


def boxes(post, scale):
    """[(name, [scaled boxes])] of the entities."""
    return [(e["text"], [[x * scale for x in r["box"]] for r in e.get("regions", [])]) for e in post["entities"]]


def text(x, y, words, color):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}">{html.escape(words[:38])}</text>'


def cell(left, top, post, size, gold, predicted):
    w, h = size
    scale = min((CELL - 20) / w, PICTURE / h)
    out = [text(left, top + 11, str(post["id"]), "#555"),
           f'<rect x="{left}" y="{top + 16}" width="{w * scale:.1f}" height="{h * scale:.1f}" fill="#eee"/>']
    y = top + 16 + PICTURE + LINE
    for side, color, dash, says in ((gold, "#187a2f", "", "annotated"), (predicted, "#b85400", ' stroke-dasharray="5 3"', "found")):
        none = []
        for name, found in boxes(side, scale):
            for a, b, c, d in found:
                out.append(f'<rect x="{left + a:.1f}" y="{top + 16 + b:.1f}" width="{c - a:.1f}" height="{d - b:.1f}" '
                           f'fill="none" stroke="{color}" stroke-width="2"{dash}/>')
                out.append(text(left + a + 3, top + 16 + (b + 12 if says == "annotated" else d - 4), name, color))
            if not found:
                none.append(name)
        if none:
            out.append(text(left, y, f"{says}, no box: " + ", ".join(none), color))
        y += LINE
    return out


def main():
    gold, folder = read(sys.argv[1])
    predicted, _ = read(sys.argv[2])
    ids, height = sys.argv[3:], PICTURE + 16 + 3 * LINE
    rows = (len(ids) + COLUMNS - 1) // COLUMNS
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * CELL} {rows * height}" '
           f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>']
    for i, key in enumerate(ids):
        post = gold[key]
        path = os.path.join(folder, post["image"])
        out += cell(i % COLUMNS * CELL + 8, i // COLUMNS * height + 2, post, jpeg_size(path), post, predicted[key])
    print("\n".join(out + ["</svg>"]))


main()
