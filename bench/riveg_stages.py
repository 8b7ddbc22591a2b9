#!/usr/bin/env python3
"""A SIMULATION: what every stage of recipes/riveg.yaml adds, with a language model that is not there.

    riveg_stages.py DATA [--gmner FILE] [--seeds N] [--entail A] [--looked FILE]

DATA is the folder tweets-with-images of the shared data, whose gold-by-eye.jsonl is read (140 tweets with their pictures).
Tagger, text reader, detector and entailment classifier are the shipped ones and really run; every answer of the language model is
made of the gold annotation with errors drawn at the rates below, the same for an entity in every row. So the table says
how errors of each kind go through the recipe and what a stage is worth if a model errs like that; no figure of it is one of any
model's quality. Beside it stand what no model is needed for ("always no box") and the ceiling: the same recipe
with no error at all.

Prints for each row, a mean of N seeds (3): F1 of the task gmner, the points lost at each step of the error decomposition
of `gmner eval` (docs/metrics.md), and the requests a post. Python's standard library only.
"""
import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))
import llm_server  # noqa: E402

# How often the drawn model errs.
RATES = {
    "knows": 0.10,    # an entity is missing from the knowledge
    "type": 0.05,     # or has the wrong type there
    "entail": 0.20,   # yes and no are turned round, with a probability that tells little of it
    "box": 0.25,      # the box is elsewhere, or the wrong number
    "none": 0.05,     # no box at all is found
    "ghost": 0.40,    # a box is found for what is not in the picture
    "crop": 0.10,     # a crop's yes and no are turned round
    "again": 0.40,    # the second look gives the wrong place again
}
WORDS = {"PER": "person", "LOC": "location", "ORG": "organization", "OTHER": "miscellaneous"}
TYPES = list(WORDS)


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    area = lambda x: (x[2] - x[0]) * (x[3] - x[1])  # noqa: E731
    common = w * h if w > 0 and h > 0 else 0
    return common / (area(a) + area(b) - common)


