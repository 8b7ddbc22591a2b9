"""Posts for the tests of grounding by a language model, a server that keeps what it was sent, and what both have in
common."""
import json
import re

import families
import gm
import llm_server
from annotations import png

TEXT = "Ann Lee and Bob of NASA wave at Ann Lee in Bonn"
ENTITIES = [("Ann Lee", "PER", 0, {}), ("Bob", "PER", 12, {"expression": "a man\nwith a hat"}),
            ("NASA", "ORG", 19, {"visible": 0.9}), ("Ann Lee", "PER", 32, {}), ("Bonn", "LOC", 43, {"visible": 0.1})]


def entity(name, kind, start, more):
    return {"text": name, "type": kind, "start": start, "end": start + len(name), **more}


def write_posts(d, sizes=((331, 207),), text=TEXT, entities=ENTITIES):
    lines = []
    for i, (w, h) in enumerate(sizes):
        d.write(f"{w}x{h}.png", png(w, h))
        lines.append(json.dumps({"id": str(i), "text": text, "image": d / f"{w}x{h}.png",
                                 "entities": [entity(*e) for e in entities]}) + "\n")
    return d.write("in.jsonl", "".join(lines))


class Server(llm_server.Own):
    """Keeps what it was sent; the shapes of `coords: auto` apart."""

    def __init__(self, say, shapes=None):
        self.requests, self.probes = [], []

        def answer(text, request):
            if "(shape)" in text:
                self.probes.append(request)
                return shapes(text, request)
            self.requests.append((text, request))
            return say(text, request)

        super().__init__(answer)


def predict(d, server, *settings, stage="ground", args=(), out="out.jsonl"):
    d.write("r.yaml", f"name: r\nstages:\n  - stage: {stage}\n    backend: llm\n" +
            "".join(f"    {s}\n" for s in settings))
    return gm.run("predict", d / "in.jsonl", "-r", d / "r.yaml", "-o", d / out, "--endpoint", server.url, "--model", "m",
                  *args, env={"GMNER_CACHE": d / "cache.sqlite"})


def read(d, out="out.jsonl"):
    with open(d / out, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def pictures(request):
    """Width and height of every picture of the request, in order."""
    sizes = []
    for p in request["messages"][-1]["content"]:
        if p["type"] == "image_url":
            one = {"messages": [{"content": [p]}]}
            sizes.append(families.sent_size(one))
    return sizes


def of_one(text):
    """The name that a question about one entity alone is about; None: it is about several."""
    lines = re.findall(r"^(\d+)\. (.*) \(", text, re.M)
    return lines[0][1] if len(lines) == 1 else None
