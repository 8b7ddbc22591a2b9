#!/usr/bin/env python3
"""What Hugging Face's `tokenizers` library makes of texts: the truth for tests/unit/test_tokenizer.c.

    tokenizers_reference.py golden DIR [NAME...]              tests/golden/tokenizers
    tokenizers_reference.py run TOKENIZER.json OUT FILE...    the adversarial corpus and the texts of files
    tokenizers_reference.py live DIR [FILE...]                larger vocabularies, the whole nmt_nfkc map
    tokenizers_reference.py time TOKENIZER.json REFERENCE     the library's speed, one thread
    build/tests/test_tokenizer REFERENCE...              compare by hand

FILE is JSON Lines with a "text" a line, or CoNLL (*.txt: every token is a text, and every post the
tokens joined by spaces, also as words of a text that was split already). Truncation and padding are
switched off, special tokens are not added. A reference file is JSON Lines: first the origin, with
the tokenizer itself or its path; then {"text" or "words", "ids", "offsets": [start, end, start, …]}
with offsets in code points, in words from each word's start. `golden` trains its vocabularies (Unigram and
BPE by tokenizers, a character map by sentencepiece) on the corpus below; `live` on FILEs too.
Written with tokenizers 0.23.3, sentencepiece 0.2.3, Python 3.11; everything has a fixed seed.
"""
import base64
import io
import json
import os
import random
import sys
import time

import tokenizers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

SEED = 20150909

CASES = [
    "", " ", "\n", "a", "Hello, world!", "don't  stop\tbelieving\r\nhold on",
    "RT @user: loving #London — so good… http://t.co/p47YO61bam &amp; more",
    "U.S. 1,000.50 10:30 50% $5 a_b C++ e-mail@example.org",
    "é è ü ñ Å ç İ ı ß ẞ ǅ ŉ ﬁ ﬀ Ω K Å", "e\u0301 a\u0300\u0323 a\u0323\u0300 q\u0307\u0323",
    "naïve café Zoë Beyoncé Motörhead", "İstanbul IĞDIR",
    "\U0001F600 \U0001F468\u200d\U0001F469\u200d\U0001F467 \U0001F1EC\U0001F1E7 \u2764\ufe0f "
    "\U0001F44D\U0001F3FD 1\ufe0f\u20e3", "\ufe0f", "\u200b\u200d\u2060", "a\u200bb a\u00adb a\u2060b",
    "\u202eabc\u202c \u2067def\u2069 \u061c", "\ufeffhello\ufeff", "x\ufffdy \ufffd\ufffd z", "\x00a\x01b\x7fc\x85d",
    "\u00a0a\u2003b\u3000c\u2028d\u2029e\u1680f\u180eg\u205fh\u0085i\vj\fk\x1cl",
    "日本語とEnglish混ぜ 漢字 カタカナ ひらがな ﾊﾝｶｸ 豈 \U0002F800 \U00020000 \U0002B820 \U0002B920 \U00030000",
    "한국어 각 \u1100\u1161\u11a8 \u302e한\u302f", "ภาษาไทย กำลัง น้ำ", "हिन्दी क्षि ड़ क़", "العربيّة مُحَمَّد ﷺ لا",
    "שָׁלוֹם עולם", "Ελληνικά Όμηρος ΣΊΣΥΦΟΣ", "Привет Ёлка й ѐ", "Tiếng Việt ở đây Ậ",
    "\u0f71\u0f72 \u0f73 \u0f75\u0f81 ཧཱུྃ", "\u1b44\u1b34\u1b35 ᬓ᭄ᬓ", "\U0001D15E\U0001D165\U0001D16E \U0001D1BF",
    "a\u0301\u302e\u0323\u302fb", "\u0344 \u0340 \u0343 \u2126 \u1fbe \u0958",
    "\u1734 \u166d \U000111c9 \U00011938 \u0890x \U00010EAD \u2e5d \u1ac0 \u07fd \U0001E94A \ua69e\ua8c5",
    "[CLS] a [SEP] b [MASK] [PAD] [UNK] [cls] [SEP", "[SEP][SEP]x[MASK]y", "[[SEP]]", "ＦＵＬＬ　ｗｉｄｔｈ！",
    "“quotes” ‘single’ «guillemets» ¿qué? ¡sí! ‹x› – — … · • § ¶ † ′ ″", "` ^ ~ | \\ < > = + $ ¢ £ € ¥ © ® ™ ° ± ×",
    "½ ² ³ ¹ № ℃ Ⅳ ⅳ ① ㊙ ㌔ ㎏", "##ing ##", "unaffable", "xqzj" * 20, "x" * 100, "x" * 101, "é" * 100, "é" * 101,
    "漢" * 12, "e" + "\u0301" * 60, "\u0301\u0323" * 30 + "x", "!" * 30, "supercalifragilisticexpialidocious",
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "ǆungla ǈubav ǋegoš", "\u0345 ᾳ ᾼ ᾀ ῼ",
    "ʼn 'n' l’homme aujourd'hui rock'n'roll", "\ue000 \uf8ff \U000F0000 \U0010FFFF \ufdd0 \uffff", "a\u034fb c\u034f\u0301d",
    "a  b   c", "  leading and trailing  ", "I'll we've don't 'tis '' they'd 's", "one1two22 3.14 x²³ ٣٤ Ⅷ",
    "a\u0308\u0323\u0308 o\u0328\u0304 \u1e9b\u0323 \ufb03 \u2460\u33a8 \ufdfa \u1100\u1161\u11a8 \uac00\u11a8",
    "\r\n\n\r a\r\nb", "\x01abc \x02\u200bx", "a\u0300b\u0301\u0302 1\u20e3 e\ufe0f \u0600a \u0e33 \u0915\u094d\u0937",
    "<s> x </s> <mask> y <unk>  <mask>  ", "<s></s>", "<unk>", "▁▁under ▁ ▁bar", "x<mask>", "\U0001F3F4\U000E0067\U000E0062\U000E007F",
    "\u1c89 \ua7cb \U00010D50 \U00016EA0 \u2c2f", "\u32ff \ua7f2 \U0001F16C \ud7a4 \u0f73\u0f72",
    "\u0301\x7f\U0001D16Ea", "a\u0301\u200d\U0001D165\x01\u0323b", "\u1abf\u0301 \u0d3b\u0323",
]

