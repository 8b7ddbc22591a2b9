#!/usr/bin/env python3
"""The five folds of the tweets annotated by eye, one "ID FOLD" a line, by the ids alone.

    folds.py gold-by-eye.jsonl > folds.txt

A post's fold is SHA-256 of its id, as one number, modulo 5: it doesn't depend on the order of the
file or on the other posts. folds.txt is what this wrote; whatever is fitted or chosen on these posts
is cross-validated over those folds. Only the standard library is needed.
"""
import hashlib
import json
import sys

FOLDS = 5


def fold_of(post_id):
    return int(hashlib.sha256(post_id.encode()).hexdigest(), 16) % FOLDS


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n\n")[1].strip())
    with open(sys.argv[1], encoding="utf-8") as f:
        for post_id in sorted((json.loads(line)["id"] for line in f if line.strip()), key=lambda i: (len(i), i)):
            print(post_id, fold_of(post_id))


if __name__ == "__main__":
    main()
