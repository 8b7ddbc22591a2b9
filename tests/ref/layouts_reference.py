#!/usr/bin/env python3
"""Vocabularies without tokenizer.json beside transformers: BERTweet's vocab.txt and bpe.codes, RoBERTa's vocab.json and
merges.txt, BERT's and MPNet's vocab.txt.

    layouts_reference.py WORK_DIR [FILE...]

trains small ones on the sentences of tokenizers_reference.py and the texts of FILEs, writes each as a directory as
older tokenizers kept them, and what transformers makes of words and texts as WORK_DIR/NAME.jsonl, for
build/tests/test_tokenizer. Written with transformers 5.23, tokenizers 0.23.3.
"""
import collections
import json
import os
import random
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import BertTokenizer, BertweetTokenizer, MPNetTokenizer, RobertaTokenizer

from tokenizers_reference import CASES, NASTY, SEED, SENTENCES, texts_of


def save(path, name, text):
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "w", encoding="utf-8") as f:
        f.write(text)


def trained(model, trainer, pre, texts):
    tok = Tokenizer(model)
    tok.pre_tokenizer = pre
    tok.train_from_iterator(texts, trainer)
    return json.loads(tok.to_str())["model"]


def bertweet(path, texts, with_counts):
    model = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"),
                    trainers.BpeTrainer(vocab_size=3000, end_of_word_suffix="</w>", special_tokens=["<unk>"]),
                    pre_tokenizers.WhitespaceSplit(), texts)
    counted = "".join(f"{a} {b} {1000 - i}\n" for i, (a, b) in enumerate(model["merges"]))
    save(path, "bpe.codes", counted)
    save(path, "vocab.txt", "x 1\n")
    cutter = BertweetTokenizer(os.path.join(path, "vocab.txt"), os.path.join(path, "bpe.codes"))
    pieces = collections.Counter(p for t in texts for w in t.split() for p in cutter.bpe(w).split(" "))
    # Rare pieces are unknown, and most of what merges join on the way is in no vocabulary.
    words = [(p, n) for p, n in pieces.most_common() if n > 1]
    save(path, "vocab.txt", "".join(f"{p} {n}\n" for p, n in [*words, words[0]]))  # the first one twice
    tok = BertweetTokenizer(os.path.join(path, "vocab.txt"), os.path.join(path, "bpe.codes"))
    if not with_counts:
        save(path, "bpe.codes", "".join(f"{a} {b}\n" for a, b in model["merges"]))
    return tok


def roberta(path, texts):
    model = trained(models.BPE(), trainers.BpeTrainer(
        vocab_size=2000, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), pre_tokenizers.ByteLevel(), texts)
    save(path, "vocab.json", json.dumps(model["vocab"]))
    save(path, "merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in model["merges"]))
    save(path, "tokenizer_config.json", json.dumps({"add_prefix_space": True, "tokenizer_class": "RobertaTokenizer"}))
    save(path, "config.json", json.dumps({"model_type": "roberta"}))
    return RobertaTokenizer.from_pretrained(path)


def bert(path, texts, cased):
    model = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
        vocab_size=2000, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]),
        pre_tokenizers.BertPreTokenizer(), [t if cased else t.lower() for t in texts])
    save(path, "vocab.txt", "".join(w + "\n" for w in sorted(model["vocab"], key=model["vocab"].get)))
    save(path, "tokenizer_config.json", json.dumps({"do_lower_case": not cased, "tokenizer_class": "BertTokenizer"}))
    save(path, "config.json", json.dumps({"model_type": "bert"}))
    return BertTokenizer.from_pretrained(path)


def mpnet(path, texts):
    """WordPiece between RoBERTa's special tokens, whose names only the class says."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    model = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=2000, special_tokens=special),
                    pre_tokenizers.BertPreTokenizer(), [t.lower() for t in texts])
    words = [*sorted(model["vocab"], key=model["vocab"].get), "<mask>"]
    save(path, "vocab.txt", "".join(w + "\n" for w in words))
    save(path, "config.json", json.dumps({"model_type": "mpnet"}))
    return MPNetTokenizer.from_pretrained(path)


def main():
    work, files = sys.argv[1], sys.argv[2:]
    rng = random.Random(SEED)
    texts = [t for p in files for t in texts_of(p)]
    training = [t.replace("\0", "") for t in SENTENCES + CASES + texts]
    odd = ["".join(rng.choice(NASTY) for _ in range(rng.randint(1, 24))) for _ in range(1500)]
    # Python and the tokenizers disagree on what a space is beyond ASCII's and Unicode's; words have none.
    given = [t for t in SENTENCES + CASES + texts + odd + ["aaaaaaaa", "ababababab", "a<mask>b </s> c"]
             if not set(t) & set("\0\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029")]
    made = {"bertweet": lambda p: bertweet(p, training, True), "bertweet-uncounted": lambda p: bertweet(p, training, False),
            "roberta": lambda p: roberta(p, training), "bert-cased": lambda p: bert(p, training, True),
            "bert-uncased": lambda p: bert(p, training, False), "mpnet": lambda p: mpnet(p, training)}
    for name, make in made.items():
        path = os.path.join(work, name)
        tok = make(path)
        with open(path + ".jsonl", "w", encoding="utf-8") as f:
            print(json.dumps({"tokenizer_path": path}), file=f)
            for t in given:
                words = t.split()
                ids = [i for w in words for i in tok(w, add_special_tokens=False)["input_ids"]]
                print(json.dumps({"words": words, "ids": ids}), file=f)
            unknown = tok.unk_token_id
        print(name, len(tok), "pieces;", len(given), "texts; of the last line", ids.count(unknown), "unknown")


if __name__ == "__main__":
    main()