NASTY = (list("abcABC019 .,'#@_-[]!") + list("éÅİñßẞǅﬁ漢字かカ한각ไทยกำنעडि")
         + [chr(c) for c in (0x300, 0x301, 0x323, 0x327, 0x345, 0x34F, 0x302E, 0x302F, 0x1B44, 0x0F71, 0x0F73,
                             0x1D165, 0x1D16E, 0x200B, 0x200D, 0xFE0F, 0x202E, 0xFEFF, 0xFFFD, 0xA0, 0x2003, 0x3000,
                             0x85, 0x7F, 1, 9, 10, 0x1F600, 0x1F1EC, 0x1F3FD, 0x20000, 0xE000, 0x1734, 0x11938,
                             0x61D, 0x890, 0x1F82, 0x1E9B, 0x2F800, 0xF900, 0x0958, 0x2126)])


def texts_of(path):
    if not path.endswith(".txt"):
        with open(path, encoding="utf-8", errors="replace") as f:
            return [json.loads(line)["text"] for line in f if line.strip()]
    out, words, seen = [], [], set()
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in list(f) + ["\n"]:
            word = line.rstrip("\n").split("\t")[0]
            if not line.strip():
                out.append(" ".join(words))
                words = []
            elif not word.startswith("IMGID:"):
                words.append(word)
                if word not in seen:
                    seen.add(word)
                    out.append(word)
    return out


def corpus(n_random=150):
    rng = random.Random(SEED)
    return CASES + ["".join(rng.choice(NASTY) for _ in range(rng.randint(1, 24))) for _ in range(n_random)]



