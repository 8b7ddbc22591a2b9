#!/usr/bin/env python3
"""Turn the tokens of a CoNLL file back into posts the way a user would have typed them.

    detokenise.py twitter-gmner/dev.txt > dev-raw.jsonl

Output: JSON Lines {"id", "text", "entities": [{"text", "type", "start", "end"}]} with the gold
entities as code points of the text, so that the tagger can be scored on raw text. With --words each
line also has "words", the tokens of the file, for measuring the word segmentation.

Tokens are never changed, only joined with or without a space; the rules are in space_between. They
are written for the two sources of Twitter-GMNER: Twitter-2015 (ids of digits only), whose tokens keep
hyphens and slashes inside words, so that a "-" by itself was a dash; and Twitter-2017 (other ids),
which splits them, so that "play - off" may have been typed either way. Two of the rules look at the
gold tags or at the id for that reason; a hyphen inside an entity ("Spider - Man") was typed joined.
Only the standard library is needed.
"""
import argparse
import json
import re
import sys
import unicodedata

CLOSING = set(".,!?;:)]}%…’”»。！？")
OPENING = set("@#([{$£€“‘«¿¡")
CLITICS = {"s", "t", "re", "ll", "ve", "m", "d", "n", "all", "em", "cause", "S", "T", "RE", "LL", "VE", "M", "D"}
ORDINALS = {"st", "nd", "rd", "th", "ST", "ND", "RD", "TH", "s"}
PREFIXES = {"anti", "pro", "ex", "all", "co", "mid", "non", "pre", "post", "mini", "re", "un", "multi", "self",
            "semi", "super", "sub", "inter", "intra", "ultra", "vice"}
WORD = re.compile(r"\w", re.UNICODE)
ALNUM_END = re.compile(r"[^\W_]$", re.UNICODE)
ALNUM_START = re.compile(r"^[^\W_]", re.UNICODE)
EMOJI_PARTS = {0x200D, 0xFE0E, 0xFE0F, 0x20E3} | set(range(0x1F3FB, 0x1F400))


def is_emoji(token):
    return all(unicodedata.category(c) in ("So", "Sk") or ord(c) in EMOJI_PARTS for c in token)


def joins_hyphen(tokens, tags, j, numeric_id):
    """Whether the "-" at j stood between the letters of a compound, as in play-off."""
    if numeric_id or j == 0 or j + 1 == len(tokens):
        return False
    left, right = tokens[j - 1], tokens[j + 1]
    if not (ALNUM_END.search(left) and ALNUM_START.search(right)):
        return False
    if tags[j].startswith("I-"):
        return True
    if left.lower() in PREFIXES or (left[-1].isdigit() and right[0].isdigit()):
        return True
    if tags[j - 1] != "O":
        return False                       # Glen Campbell - Musicians play
    return left[0].islower() and right[0].islower()


class Quotes:
    """Which quotation marks open and which close: every other one, apostrophes apart."""

    def __init__(self, tokens):
        self.opens, self.closes = set(), set()
        is_open = {'"': False, "'": False}
        for j, token in enumerate(tokens):
            if token not in is_open or (token == "'" and self.is_apostrophe(tokens, j, is_open["'"])):
                continue
            (self.closes if is_open[token] else self.opens).add(j)
            is_open[token] = not is_open[token]

    @staticmethod
    def is_apostrophe(tokens, j, is_open):
        if j == 0 or j + 1 == len(tokens) or not ALNUM_END.search(tokens[j - 1]):
            return False
        return tokens[j + 1] in CLITICS or (not is_open and tokens[j - 1].endswith("s"))


