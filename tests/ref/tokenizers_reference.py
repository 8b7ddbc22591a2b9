#!/usr/bin/env python3
"""What Hugging Face's `tokenizers` library makes of texts: the truth for tests/unit/test_text_tokenizer.c.

    tokenizers_reference.py TOKENIZER.json > tests/golden/wordpiece.jsonl     an adversarial corpus
    tokenizers_reference.py TOKENIZER.json FILE... > big.jsonl                the texts of files
    build/tests/test_text_tokenizer big.jsonl                                 compare by hand

FILE is JSON Lines with a "text" a line, or CoNLL (*.txt: every token is a text, and every post the
tokens joined by spaces). Truncation and padding are switched off, special tokens are not added.
Output: a line about the origin, then {"text", "ids", "offsets": [start, end, start, end, …]} with
offsets in code points. Written with tokenizers 0.23.3, Python 3.11; the corpus has a fixed seed.
"""
import hashlib
import json
import random
import sys

import tokenizers

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


def corpus():
    rng = random.Random(SEED)
    return CASES + ["".join(rng.choice(NASTY) for _ in range(rng.randint(1, 24))) for _ in range(150)]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    tok = tokenizers.Tokenizer.from_file(sys.argv[1])
    tok.no_truncation()
    tok.no_padding()
    texts = [t for p in sys.argv[2:] for t in texts_of(p)] if len(sys.argv) > 2 else corpus()
    with open(sys.argv[1], "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    print(json.dumps({"written_by": "tests/ref/tokenizers_reference.py", "tokenizers": tokenizers.__version__,
                      "python": "%d.%d" % sys.version_info[:2], "seed": SEED, "tokenizer_sha256": digest}))
    for text in texts:
        e = tok.encode(text, add_special_tokens=False)
        print(json.dumps({"text": text, "ids": e.ids, "offsets": [x for span in e.offsets for x in span]},
                         ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