SENTENCES = """The quick brown fox jumps over the lazy dog while London waits for the rain to stop.
Angela Merkel visited the United Nations in New York on Tuesday, Reuters reported from Berlin.
Der schnelle braune Fuchs springt über den faulen Hund; die Straße ist naß und größer als früher.
El niño comió una manzana en São Paulo y después viajó a Ñuñoa, ¿verdad? ¡Claro que sí!
L'été dernier, à l'hôtel, nous avons mangé des œufs brouillés et une crème brûlée près de Besançon.
Быстрая коричневая лиса перепрыгивает через ленивую собаку, а Москва ждёт весны и ёлки.
敏捷的棕色狐狸跳过了懒狗，北京和上海的天气都很好。日本語の文章も少しだけ混ぜてみます。カタカナ。
한국어 문장도 조금 넣어 봅시다 서울에서 부산까지 기차를 타고 갑니다.
ภาษาไทยไม่มีช่องว่างระหว่างคำ กรุงเทพมหานครเป็นเมืองใหญ่ น้ำดื่มสะอาด
हिन्दी में यह एक वाक्य है और दिल्ली भारत की राजधानी है क्षत्रिय।
السلام عليكم ورحمة الله وبركاته، القاهرة مدينة كبيرة ومزدحمة في مصر.
שלום עולם, ירושלים היא עיר עתיקה מאוד.
RT @someone: can't believe #WorldCup2014 http://t.co/abc 😀 😂 ❤️ so good!!! lol &amp; more
Tôi đang học tiếng Việt ở Hà Nội và Thành phố Hồ Chí Minh rất đẹp.""".split("\n")

CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def added(name, **options):
    return tokenizers.AddedToken(name, special=True, normalized=False, **options)


def unigram(texts, size, pre, normalizer):
    """A Unigram vocabulary [(token, score)] that starts with SPECIAL."""
    tok = Tokenizer(models.Unigram())
    tok.normalizer = normalizer
    tok.pre_tokenizer = pre
    tok.train_from_iterator(texts, trainers.UnigramTrainer(
        vocab_size=size, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False, max_piece_length=12))
    # The trainer's numbers vary in their last digits: as written they are what counts.
    return [(t, round(score, 6)) for t, score in json.loads(tok.to_str())["model"]["vocab"]]


def bpe(texts, size, pre, normalizer=None, **options):
    """A trained BPE tokenizer; `options` go to the model and, where it knows them, to the trainer."""
    known = {k: v for k, v in options.items() if k in ("continuing_subword_prefix", "end_of_word_suffix")}
    tok = Tokenizer(models.BPE(**options))
    if normalizer:
        tok.normalizer = normalizer
    tok.pre_tokenizer = pre
    byte_level = isinstance(pre, pre_tokenizers.ByteLevel) or "ByteLevel" in repr(pre)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet()) if byte_level else []
    tok.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False, **known))
    return tok


def charsmap(rules=None):
    """The character map of a sentencepiece model: nmt_nfkc, or one of the given (from, to) strings."""
    import sentencepiece
    model = io.BytesIO()
    options = {"normalization_rule_name": "nmt_nfkc"}
    if rules is not None:
        path = f"/tmp/gm_rules_{os.getpid()}.tsv"
        with open(path, "w") as f:
            for a, b in rules:
                f.write(" ".join("%X" % ord(c) for c in a) + "\t" + " ".join("%X" % ord(c) for c in b) + "\n")
        options = {"normalization_rule_tsv": path}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(SENTENCES), model_writer=model, vocab_size=300,
                                             hard_vocab_limit=False, minloglevel=2, **options)
    if rules is not None:
        os.remove(path)
    proto = sentencepiece.sentencepiece_model_pb2 if hasattr(sentencepiece, "sentencepiece_model_pb2") else None
    if proto is None:
        return charsmap_of(model.getvalue())
    m = proto.ModelProto()
    m.ParseFromString(model.getvalue())
    return m.normalizer_spec.precompiled_charsmap


def charsmap_of(data):
    """normalizer_spec (field 3) . precompiled_charsmap (field 2) of a serialised ModelProto."""
    def fields(buf):
        at = 0

        def varint():
            nonlocal at
            x = shift = 0
            while True:
                x |= (buf[at] & 127) << shift
                shift += 7
                at += 1
                if buf[at - 1] < 128:
                    return x
        while at < len(buf):
            key = varint()
            if key & 7 == 2:
                n = varint()
                yield key >> 3, buf[at:at + n]
                at += n
            elif key & 7 == 0:
                yield key >> 3, varint()
            else:
                at += 4 if key & 7 == 5 else 8
    spec = next(v for k, v in fields(data) if k == 3)
    return next(v for k, v in fields(spec) if k == 2)


