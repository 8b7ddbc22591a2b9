#!/usr/bin/env python3
"""Write tests/golden/seqeval.txt: what seqeval says about generated tag sequences.

Run with seqeval 1.2.2 and numpy installed:  python3 tests/ref/seqeval_reference.py > tests/golden/seqeval.txt

The sequences are not stored: tests/unit/test_eval_seqeval.c draws the same ones from the same
generator (xoshiro256** seeded by splitmix64; src/base/rng.c). Each line is one batch of BATCH
gold/predicted pairs under one mode:

    batch mode | TYPE tp n_pred n_gold ... | precision recall f1

mode: conlleval = seqeval's default, over any mix of BIO and BIOES tags; bio, bioes, iob1 =
mode="strict" with scheme IOB2, IOBES and IOB1. tp, n_pred, n_gold are counted over seqeval's own entities; precision,
recall and f1 are its micro averages.
"""
import itertools
import warnings

from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB1, IOB2, IOBES, Entities

warnings.filterwarnings("ignore")

MASK = (1 << 64) - 1
SEED, BATCHES, BATCH, LONGEST = 20250, 520, 20, 12
TYPES = ["PER", "LOC", "ORG", "a-b"]
MODES = [("conlleval", "BIES"), ("bio", "BI"), ("bioes", "BIES"), ("iob1", "BI")]
SCHEMES = {"bio": IOB2, "bioes": IOBES, "iob1": IOB1}


class Rng:
    """xoshiro256**, as src/base/rng.c."""

    def __init__(self, seed):
        self.s = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            self.s.append(z ^ (z >> 31))

    def u64(self):
        s = self.s
        x = (s[1] * 5) & MASK
        result = (((x << 7) | (x >> 57)) * 9) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = ((s[3] << 45) | (s[3] >> 19)) & MASK
        return result

    def below(self, n):
        return (self.u64() >> 32) % n


def draw_tag(rng, prefixes):
    if rng.below(4) == 0:
        return "O"
    return prefixes[rng.below(len(prefixes))] + "-" + TYPES[rng.below(len(TYPES))]


def draw_pair(rng, prefixes):
    """Gold at random; the prediction keeps most of its tags."""
    gold = [draw_tag(rng, prefixes) for _ in range(rng.below(LONGEST + 1))]
    pred = [draw_tag(rng, prefixes) if rng.below(5) == 0 else t for t in gold]
    return gold, pred


def entities(mode, sequences):
    if mode == "conlleval":
        return {(i, t, a, b + 1) for i, s in enumerate(sequences) if s for t, a, b in get_entities(s)}
    found = itertools.chain(*Entities(sequences, SCHEMES[mode]).entities)
    return {(e.sent_id, e.tag, e.start, e.end) for e in found}


def main():
    rng = Rng(SEED)
    for batch in range(BATCHES):
        mode, prefixes = MODES[batch % len(MODES)]
        pairs = [draw_pair(rng, prefixes) for _ in range(BATCH)]
        gold, pred = [list(x) for x in zip(*pairs)]
        g, p = entities(mode, gold), entities(mode, pred)
        parts = []
        for t in sorted({e[1] for e in g | p}):
            of = lambda s: {e for e in s if e[1] == t}
            parts.append(f"{t} {len(of(g) & of(p))} {len(of(p))} {len(of(g))}")
        kw = {} if mode == "conlleval" else {"mode": "strict", "scheme": SCHEMES[mode]}
        scores = [f(gold, pred, average="micro", zero_division=0, **kw)
                  for f in (precision_score, recall_score, f1_score)]
        print(batch, mode, "|", " ".join(parts), "|", *[repr(float(x)) for x in scores])


if __name__ == "__main__":
    main()
