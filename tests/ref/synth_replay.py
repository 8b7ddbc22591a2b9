#!/usr/bin/env python3
"""What ReFineG's authors' language model wrote, through gmner synth: for the measurement in docs/results.md.

Their train.conll (shared data, ccks2025) holds, in this order, 500 blocks of 10 sentences, 1,000 annotated posts, and
500 blocks of 20 sentences. A block of 20 was made from one of the first 500 posts: its first half keeps the post's
entities, its second half has others (of posts without entities none have any). Which one is not said; the order is
nearly that of the posts. A block belongs to a post whose entities most of its first half have: as many as possible in
order, the rest where one is left.

    synth_replay.py train.conll OUT              OUT/seeds-N.conll for N = 100, 250, 500, OUT/dev.conll: posts 501 to
                                                 1,000 but for those that are nearly one of the seeds
    synth_replay.py train.conll --serve PORT     a chat-completions server that answers the requests of gmner synth for
                                                 these seeds with those sentences, and with none when asked once more
"""
import http.server
import json
import os
import re
import sys

FIRST_POST, N, FIRST_BLOCK, BLOCK = 5000, 500, 6000, 20


def read(path):
    with open(path, encoding="utf-8") as f:
        return [[line.split("\t") for line in block.splitlines()] for block in f.read().split("\n\n") if block.strip()]


def text_of(rows):
    return " ".join(word for word, _ in rows)


def entities_of(rows):
    found, last = [], None
    for word, tag in rows:
        if tag.startswith("B-"):
            last = {"text": word, "type": tag[2:]}
            found.append(last)
        elif tag.startswith("I-") and last:
            last["text"] += " " + word
        else:
            last = None
    return list({(e["text"], e["type"]): e for e in found}.values())


def words(rows):
    return {w.lower() for w, _ in rows if w.isalnum()}


def is_near(a, b):
    return len(a & b) >= 0.8 * len(a | b)


def write(path, posts, prefix):
    with open(path, "w", encoding="utf-8") as f:
        for i, rows in enumerate(posts):
            f.write(f"IMGID:{prefix}{i}\n" + "".join(f"{w}\t{t}\n" for w, t in rows) + "\n")


def files(sentences, out):
    os.makedirs(out, exist_ok=True)
    seeds = sentences[FIRST_POST:FIRST_POST + N]
    known = [words(s) for s in seeds]
    dev = [s for s in sentences[FIRST_POST + N:FIRST_POST + 2 * N] if not any(is_near(words(s), k) for k in known)]
    for n in (100, 250, 500):  # spread over all, as neighbours are often of one series of photos
        write(os.path.join(out, f"seeds-{n}.conll"), [seeds[i * N // n] for i in range(n)], "s")
    write(os.path.join(out, "dev.conll"), dev, "d")
    print(f"{len(dev)} dev posts")


def may_be(post, block):
    mine = {(e["text"], e["type"]) for e in entities_of(post)}
    theirs = [{(e["text"], e["type"]) for e in entities_of(s)} for s in block]
    if not mine:
        return sum(not t for t in theirs) >= 15
    return all(sum(e in t for t in theirs[:10]) >= 5 for e in mine)


def align(posts, blocks):
    """[(post, block)]: the longest pairing that keeps both orders, then what is left over."""
    fits = [[may_be(p, b) for b in blocks] for p in posts]
    most = [[0] * (len(blocks) + 1) for _ in range(len(posts) + 1)]
    for i in range(len(posts) - 1, -1, -1):
        for k in range(len(blocks) - 1, -1, -1):
            most[i][k] = max(most[i + 1][k], most[i][k + 1], most[i + 1][k + 1] + fits[i][k])
    pairs, i, k = [], 0, 0
    while i < len(posts) and k < len(blocks):
        if fits[i][k] and most[i][k] == most[i + 1][k + 1] + 1:
            pairs.append((i, k))
            i, k = i + 1, k + 1
        elif most[i][k] == most[i + 1][k]:
            i += 1
        else:
            k += 1
    left = set(range(len(blocks))) - {k for _, k in pairs}
    for i in sorted(set(range(len(posts))) - {i for i, _ in pairs}):
        k = next((k for k in sorted(left) if fits[i][k]), None)
        if k is not None:
            left.remove(k)
            pairs.append((i, k))
    return pairs


def serve_answers(answer, port):
    """A chat-completions server on that port which says answer(last message's text), until it is stopped."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = answer(request["messages"][-1]["content"])
            body = json.dumps({"choices": [{"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}],
                               "usage": {"prompt_tokens": 0, "completion_tokens": 0}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def serve(sentences, port):
    posts = sentences[FIRST_POST:FIRST_POST + N]
    blocks = [sentences[FIRST_BLOCK + BLOCK * k:FIRST_BLOCK + BLOCK * (k + 1)] for k in range(N)]
    pairs = align(posts, blocks)
    block_of = {text_of(posts[i]): blocks[k] for i, k in pairs}
    print(f"{len(pairs)} blocks found", flush=True)

    def answer(text):
        post = re.search(r"^(?:An annotated post|A post without any entity of these types): (.*)$", text, re.M)[1]
        block = block_of.get(post, [])
        half = block if "without any entity" in text else block[:10] if "all of these entities" in text else block[10:]
        if "were refused" in text:
            half = []
        return json.dumps({"sentences": [{"text": text_of(s), "entities": entities_of(s)} for s in half]})

    serve_answers(answer, port)


if __name__ == "__main__":
    data = read(sys.argv[1])
    if sys.argv[2] == "--serve":
        serve(data, int(sys.argv[3]))
    else:
        files(data, sys.argv[2])