def some_rules():
    """A part of nmt_nfkc, as sentencepiece itself applies it: one code point, and pairs with a mark."""
    import sentencepiece
    n = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc", remove_extra_whitespaces=False,
                                              escape_whitespaces=False, add_dummy_prefix=False)
    singles = [chr(c) for a, b in ((1, 0x20), (0x7F, 0x180), (0x340, 0x345), (0x2000, 0x2070), (0x2460, 0x2474),
                                   (0xFB00, 0xFB07), (0xFDFA, 0xFDFB), (0xFF01, 0xFF5F), (0x3000, 0x3001),
                                   (0x33A0, 0x33B0), (0xE33, 0xE34), (0x958, 0x960)) for c in range(a, b)]
    pairs = [a + m for a in "aeiounAEIOU" for m in "\u0300\u0301\u0302\u0303\u0308"]
    out = []
    for s in singles + pairs:
        t = n.normalize("x" + s + "x")[1:-1]
        if t != s:
            out.append((s, t))
    return out


def precompiled(map_bytes):
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(map_bytes).decode()}


def assembled(model, normalizer, pre, post=None, tokens=(), more=None):
    """A tokenizer from parts as they stand in tokenizer.json; `tokens` are added ones."""
    tok = Tokenizer.from_str(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": normalizer,
        "pre_tokenizer": pre, "post_processor": post, "decoder": None, "model": {**model, **(more or {})}}))
    tok.add_special_tokens(list(tokens))
    return tok


def template():
    return json.loads(processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)]).__getstate__())


def roberta(prefix, trim):
    return {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": trim,
            "add_prefix_space": prefix}


MASK = added("<mask>", lstrip=True)
META = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


def unigram_model(texts, size, **more):
    vocab = unigram(texts, size, pre_tokenizers.Metaspace(), normalizers.NFKC())
    if more.get("byte_fallback"):
        vocab += [("<0x%02X>" % b, -20.0) for b in range(256)]
    return {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": False, **more}


def make(name, texts, big):
    """One of the tokenizers that are compared."""
    size = 8000 if big else 700
    byte_level = pre_tokenizers.ByteLevel
    plain = [added(t) for t in SPECIAL[:4]] + [MASK]
    if name == "unigram":  # XLM-R's form
        seq = [precompiled(charsmap(None if big else some_rules())),
               {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]
        return assembled(unigram_model(texts, size), {"type": "Sequence", "normalizers": seq}, META, template(), plain)
    if name == "unigram-bytes":
        seq = [{"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFKC"}, {"type": "Lowercase"}]
        return assembled(unigram_model(texts, size, byte_fallback=True), {"type": "Sequence", "normalizers": seq},
                         {**META, "prepend_scheme": "first", "split": False}, None, plain)
    if name == "bpe-roberta":
        tok = bpe(texts, size, byte_level(add_prefix_space=False))
        return assembled(json.loads(tok.to_str())["model"], None, json.loads(tok.to_str())["pre_tokenizer"],
                         roberta(False, True), plain)
    if name == "bpe-prefix":
        tok = bpe(texts, size, byte_level(add_prefix_space=True))
        pre = {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "[0-9]{1,3}"}, "behavior": "Isolated", "invert": False},
            {"type": "Split", "pattern": {"String": "@"}, "behavior": "MergedWithNext", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}]}
        return assembled(json.loads(tok.to_str())["model"], {"type": "NFC"}, pre, roberta(True, True), plain,
                         {"ignore_merges": True})
    if name == "bpe-words":
        seq = [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
               {"type": "Replace", "pattern": {"String": "&amp;"}, "content": "&"}]
        tok = bpe(texts, size, pre_tokenizers.Whitespace(), unk_token="<unk>", continuing_subword_prefix="##",
                  end_of_word_suffix="</w>", fuse_unk=True,
                  normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(),
                                                   normalizers.Lowercase()]))
        return assembled(json.loads(tok.to_str())["model"], {"type": "Sequence", "normalizers": seq},
                         {"type": "Whitespace"}, None, plain)
    if name == "bpe-clip":  # CLIP's form
        pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP_WORDS), behavior="removed", invert=True),
                                       byte_level(add_prefix_space=False)])
        tok = bpe(texts, size, pre, unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix="",
                  normalizer=normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()]))
        seq = [{"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
               {"type": "Lowercase"}]
        return assembled(json.loads(tok.to_str())["model"], {"type": "Sequence", "normalizers": seq},
                         json.loads(tok.to_str())["pre_tokenizer"], roberta(False, False), plain)
    if name == "bpe-fallback":
        tok = bpe(texts, size, pre_tokenizers.Metaspace(), normalizer=normalizers.NFKD())
        model = json.loads(tok.to_str())["model"]
        for b in range(256):
            model["vocab"]["<0x%02X>" % b] = len(model["vocab"])
        pre = {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Split", "pattern": {"Regex": "\\p{N}+"}, "behavior": "Removed",
                                          "invert": False}, META]}
        return assembled(model, {"type": "NFKD"}, pre, None, plain,
                         {"unk_token": "<unk>", "byte_fallback": True, "fuse_unk": False})
    if name == "wordpiece-cased":
        tok = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tok.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
        tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tok.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIAL,
                                                                 show_progress=False))
        tok.add_special_tokens(plain)
        return tok
    sys.exit(f"no tokenizer {name}")


