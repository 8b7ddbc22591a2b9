"""The tagger that gmner's is compared with, in PyTorch: the same encoder, features, head and CRF.

hidden state of a word's first piece (+) a 32-dim embedding of the word's case class
  -> dropout -> linear -> emission scores [K=9] -> linear-chain CRF over the post's words

Shared by peer_train.py, peer_predict.py and peer_start.py. It is written to be fast in PyTorch:
scaled_dot_product_attention, posts of like length in a batch, CRF vectorised over the batch.
"""
import json
import os
import random
import statistics

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from tokenizers import Tokenizer
from torch import nn

LABELS = ["O"] + [f"{p}-{t}" for t in ("PER", "LOC", "ORG", "OTHER") for p in "BI"]
CASE_DIM = 32
N_CASES = 8


def read_conll(path):
    """[(words, labels)] of a file with `IMGID:` lines and `word<TAB>label` lines."""
    posts, words, labels = [], [], []
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            line = line.rstrip("\r\n")
            if line.startswith("IMGID:"):
                continue
            if line:
                word, label = line.rsplit("\t", 1)
                words.append(word)
                labels.append(LABELS.index(label))
            elif words:
                posts.append((words, labels))
                words, labels = [], []
    if words:
        posts.append((words, labels))
    return posts


def case_class(word):
    """What an uncased vocabulary loses: 0 lower, 1 Initial, 2 CAPS, 3 mIxed, 4 one capital,
    5 digits only, 6 letters and digits, 7 neither letter nor digit."""
    letters = [c for c in word if c.isalpha()]
    n_digits = sum(c.isdigit() for c in word)
    n_upper = sum(c.isupper() for c in letters)
    if not letters:
        return 5 if n_digits else 7
    if n_digits:
        return 6
    if n_upper == 0:
        return 0
    if n_upper == len(letters):
        return 2 if len(letters) > 1 else 4
    return 1 if letters[0].isupper() and n_upper == 1 else 3


class Encoded:
    """One post as the model takes it: piece ids with [CLS] and [SEP], each word's first piece."""

    def __init__(self, ids, firsts, cases, labels):
        self.ids, self.firsts, self.cases, self.labels = ids, firsts, cases, labels


def load_tokenizer(model_dir):
    tokenizer = Tokenizer.from_file(f"{model_dir}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def encode_posts(tokenizer, posts):
    """Every word is tokenized alone; a word without pieces (an emoji's joiner) becomes [UNK]."""
    cls, sep, unk = (tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]", "[UNK]"))
    words = [w for p, _ in posts for w in p]
    pieces = iter(tokenizer.encode_batch(words, add_special_tokens=False))
    out = []
    for post_words, labels in posts:
        ids, firsts = [cls], []
        for _ in post_words:
            firsts.append(len(ids))
            ids += next(pieces).ids or [unk]
        out.append(Encoded(ids + [sep], firsts, [case_class(w) for w in post_words], labels))
    return out


def pad(rows, value=0):
    """Lists of numbers -> int64 [len(rows), longest]."""
    width = max(len(r) for r in rows)
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def collate(batch):
    """[Encoded] -> dict of [B,L] (pieces) and [B,T] (words) tensors."""
    return {
        "ids": pad([e.ids for e in batch]),
        "mask": pad([[1] * len(e.ids) for e in batch]),
        "firsts": pad([e.firsts for e in batch]),
        "cases": pad([e.cases for e in batch]),
        "labels": pad([e.labels for e in batch]),
        "words": pad([[1] * len(e.firsts) for e in batch]).bool(),
    }


def by_length(encoded, size):
    """Index batches of posts of like length, longest first."""
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i].ids))
    return [order[i:i + size] for i in range(0, len(order), size)]


def shuffled(encoded, size, rng, bucket=False):
    """Index batches in random order; with `bucket`, each of posts of like length."""
    order = list(range(len(encoded)))
    rng.shuffle(order)
    if bucket:  # sorting within 50 batches keeps most of the randomness
        span = 50 * size
        order = sum((sorted(order[i:i + span], key=lambda j: len(encoded[j].ids))
                     for i in range(0, len(order), span)), [])
    batches = [order[i:i + size] for i in range(0, len(order), size)]
    if bucket:
        rng.shuffle(batches)
    return batches


