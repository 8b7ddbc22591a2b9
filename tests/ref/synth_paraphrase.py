#!/usr/bin/env python3
"""Rules in the place of a language model, for gmner synth --augment: what is measured with it (docs/results.md) is what
the way through the program does and what such crude rewriting is worth to a tagger, never what a model's would be.

    synth_paraphrase.py train.txt plim-train.txt OUT   OUT/N.conll and OUT/N-known.conll for N = 500, 1000, 7000: so many
                                                 posts, evenly spread, without and with knowledge
    synth_paraphrase.py FILE --serve PORT [--contexts]   a chat-completions server for the posts of FILE

Without --contexts a paraphrase is the post with its words thinned: each that is in no entity is left out with a
probability of 0.4, some neighbours change places, some words their case. With --contexts it is another post of FILE
whose entities have the same types in the same order, with this post's names in their places; where there is none, the
post thinned. Knowledge: its sentences in another order, each thinned. The same question has the same answer.
"""
import json
import os
import random
import re
import sys

from synth_replay import serve_answers


def read(path):
    """Posts as (id, words, tags, knowledge)."""
    with open(path, encoding="utf-8") as f:
        blocks = re.split(r"\n[ \t]*\n", f.read().replace("\r\n", "\n").strip("\n"))
    posts = []
    for i, block in enumerate(blocks):
        name, words, tags, known = str(i), [], [], []
        for line in block.split("\n"):
            if line.startswith("IMGID:"):
                name = line[6:]
                continue
            word, _, tag = line.partition("\t")
            if tag == "X":
                known.append(word)
            else:
                words.append(word)
                tags.append(tag)
        posts.append((name, words, tags, known[1:] if known else []))
    return posts


def write(path, posts, known):
    with open(path, "w", encoding="utf-8") as f:
        for name, words, tags, knowledge in posts:
            rows = [*zip(words, tags)] + [(w, "X") for w in (["<EOS>", *knowledge] if known and knowledge else [])]
            f.write(f"IMGID:{name}\n" + "".join(f"{w}\t{t}\n" for w, t in rows) + "\n")


def parts_of(words, tags):
    """[(words, type)]: entities whole, all other words alone with type None."""
    parts = []
    for word, tag in zip(words, tags):
        if tag.startswith("I-") and parts and parts[-1][1] == tag[2:]:
            parts[-1][0].append(word)
        else:
            parts.append(([word], tag[2:] if tag != "O" else None))
    return parts


def thin(parts, rng):
    kept = [p for p in parts if p[1] or rng.random() >= 0.4]
    for i in range(len(kept) - 1):
        if not kept[i][1] and not kept[i + 1][1] and rng.random() < 0.15:
            kept[i], kept[i + 1] = kept[i + 1], kept[i]
    out = []
    for words, kind in kept:
        if not kind and rng.random() < 0.1:
            words = [words[0].swapcase() if len(words[0]) < 2 or not words[0].isupper() else words[0].lower()]
        out.append((words, kind))
    return out


def rewrite(known, rng):
    sentences = [[]]
    for word in known:
        sentences[-1].append(word)
        if word.endswith((".", "!", "?")):
            sentences.append([])
    rng.shuffle(sentences)
    return " ".join(w for s in sentences for w in s if rng.random() >= 0.4 or s.index(w) == 0)


class Paraphraser:
    def __init__(self, posts, contexts):
        self.by_text = {" ".join(words): (parts_of(words, tags), known) for _, words, tags, known in posts}
        self.by_types = {}
        self.contexts = contexts
        for parts, _ in self.by_text.values():
            self.by_types.setdefault(self.types(parts), []).append(parts)

    @staticmethod
    def types(parts):
        return tuple(kind for _, kind in parts if kind)

    def one(self, parts, rng):
        others = self.by_types.get(self.types(parts), [])
        if not self.contexts or len(others) < 2 or not self.types(parts):
            return thin(parts, rng)
        names = iter([p for p in parts if p[1]])
        return [next(names) if p[1] else p for p in rng.choice([o for o in others if o is not parts])]

    def answer(self, text):
        post = re.search(r"^An annotated post: (.*)$", text, re.M)[1]
        n, again = int(re.search(r"Write (\d+) paraphrases", text)[1]), "were refused" in text
        parts, known = self.by_text[post]
        out = []
        for i in range(n):
            rng = random.Random(f"{post} {i} {again}")
            made = self.one(parts, rng)
            out.append({"text": " ".join(w for words, _ in made for w in words),
                        "entities": [{"text": " ".join(words), "type": kind} for words, kind in made if kind]})
            if known:
                out[-1]["knowledge"] = rewrite(known, rng)
        return json.dumps({"sentences": out})


def serve(posts, port, contexts):
    serve_answers(Paraphraser(posts, contexts).answer, port)


def files(plain, known, out):
    os.makedirs(out, exist_ok=True)
    posts = [(name, words, tags, more[3]) for (name, words, tags, _), more in zip(plain, known, strict=True)]
    for n in (500, 1000, 7000):
        some = [posts[i * len(posts) // n] for i in range(n)]
        write(os.path.join(out, f"{n}.conll"), some, False)
        write(os.path.join(out, f"{n}-known.conll"), some, True)


if __name__ == "__main__":
    if sys.argv[2] == "--serve":
        serve(read(sys.argv[1]), int(sys.argv[3]), "--contexts" in sys.argv)
    else:
        files(read(sys.argv[1]), read(sys.argv[2]), sys.argv[3])