def space_between(tokens, tags, j, quotes, numeric_id):
    """Whether a space stands between tokens j and j + 1."""
    left, right = tokens[j], tokens[j + 1]
    before = tokens[j - 1] if j else ""
    after = tokens[j + 2] if j + 2 < len(tokens) else ""
    # addresses: "http://t." "co/abc", "https" ":" "//t" "." "co/abc"
    if left in ("http://t.", "https://t.", "//t") or (right.startswith("//") and left == ":" and before.startswith("http")):
        return False
    if left == "." and right.startswith("co/") and before == "//t":
        return False
    # character references: "&amp" ";", "&" "gt" ";"
    if left == "&" and right in ("gt", "lt", "amp") and after == ";":
        return False
    # emoji: parts of one, and rows of them
    if is_emoji(right) and (is_emoji(left) or all(ord(c) in EMOJI_PARTS for c in right)):
        return False
    if left == "_" or right == "_":
        return False
    if j in quotes.opens or j + 1 in quotes.closes:
        return False
    if j + 1 in quotes.opens or j in quotes.closes:
        return left not in OPENING and right not in CLOSING
    if right in ("'", "’") and ALNUM_END.search(left):
        return False
    if left in ("'", "’") and ALNUM_END.search(before):
        return not (right in CLITICS or (before in ("O", "o", "D", "d", "L", "l") and ALNUM_START.search(right)))
    # hyphens, slashes, dots between letters or digits
    if right == "-" and joins_hyphen(tokens, tags, j + 1, numeric_id):
        return False
    if left == "-" and joins_hyphen(tokens, tags, j, numeric_id):
        return False
    if "/" in (left, right) and not numeric_id:
        return not (ALNUM_END.search(before if left == "/" else left) and ALNUM_START.search(after if right == "/" else right))
    if left in ".,:" and before[-1:].isdigit() and right[0].isdigit():
        if left == ",":
            return not re.match(r"^\d{3}(\D|$)", right)
        return left == ":" and not re.match(r"^\d\d(\D|$)", right)
    if left == "." and re.match(r"^[A-Z]$", before) and re.match(r"^[A-Za-z]$", right):
        return False                       # U . S . A
    if left.isdigit() and right in ORDINALS:
        return False                       # 11 th, 40 s
    if right[0] in CLOSING and (len(right) == 1 or right[0] in ".…"):
        return False
    return not (left in OPENING and (WORD.search(right) or right in OPENING))


def detokenise(tokens, tags, numeric_id):
    """The text, and (start, end) of every token in it."""
    quotes = Quotes(tokens)
    text, spans = "", []
    for j, token in enumerate(tokens):
        if j and space_between(tokens, tags, j - 1, quotes, numeric_id):
            text += " "
        spans.append((len(text), len(text) + len(token)))
        text += token
    return text, spans


def entities_of(tags, spans, text):
    """BIO tags as entities; an I- that continues nothing starts one, as in conlleval."""
    out = []
    for j, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if prefix == "I" and out and out[-1]["last"] == j - 1 and out[-1]["type"] == kind:
            out[-1]["end"], out[-1]["last"] = spans[j][1], j
        elif prefix in "BI" and kind:
            out.append({"type": kind, "start": spans[j][0], "end": spans[j][1], "last": j})
    return [{"text": text[e["start"]:e["end"]], "type": e["type"], "start": e["start"], "end": e["end"]} for e in out]


def read_conll(path):
    """(id, tokens, tags) of every post."""
    post_id, tokens, tags = None, [], []
    with open(path, encoding="utf-8", errors="replace", newline="\n") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\r\n")
            if line.startswith("IMGID:"):
                post_id = line[len("IMGID:"):].strip()
            elif line.strip():
                fields = line.split("\t") if "\t" in line else line.split(" ")
                if len(fields) < 2 or not fields[0]:
                    sys.exit(f"{path}:{number}: expected a token and a tag, parted by a tab or a space")
                tokens.append(fields[0])
                tags.append(fields[1])
            elif tokens:
                yield post_id, tokens, tags
                post_id, tokens, tags = None, [], []
    if tokens:
        yield post_id, tokens, tags


def main():
    parser = argparse.ArgumentParser(description="tokens of a CoNLL file back to raw text (JSON Lines to stdout)")
    parser.add_argument("file", help="CoNLL file with IMGID: lines")
    parser.add_argument("--words", action="store_true", help="also write the tokens, as \"words\"")
    args = parser.parse_args()
    for n, (post_id, tokens, tags) in enumerate(read_conll(args.file), 1):
        text, spans = detokenise(tokens, tags, (post_id or "").isdigit())
        line = {"id": post_id or str(n), "text": text, "entities": entities_of(tags, spans, text)}
        if args.words:
            line["words"] = tokens
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
