#!/usr/bin/env python3
"""Why names of tweets were missed, made up, or of the wrong type: errors counted by the form of the name.

    causes.py gold.jsonl predicted.jsonl

Both are records (docs/record.md) of the same ids. An error counts where it fits first, from the top of
the list that is printed; "border" is a name of which another part was found. The lists of holidays,
peoples, titles and platforms are those of src/ner/name_policy.c. Only the standard library is needed.
"""
import collections
import json
import os
import re
import sys

POLICY = os.path.join(os.path.dirname(__file__), "..", "..", "src", "ner", "name_policy.c")


def word_lists():
    with open(POLICY, encoding="utf-8") as f:
        source = f.read()
    return {name: set(re.findall(r'"([^"]+)"', body))
            for name, body in re.findall(r"(\w+)\[\] = \{(.*?)\};", source, re.S)}


def key(s):
    return re.sub(r"[^a-z0-9]", "", s.lower())


def cause(text, entity, wrong_type, near, lists):
    """near: the entities on the other side that share letters with it."""
    start, end = entity["start"], entity["end"]
    name, before = text[start:end], text[:start]
    both = [text[e["start"]:e["end"]] for e in [entity, *near]]
    if key(name).removeprefix("happy") in lists["holidays"]:
        return "holiday"
    if key(name) in lists["peoples"]:
        return "people"
    if wrong_type and key(name) in lists["platforms"]:
        return "platform"
    if any(re.search(r"\s[-+|~*/]\s", n) for n in both):
        return "separator"
    if entity["type"] == "PER" and any(key(n.split()[0]) in lists["titles"] for n in both):
        return "title"
    if any(e["start"] == start and abs(e["end"] - end) == 1 and text[max(e["end"], end) - 1] == "." for e in near):
        return "last dot"
    if re.search(r"@\w*$", before):
        return "handle"
    if before.endswith("#"):
        return "hashtag"
    if near:
        return "border"
    if name.isupper() and len(name) > 3:
        return "capitals"
    return "small letters" if name.islower() else "other"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1].strip())
    posts = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            posts.append({p["id"]: p for p in map(json.loads, f)})
    lists, counts = word_lists(), collections.defaultdict(collections.Counter)
    for post_id, gold in posts[0].items():
        sides = [{(e["start"], e["end"]): e for e in p["entities"]} for p in (gold, posts[1][post_id])]
        for side, other, what in ((*sides, "missed"), (*reversed(sides), "made up")):
            for place, e in side.items():
                wrong_type = place in other and other[place]["type"] != e["type"]
                if place in other and not (wrong_type and what == "missed"):
                    continue
                near = [o for o in other.values() if o["start"] < e["end"] and o["end"] > e["start"] and not wrong_type]
                counts[cause(gold["text"], e, wrong_type, near, lists)]["wrong type" if wrong_type else what] += 1
    print(f"{'':14}{'missed':>10}{'made up':>10}{'wrong type':>12}")
    for name, c in sorted(counts.items(), key=lambda x: -sum(x[1].values())):
        print(f"{name:14}{c['missed']:10}{c['made up']:10}{c['wrong type']:12}")


if __name__ == "__main__":
    main()
