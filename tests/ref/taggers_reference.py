#!/usr/bin/env python3
"""Hugging Face token classifiers beside transformers: taggers_reference.py GMNER BENCH_EMISSIONS WORK_DIR

For every family a small random AutoModelForTokenClassification is saved with a tokenizer trained here, in three
label schemes, one of them in shards. The program reads the directory as it is. Compared are, for posts that are
given in words: the logits of each word's first piece (1e-4), the best labels over the sequences that the scheme
allows, the probability of each entity (the product of its words' softmax), and the calibrated score after `gmner
models calibrate`. Then, what is to be refused, by the message. f32 (ONEDNN_MAX_CPU_ISA), one thread.
"""
import itertools
import json
import math
import os
import random
import shutil
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForTokenClassification, PreTrainedTokenizerFast
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()

GMNER, EMISSIONS, WORK = sys.argv[1:4]
F32 = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
BIO = ["I-PER", "O", "B-LOC", "I-LOC", "B-PER"]
BIOES = ["O", "S-PER", "B-PER", "I-PER", "E-PER", "S-NEWS_LINE", "B-NEWS_LINE", "I-NEWS_LINE", "E-NEWS_LINE"]
BILOU = ["U-PER", "B-PER", "I-PER", "L-PER", "O"]
IO = ["O", "PER", "LOC"]
BERT = {"hidden_size": 36, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 50,
        "max_position_embeddings": 256, "initializer_range": 0.3}
# Family: settings, labels, tokenizer, and whether the checkpoint is cut into shards.
FAMILIES = {
    "bert": ({**BERT, "hidden_act": "gelu_new"}, BIO, "wordpiece", False),
    "roberta": ({**BERT, "type_vocab_size": 1}, BIOES, "bytes", True),
    "xlm-roberta": ({**BERT, "type_vocab_size": 1}, IO, "unigram", False),
    "camembert": ({**BERT, "type_vocab_size": 1, "hidden_act": "relu"}, BIO, "unigram", False),
    "distilbert": ({"dim": 36, "n_layers": 2, "n_heads": 3, "hidden_dim": 50, "max_position_embeddings": 256,
                    "initializer_range": 0.3}, BILOU, "wordpiece", False),
    "electra": ({**BERT, "embedding_size": 20}, BIO, "wordpiece", True),
    "mpnet": (BERT, IO, "wordpiece", False),
    "deberta-v2": ({**BERT, "relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm",
                    "share_att_key": True, "pos_att_type": "p2c|c2p", "position_biased_input": False,
                    "conv_kernel_size": 3, "conv_act": "gelu"}, BIO, "unigram", False),
    "modernbert": ({**BERT, "num_attention_heads": 2, "local_attention": 8, "initializer_cutoff_factor": 2.0}, BIOES,
                   "bytes", False),
}
WORDS = ("Ada Lovelace met Charles Babbage in London on Tuesday , says the Daily Chronicle ; RT @ someone : so good ! "
         "#Paris ünïcode naïveté 東京 costs 3.50 at O'Neill's").split()


def corpus():
    rng = random.Random(5)
    return [[rng.choice(WORDS) for _ in range(rng.choice([1, 3, 9, 17, 30]))] for _ in range(24)]


def make_tokenizer(kind, texts):
    special = {"wordpiece": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]}.get(
        kind, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    first, last = (special[2], special[3]) if kind == "wordpiece" else (special[0], special[2])
    unknown, pad = (special[1], special[0]) if kind == "wordpiece" else (special[3], special[1])
    if kind == "wordpiece":
        t = Tokenizer(models.WordPiece(unk_token=unknown))
        t.normalizer = normalizers.BertNormalizer(lowercase=False)
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=90, special_tokens=special, show_progress=False)
    elif kind == "bytes":
        t = Tokenizer(models.BPE(unk_token=unknown))
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=special, show_progress=False,
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    else:
        t = Tokenizer(models.Unigram())
        t.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=90, special_tokens=special, unk_token=unknown, show_progress=False)
    t.train_from_iterator(texts, trainer)
    ids = [(first, t.token_to_id(first)), (last, t.token_to_id(last))]
    t.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=t, unk_token=unknown, pad_token=pad, cls_token=first, sep_token=last)


