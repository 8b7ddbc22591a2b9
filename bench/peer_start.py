#!/usr/bin/env python3
"""Start to first result in PyTorch: imports, the model's load, one post tagged and printed.

bench/run.py times the whole process, as a user waits for it.
"""
import argparse
import json

import torch

import peer_model as pm


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True, help="words with blanks between them")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    pm.setup(args)
    words = args.text.split()
    encoded = pm.encode_posts(pm.load_tokenizer(args.model), [(words, [0] * len(words))])
    path = pm.predict(pm.Tagger(args.model).eval(), encoded, 1, args.precision)[0]
    print(json.dumps({"text": args.text, "entities": [
        {"text": " ".join(words[s:e]), "type": t} for s, e, t in sorted(pm.spans(path))]}))


if __name__ == "__main__":
    main()