NAMES = ["unigram", "unigram-bytes", "bpe-roberta", "bpe-prefix", "bpe-words", "bpe-clip", "bpe-fallback", "wordpiece-cased"]


def origin(**more):
    return {"written_by": "tests/ref/tokenizers_reference.py", "tokenizers": tokenizers.__version__,
            "python": "%d.%d" % sys.version_info[:2], "seed": SEED, **more}


def write(out, head, tok, texts, word_lists):
    tok.no_truncation()
    tok.no_padding()

    def line(f, key, value):
        e = tok.encode(value, is_pretokenized=key == "words", add_special_tokens=False)
        print(json.dumps({key: value, "ids": e.ids, "offsets": [x for span in e.offsets for x in span]},
                         ensure_ascii=False, separators=(",", ":")), file=f)
    with open(out, "w", encoding="utf-8") as f:
        print(json.dumps(head, ensure_ascii=False, separators=(",", ":")), file=f)
        for text in texts:
            line(f, "text", text)
        for words in word_lists:
            line(f, "words", words)


def split_words(texts):
    return [t.split() for t in texts if len(t.split()) > 1]


def golden(out_dir, names):
    os.makedirs(out_dir, exist_ok=True)
    texts = [t.replace("\0", "") for t in SENTENCES + CASES]  # JSON readers differ on NUL in a name
    for name in names or NAMES:
        tok = make(name, texts, big=False)
        cases = corpus()[:len(CASES) + 40]
        write(f"{out_dir}/{name}.jsonl", origin(tokenizer=json.loads(tok.to_str())), tok, cases,
              split_words(SENTENCES[:4] + CASES[:30:3]))


def live(out_dir, files):
    os.makedirs(out_dir, exist_ok=True)
    texts = [t for p in files for t in texts_of(p)]
    posts = [t.split(" ") for p in files if p.endswith(".txt") for t in texts_of(p) if " " in t][:2000]
    for name in NAMES:
        tok = make(name, [t.replace("\0", "") for t in SENTENCES + CASES + texts], big=True)
        path = f"{out_dir}/{name}.json"
        tok.save(path)
        write(f"{out_dir}/{name}.jsonl", origin(tokenizer_path=path), tok, corpus(3000) + texts,
              split_words(SENTENCES + CASES) + posts)


def timing(path, reference):
    tok = Tokenizer.from_file(path)
    tok.no_truncation()
    tok.no_padding()
    with open(reference, encoding="utf-8") as f:
        texts = [x["text"] for x in map(json.loads, f) if "text" in x]
    best = 1e9
    for _ in range(5):  # one call for all texts: as little Python as there can be
        start = time.perf_counter()
        out = tok.encode_batch(texts, add_special_tokens=False)
        best = min(best, time.perf_counter() - start)
        n = sum(len(e.ids) for e in out)
    print(json.dumps({"texts": len(texts), "pieces": n, "seconds": round(best, 4)}))


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("golden", "run", "live", "time"):
        sys.exit(__doc__)
    command, args = sys.argv[1], sys.argv[2:]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if command == "golden":
        golden(args[0], args[1:])
    elif command == "live":
        live(args[0], args[1:])
    elif command == "time":
        timing(*args)
    else:
        texts = [t for p in args[2:] for t in texts_of(p)] if len(args) > 2 else corpus()
        write(args[1], origin(tokenizer_path=args[0]), Tokenizer.from_file(args[0]), texts,
              split_words(SENTENCES + CASES))


if __name__ == "__main__":
    main()