def make_model(family, folder, posts):
    settings, labels, kind, shards = FAMILIES[family]
    torch.manual_seed(7)
    tokenizer = make_tokenizer(kind, [" ".join(p) for p in posts])
    config = AutoConfig.for_model(family, vocab_size=len(tokenizer), num_labels=len(labels),
                                  id2label=dict(enumerate(labels)), label2id={x: i for i, x in enumerate(labels)},
                                  pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.cls_token_id,
                                  eos_token_id=tokenizer.sep_token_id, **settings)
    model = AutoModelForTokenClassification.from_config(config, attn_implementation="eager").eval()
    for name, p in model.named_parameters():
        if "norm" not in name.lower() or not name.endswith("weight"):
            torch.nn.init.normal_(p, 0, 2 if "word_embeddings" in name or "tok_embeddings" in name else 0.3)
    with torch.no_grad():  # no label before the others: all of them are found
        rows = torch.tensor([row for p in posts for row in logits_of(model, tokenizer, p)])
        model.classifier.bias -= rows.mean(0)
    model.save_pretrained(folder, **({"max_shard_size": "20KB"} if shards else {}))
    tokenizer.save_pretrained(folder)
    assert os.path.exists(f"{folder}/model.safetensors.index.json") == shards, os.listdir(folder)
    return model, tokenizer