def size_of(path):
    """Width and height of a JPEG or PNG file."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    at = 2
    while data[at] == 0xFF:
        mark, length = data[at + 1], int.from_bytes(data[at + 2:at + 4], "big")
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7:at + 9], "big"), int.from_bytes(data[at + 5:at + 7], "big")
        at += 2 + length
    raise ValueError(path)


def marks_of(objects):
    """The boxes that `marks: 20` draws, in their order."""
    out = []
    for o in sorted(objects, key=lambda x: -x["score"]):
        if len(out) < 20 and all(iou(o["box"], b) < 0.9 for b in out):
            out.append(o["box"])
    return out


class Model(llm_server.Own):
    """Answers every prompt of the recipe from gold, with errors; `rate` scales them."""

    def __init__(self, posts, seed, rates):
        self.posts, self.seed, self.rates, self.n = posts, seed, rates, 0
        self.said = {}  # (post, name): the box that was said last
        super().__init__(lambda text, _: self.answer(text))

    def errs(self, kind, post, name):
        """Drawn for an error, post and entity, in (0, 1), the same in every row."""
        digest = hashlib.sha256(f"{self.seed} {kind} {post['id']} {name}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2 ** 48 < self.rates[kind]

    def post_of(self, text):
        return max((p for p in self.posts if p["text"] in text), key=lambda p: len(p["text"]))

    def gold(self, post, name):
        return next((e for e in post["entities"] if e["text"] == name), None)

    def boxes(self, post, name):
        e = self.gold(post, name)
        return [r["box"] for r in e.get("regions", [])] if e else []

    def answer(self, text):
        self.n += 1
        if "twice" in text:
            return json.dumps({"caption": "A photo.", "short": "a photo"})
        post = self.post_of(text)
        if text.rstrip().endswith("Knowledge:"):
            return self.knowledge(post)
        one = re.search(r'(?:Is|Is this) "(.*?)" \(', text)
        if "cut out" in text:
            return self.word(self.is_right(post, one[1]) != self.errs("crop", post, one[1]))
        if "Answer with one word" in text:
            return self.word(bool(self.boxes(post, one[1])) != self.errs("entail", post, one[1]))
        lines = re.findall(r"^(\d+)\. (.*) \(\w+\)", text, re.M)
        if '"phrase"' in text or "found at" not in text and "visible" not in text:
            return json.dumps({"phrases": [{"entity": int(n), "phrase": "what is named"} for n, _ in lines]})
        return self.places(post, lines, "found at" in text, '"numbers"' in text)

    def word(self, yes):
        return "yes" if yes else "no"

    def is_right(self, post, name):
        said = self.said.get((post["id"], name))
        return said is not None and any(iou(said, b) >= 0.5 for b in self.boxes(post, name))

    def knowledge(self, post):
        out = []
        for i, e in enumerate(e for e in post["entities"] if not self.errs("knows", post, e["text"])):
            t = TYPES[(TYPES.index(e["type"]) + 1) % 4] if self.errs("type", post, e["text"]) else e["type"]
            out.append(f"{i + 1}. {e['text']} ({WORDS[t]})")
        return "Named entities: " + " ".join(out or ["none"]) + "."

    def place(self, post, name, is_check):
        """The box that is said of an entity; None: it isn't there."""
        right = self.boxes(post, name)
        if not right:
            return self.elsewhere(post, [[0, 0, 1, 1]]) if not is_check and self.errs("ghost", post, name) else None
        if not is_check and self.errs("none", post, name):
            return None
        return self.elsewhere(post, right) if self.errs("again" if is_check else "box", post, name) else right[0]

    def places(self, post, lines, is_check, by_number):
        out = []
        for n, name in lines:
            box = self.place(post, name, is_check)
            if by_number and box:
                box = self.nearest(post, box)
            if box:
                self.said[post["id"], name] = box
            out.append({"entity": int(n), "reason": "", "visible": bool(box),
                        **({"answer": "change" if box else "none"} if is_check else {}),
                        **self.said_as(post, box, by_number)})
        return json.dumps({"entities": out})

    def elsewhere(self, post, right):
        """A box of the picture that is not the entity's."""
        w, h = post["size"]
        corners = [[0, 0, w / 3, h / 3], [2 * w / 3, 2 * h / 3, w, h], [2 * w / 3, 0, w, h / 3], [0, 2 * h / 3, w / 3, h]]
        return min(corners, key=lambda c: max(iou(c, b) for b in right))

    def nearest(self, post, box):
        """The proposal that fits best, where one does."""
        best = max(post["marks"], key=lambda m: iou(m, box), default=None)
        return best if best and iou(best, box) >= 0.1 else None

    def said_as(self, post, box, by_number):
        if by_number:
            return {"numbers": [post["marks"].index(box) + 1] if box else []}
        w, h = post["size"]
        return {"boxes": [[1000 * box[0] / w, 1000 * box[1] / h, 1000 * box[2] / w, 1000 * box[3] / h]] if box else []}


# ---- the rows ----



def shipped():
    """The stages of recipes/riveg.yaml, each as its lines, without the masks."""
    with open(os.path.join(HERE, "..", "recipes", "riveg.yaml"), encoding="utf-8") as f:
        head, *stages = re.split(r"(?m)^(?=  - stage: )", f.read())
    out = {re.match(r"  - stage: (\w+)", s)[1]: s for s in stages}
    out.pop("segment")
    return head, out


def rows():
    """(name, recipe's text, whether the model errs) from the recipe, a stage after the other."""
    head, s = shipped()
    ground = s["ground"].replace("coords: auto", 'coords: "1000"').rstrip() + "\n    batch: post\n    boxes: one\n"
    alone = re.sub(r"(?ms)^    (encoder|fusion):.*\Z", "", s["entail"])
    s["look"] = s["look"].replace("    detector: nanodet\n", "")  # objects and read texts come with the posts
    # The weights of all sources are fitted on these tweets; what is left are those that were fitted on other posts.
    s["entail"] = re.sub(r"(?s)      encoder\+model\+detector.*?\}\n", "", s["entail"])
    informed = s["tag"] + s["look"] + s["inform"]
    crop = "  - stage: check\n    backend: llm\n    crop: 0.15\n    coords: \"1000\"\n    max_boxes: 1\n"
    for name, stages, right in (
            ("tag, look: always no box", s["tag"] + s["look"], False),
            ("+ read, inform: always no box", informed, False),
            ("+ ground, everyone asked about", informed + ground.replace("visible: 0.5", "visible: 0"), False),
            ("+ expand, entail: the model alone", informed + s["expand"] + alone + ground, False),
            ("+ the encoder, fused with it: riveg.yaml", informed + s["expand"] + s["entail"] + ground, False),
            ("the same, `marks: 20`", informed + s["expand"] + s["entail"] + ground + "    marks: 20\n", False),
            ("riveg.yaml and check, `crop: 0.15`", informed + s["expand"] + s["entail"] + ground + crop, False),
            ("the ceiling: no error of the model's, its word alone", informed + s["expand"] + alone + ground, True),
            ("the ceiling with `marks: 20`", informed + s["expand"] + alone + ground + "    marks: 20\n", True)):
        yield name, head + stages, right