class Crf(nn.Module):
    """Linear-chain CRF over B padded sequences at once; f32. Lafferty et al., ICML 2001."""

    def __init__(self, n_labels):
        super().__init__()
        self.trans = nn.Parameter(torch.zeros(n_labels, n_labels))  # [from, to]
        self.start = nn.Parameter(torch.zeros(n_labels))
        self.end = nn.Parameter(torch.zeros(n_labels))

    def nll(self, emit, labels, mask):
        """-log p(labels), mean over posts. emit [B,T,K], labels [B,T], mask [B,T] bool."""
        return (self._log_z(emit, mask) - self._score(emit, labels, mask)).mean()

    def _score(self, emit, labels, mask):
        m = mask.float()
        score = (emit.gather(2, labels.unsqueeze(2)).squeeze(2) * m).sum(1)
        score = score + (self.trans[labels[:, :-1], labels[:, 1:]] * m[:, 1:]).sum(1)
        last = labels.gather(1, mask.sum(1, keepdim=True) - 1).squeeze(1)
        return score + self.start[labels[:, 0]] + self.end[last]

    def _log_z(self, emit, mask):
        alpha = self.start + emit[:, 0]
        for t in range(1, emit.shape[1]):
            step = torch.logsumexp(alpha.unsqueeze(2) + self.trans, 1) + emit[:, t]
            alpha = torch.where(mask[:, t:t + 1], step, alpha)
        return torch.logsumexp(alpha + self.end, 1)

    def viterbi(self, emit, mask):
        """The best label path of each sequence, as lists."""
        best, back = self.start + emit[:, 0], []
        for t in range(1, emit.shape[1]):
            score, source = (best.unsqueeze(2) + self.trans).max(1)
            best = torch.where(mask[:, t:t + 1], score + emit[:, t], best)
            back.append(source)
        last = (best + self.end).argmax(1).tolist()
        back = torch.stack(back).tolist() if back else []
        paths = []
        for b, n in enumerate(mask.sum(1).tolist()):
            path = [last[b]]
            for t in range(n - 2, -1, -1):
                path.append(back[t][b][path[-1]])
            paths.append(path[::-1])
        return paths


def is_mpnet(model_dir):
    with open(f"{model_dir}/config.json", encoding="utf-8") as f:
        return json.load(f)["model_type"] == "mpnet"


def with_adapters(encoder, rank):
    """peft's LoRA on every linear layer; all else of the encoder frozen. Its factors are f32 whatever the base is."""
    from peft import LoraConfig, get_peft_model
    linear = [n for n, m in encoder.named_modules() if isinstance(m, nn.Linear)]
    return get_peft_model(encoder, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linear))


class Tagger(nn.Module):
    def __init__(self, model_dir, freeze_embeddings=False, head_dropout=0.1, lora=0, base_bf16=False):
        super().__init__()
        from transformers import AutoModel
        from transformers.utils import logging
        logging.disable_progress_bar()
        attention = {} if is_mpnet(model_dir) else {"attn_implementation": "sdpa"}  # MPNet has one way only
        self.encoder = AutoModel.from_pretrained(model_dir, add_pooling_layer=False, **attention,
                                                 dtype=torch.bfloat16 if base_bf16 else torch.float32)
        if lora:
            self.encoder = with_adapters(self.encoder, lora)
        if freeze_embeddings:
            self.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
        self.cases = nn.Embedding(N_CASES, CASE_DIM)
        self.dropout = nn.Dropout(head_dropout)
        self.head = nn.Linear(self.encoder.config.hidden_size + CASE_DIM, len(LABELS))
        self.crf = Crf(len(LABELS))

    def emissions(self, batch):
        """Scores [B,T,K] in f32."""
        hidden = self.encoder(batch["ids"], attention_mask=batch["mask"]).last_hidden_state
        return self.emissions_from(hidden, batch)

    def emissions_from(self, hidden, batch):
        index = batch["firsts"].unsqueeze(2).expand(-1, -1, hidden.shape[2])
        words = torch.cat([hidden.gather(1, index), self.cases(batch["cases"]).to(hidden.dtype)], 2)
        return self.head(self.dropout(words)).float()

    def loss(self, batch):
        return self.crf.nll(self.emissions(batch), batch["labels"], batch["words"])


def autocast(precision):
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")


def spans(path):
    """{(start, end, type)} of a label path, as seqeval's default reads BIO (conlleval's rule)."""
    out, start, kind = set(), None, None
    for i, label in enumerate([LABELS[k] for k in path] + ["O"]):
        prefix, _, this = label.partition("-")
        if start is not None and (prefix != "I" or this != kind):
            out.add((start, i, kind))
            start = None
        if prefix != "O" and start is None:
            start, kind = i, this
    return out


def f1_of(gold_paths, paths):
    gold = [spans(p) for p in gold_paths]
    pred = [spans(p) for p in paths]
    tp = sum(len(g & p) for g, p in zip(gold, pred))
    n_gold, n_pred = sum(map(len, gold)), sum(map(len, pred))
    return {"tp": tp, "n_pred": n_pred, "n_gold": n_gold,
            "f1": 2 * tp / max(1, n_gold + n_pred)}


@torch.inference_mode()
def predict(model, encoded, size, precision):
    """Label paths in the order of `encoded`; batches of posts of like length."""
    paths = [None] * len(encoded)
    for index in by_length(encoded, size):
        batch = collate([encoded[i] for i in index])
        with autocast(precision):
            emit = model.emissions(batch)
        for i, path in zip(index, model.crf.viterbi(emit, batch["words"])):
            paths[i] = path
    return paths


def about(args):
    """What every result line says of the run."""
    return {"threads": torch.get_num_threads(), "precision": args.precision,
            "torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


def setup(args):
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    return random.Random(args.seed)


def report(result):
    print(json.dumps(result), flush=True)


def median(values):
    return statistics.median(values)