def logits_of(model, tokenizer, words):
    """[words][labels]: those of each word's first piece."""
    encoded = tokenizer([words], is_split_into_words=True, return_tensors="pt")
    at = encoded.word_ids(0)
    with torch.no_grad():
        out = model(input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits[0]
    return [out[at.index(w)].tolist() for w in range(len(words))]


def split(label):
    return (label[0], label[2:]) if len(label) > 2 and label[1] == "-" else (label if label == "O" else "I", label)


OURS = {"L": "E", "U": "S"}


def follows(a, b, scheme):
    """Whether label b may stand behind label a; None is the end or the beginning of the post."""
    pa, ta = (split(a) if a else ("O", ""))
    pb, tb = (split(b) if b else ("O", ""))
    if scheme is IO:
        return True
    if scheme is BIO:
        return pb != "I" or (pa in "BI" and ta == tb)
    pa, pb = OURS.get(pa, pa), OURS.get(pb, pb)
    return pb in "IE" and ta == tb if pa in "BI" else pb not in "IE"


def viterbi(logits, labels, scheme):
    score = [x if follows(None, l, scheme) else -math.inf for x, l in zip(logits[0], labels)]
    back = []
    for row in logits[1:]:
        came = [max(range(len(labels)), key=lambda i: score[i] if follows(labels[i], l, scheme) else -math.inf)
                for l in labels]
        score = [(score[i] if follows(labels[i], l, scheme) else -math.inf) + x for i, l, x in zip(came, labels, row)]
        back.append(came)
    score = [x if follows(l, None, scheme) else -math.inf for x, l in zip(score, labels)]
    path = [max(range(len(labels)), key=lambda i: score[i])]
    for came in reversed(back):
        path.append(came[path[-1]])
    return [labels[i] for i in reversed(path)]


def entities(path):
    """[(first, end, type)] of allowed labels."""
    out = []
    for i, label in enumerate(path):
        prefix, kind = split(label)
        if prefix == "O":
            continue
        if prefix in "BSU" or not out or out[-1][1] != i or out[-1][2] != kind:
            out.append([i, i + 1, kind])
        else:
            out[-1][1] = i + 1
    return [tuple(e) for e in out]


def probability(logits, labels, path, entity):
    first, end, kind = entity
    soft = [torch.softmax(torch.tensor(row, dtype=torch.float64), 0).tolist() for row in logits]
    p = math.prod(soft[i][labels.index(path[i])] for i in range(first, end))
    if labels is IO and first > 0:  # a run begins where the word before is of another class
        p *= 1 - soft[first - 1][labels.index(kind)]
    goes_on = kind if labels is IO else f"I-{kind}"  # BIOES says with its last label that it ends
    if labels in (IO, BIO) and end < len(logits):
        p *= 1 - soft[end][labels.index(goes_on)]
    return p


def run(*args, env=F32, code=0):
    r = subprocess.run(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert r.returncode == code, (args, r.returncode, r.stderr)
    return r.stdout if code == 0 else r.stderr


def check_family(family, posts, path):
    labels = FAMILIES[family][1]
    folder = f"{WORK}/{family}"
    model, tokenizer = make_model(family, folder, posts)
    head, *rows = run(EMISSIONS, folder, path).splitlines()
    ours = json.loads(head)["labels"]
    found = [json.loads(line) for line in
             run(GMNER, "predict", path, "--recipe", "tag", "--tagger", folder, "--precision", "f32").splitlines()]
    worst, n = 0, 0
    for words, row, post in zip(posts, rows, found, strict=True):
        want, got = logits_of(model, tokenizer, words), json.loads(row)
        for w, g in zip(want, got, strict=True):
            for label, x in zip(labels, w):
                prefix, kind = split(label)
                name = label if prefix == "O" else f"{OURS.get(prefix, prefix)}-{kind}"
                worst = max(worst, abs(x - g[ours.index(name)]))
        best = viterbi(want, labels, labels)
        spans, at = entities(best), list(itertools.accumulate([0] + [len(w) + 1 for w in words]))
        have = [(e["start"], e["end"], e["type"]) for e in post["entities"]]
        assert have == [(at[a], at[b] - 1, k) for a, b, k in spans], (family, worst, words, best, have)
        for e, s in zip(post["entities"], spans):
            p = probability(want, labels, best, s)
            assert abs(e["uncertainty"]["marginal"] - p) < 1e-4, (family, e, p)
            n += 1
    assert worst < 1e-4 and n > 10, (family, worst, n)
    print(f"{family}: {sum(map(len, posts))} words, largest difference of a logit {worst:.2g}; {n} entities")
    return found


def check_calibration(folder, path, found):
    """Every second entity is made right: scores then are near one half, whatever the softmax says."""
    gold = f"{WORK}/gold.jsonl"
    with open(gold, "w") as f:
        for i, post in enumerate(found):
            f.write(json.dumps({**post, "entities": [e for k, e in enumerate(post["entities"]) if (i + k) % 2]}) + "\n")
    run(GMNER, "models", "calibrate", folder, "--dev", gold)
    again = [json.loads(line) for line in run(GMNER, "predict", path, "--recipe", "tag", "--tagger", folder).splitlines()]
    scores = [e["score"] for p in again for e in p["entities"]]
    assert scores and abs(sum(scores) / len(scores) - 0.5) < 0.1, scores
    assert [[(e["start"], e["end"]) for e in p["entities"]] for p in again] == \
        [[(e["start"], e["end"]) for e in p["entities"]] for p in found]


def check_refusals(path):
    folder = f"{WORK}/refused"
    shutil.copytree(f"{WORK}/bert", folder, dirs_exist_ok=True)
    with open(f"{folder}/config.json") as f:
        config = json.load(f)
    for change, message in [
            ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, "LABEL_0"),
            ({"id2label": {"0": "POS", "1": "NEG"}}, "there is no O"),
            ({"id2label": {}}, "not a trained tagger"),
            ({"id2label": {"0": "O", "1": "B-X"}}, "classifier.weight has shape [5,36] where [2,36] is needed"),
            ({"architectures": ["BertForSequenceClassification"]}, "BertForSequenceClassification"),
            ({"hidden_act": "mish"}, "mish")]:
        with open(f"{folder}/config.json", "w") as f:
            json.dump({**config, **change}, f)
        err = run(GMNER, "predict", path, "--recipe", "tag", "--tagger", folder, code=1)
        assert message in err and folder in err, (message, err)


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    posts, path = corpus(), f"{WORK}/posts.jsonl"
    with open(path, "w") as f:
        for i, words in enumerate(posts):
            f.write(json.dumps({"id": str(i), "tokens": words, "entities": []}) + "\n")
    for family in (sys.argv[4:] or FAMILIES):
        found = check_family(family, posts, path)
        if family in ("bert", "modernbert"):
            check_calibration(f"{WORK}/{family}", path, found)
    check_refusals(path)


main()