def call(*args, **more):
    r = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if r.returncode != 0:
        sys.exit(r.stderr)
    return r.stdout


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def save(path, posts):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(p) + "\n" for p in posts)
    return path


def prepare(o, folder):
    """Gold with sizes and proposals; and what is given to the recipe: texts, pictures, and what was read in them, once for
    all rows."""
    posts = load(os.path.join(o.data, "gold-by-eye.jsonl"))
    for p in posts:
        p["image"] = os.path.join(o.data, p["image"])
        p["size"] = size_of(p["image"])
    given = save(os.path.join(folder, "plain.jsonl"), [{k: p[k] for k in ("id", "text", "image")} for p in posts])
    recipe, looked = os.path.join(folder, "look.yaml"), os.path.join(folder, "looked.jsonl")
    with open(recipe, "w", encoding="utf-8") as f:
        f.write("name: look\nstages:\n  - stage: look\n  - stage: read\n")
    if not o.looked:
        call(o.gmner, "predict", given, "-r", recipe, "-o", looked)
    seen = load(o.looked or looked)
    for p, q in zip(posts, seen, strict=True):
        p["marks"] = marks_of(q["objects"])
        q.pop("caption", None)
        q.pop("entities", None)
    return posts, save(os.path.join(folder, "in.jsonl"), seen)


def run(o, folder, posts, given, recipe, right, seed):
    path, out = os.path.join(folder, "r.yaml"), os.path.join(folder, "out.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        f.write(recipe)
    with tempfile.TemporaryDirectory() as fresh, \
            Model(posts, seed, dict.fromkeys(RATES, 0) if right else {**RATES, "entail": 1 - o.entail}) as server:
        call(o.gmner, "predict", given, "-r", path, "-o", out, "--run", os.path.join(fresh, "run"), "--endpoint", server.url,
             "--model", "drawn", env={**os.environ, "GMNER_CACHE": os.path.join(fresh, "cache")})
        asked = server.n
    score = json.loads(call(o.gmner, "eval", "--task", "gmner", "--gold", os.path.join(o.data, "gold-by-eye.jsonl"),
                            "--pred", out, "--json"))
    return [score["f1"], *(s["lost"] for s in score["steps"]), asked / len(posts)]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("data")
    a.add_argument("--gmner", default=os.path.join(HERE, "..", "build", "gmner"))
    a.add_argument("--seeds", type=int, default=3)
    a.add_argument("--entail", type=float, default=0.8)
    a.add_argument("--looked", help="the tweets with objects and texts, where the stages look and read have run on them before")
    o = a.parse_args()
    o.data, o.gmner = os.path.abspath(o.data), os.path.abspath(o.gmner)
    os.environ.pop("OPENAI_API_KEY", None)
    print("SIMULATION: every answer of the language model is drawn from gold with these error rates: " +
          ", ".join(f"{k} {1 - o.entail if k == 'entail' else v:g}" for k, v in RATES.items()))
    print("| | F1 | lost at span | type | entailment | box | requests a post |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        posts, given = prepare(o, folder)
        for name, recipe, right in rows():
            runs = [run(o, folder, posts, given, recipe, right, seed) for seed in range(1, 2 if right else 1 + o.seeds)]
            mean = [sum(c) / len(runs) for c in zip(*runs)]
            print(f"| {name} | {mean[0]:.3f} | " + " | ".join(f"{x:.3f}" for x in mean[1:-1]) + f" | {mean[-1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
