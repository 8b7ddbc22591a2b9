"""Straightforward re-implementations of gmner eval's matching rules, to compare it with.

Written from the rules' descriptions, with no regard to speed: every prediction scans the whole gold
list, as the field's scripts do. Posts are records (docs/record.md) with the same ids on both sides.
IoU is taken of boxes as 32-bit floats, which is what a record holds, in double precision.
"""
import itertools
import struct


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def iou(a, b):
    a, b = [f32(x) for x in a], [f32(x) for x in b]
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = w * h if w > 0 and h > 0 else 0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union if union > 0 else 0


def enough(x, least, strict):
    return x > least if strict else x >= least


def lines(posts, kind):
    """[(image, text, type, boxes)] of a file in order, as RiVEG's text files list entities."""
    for post in posts:
        for e in post["entities"]:
            text = post["text"][e["start"]:e["end"]]
            yield (post["id"], text.split("(")[0] if kind == "eeg" else text,
                   e.get("fine_type", "(none)") if kind == "fmnerg" else
                   "" if kind == "eeg" else e["type"],
                   [r["box"] for r in e.get("regions", [])], e["start"], e["end"])


def riveg(gold, pred, kind, least, strict, box=0):
    """box: which one of a prediction counts; its own files' is the last (-1)."""
    gold, pred = list(lines(gold, kind)), list(lines(pred, kind))
    taken = [False] * len(gold)
    tp = 0
    for p in pred:
        for i, g in enumerate(gold):
            if taken[i] or g[:3] != p[:3]:
                continue
            if not p[3] and not g[3]:
                fits = True
            elif p[3]:
                fits = any(enough(iou(p[3][box], b), least, strict) for b in g[3])
            else:
                fits = False
            if fits:
                taken[i] = True
                tp += 1
                break
    return tp, len(pred), len(gold)


def fits(p, g, least, strict):
    if not p or not g:
        return not p and not g
    return any(enough(iou(a, b), least, strict) for a in p for b in g)


def largest_matching(edges, n_pred):
    """Size of the largest matching; edges[p] are gold numbers. By trying everything when it is
    small, which nothing clever can get wrong; else by augmenting paths."""
    if n_pred <= 5:
        best = 0
        for choice in itertools.product(*[[None, *edges[p]] for p in range(n_pred)]):
            used = [c for c in choice if c is not None]
            if len(set(used)) == len(used):
                best = max(best, len(used))
        return best
    owner = {}

    def seek(p, seen):
        for g in edges[p]:
            if g not in seen:
                seen.add(g)
                if g not in owner or seek(owner[g], seen):
                    owner[g] = p
                    return True
        return False
    return sum(seek(p, set()) for p in range(n_pred))


def by_matching(gold, pred, same, least, strict):
    total = [0, 0, 0]
    images = {}
    for side, items in enumerate((pred, gold)):
        for x in items:
            images.setdefault(x[0], ([], []))[side].append(x)
    for ps, gs in images.values():
        edges = [[k for k, g in enumerate(gs) if same(p, g) and fits(p[3], g[3], least, strict)]
                 for p in ps]
        # Components are small: entities meet only those of their own key.
        keys = {}
        for i, p in enumerate(ps):
            keys.setdefault(same(p, None), []).append(i)
        total[0] += sum(largest_matching([edges[i] for i in group], len(group))
                        for group in keys.values())
        total[1] += len(ps)
        total[2] += len(gs)
    return tuple(total)


def unique(items):
    return list(dict.fromkeys((*x[:3], tuple(tuple(map(f32, b)) for b in x[3]), *x[4:])
                              for x in items))


def key(*columns):
    def same(p, g):
        mine = tuple(p[c] for c in columns)
        return mine if g is None else mine == tuple(g[c] for c in columns)
    return same


def optimal(gold, pred, kind, least, strict):
    return by_matching(list(lines(gold, kind)), list(lines(pred, kind)), key(1, 2), least, strict)


def position_set(gold, pred, kind, least, strict):
    return by_matching(unique(lines(gold, kind)), unique(lines(pred, kind)), key(4, 5, 2), least,
                       strict)


def ccks(gold, pred, kind, least, strict):
    def entries(posts):
        for image, text, type_, boxes, _, _ in lines(posts, kind):
            for box in boxes or [None]:
                yield (image, text, type_, [box] if box else [], 0, 0)
    return by_matching(unique(entries(gold)), unique(entries(pred)), key(1, 2), least, strict)


SHARED_TASK = ["vehicle", "aircraft", "vessel", "weapon", "location", "other"]


def single_iou(a, b):
    """As torchvision's box_iou of 32-bit floats: each operation is rounded; 0/0 is no overlap."""
    a, b = [f32(x) for x in a], [f32(x) for x in b]
    area = [f32(f32(x[2] - x[0]) * f32(x[3] - x[1])) for x in (a, b)]
    w, h = f32(min(a[2], b[2]) - max(a[0], b[0])), f32(min(a[3], b[3]) - max(a[1], b[1]))
    common = f32(max(w, 0) * max(h, 0))
    union = f32(f32(area[0] + area[1]) - common)
    return f32(common / union) if union else 0


def refineg_posts(pairs, least, strict, types=None):
    """ReFineG's released evaluator over [(gold entries, predicted entries)], an entry (name, type, box or
    None); types: the predicted ones that are known."""
    tp = n_pred = n_gold = 0
    for gold, pred in pairs:
        pred = [p for p in pred if types is None or p[1] in types]
        if not gold or not pred:
            continue
        gold_set = {(name, type_, k + 1 if box else 0) for k, (name, type_, box) in enumerate(gold)}
        pred_set = set()
        for name, type_, box in pred:
            index = -100 if box else 0
            for k, (other, _, theirs) in enumerate(gold):
                if box and theirs and other == name and enough(single_iou(box, theirs), least, strict):
                    index = k + 1
                    break
            pred_set.add((name, type_, index))
        tp, n_pred, n_gold = tp + len(gold_set & pred_set), n_pred + len(pred_set), n_gold + len(gold_set)
    return tp, n_pred, n_gold


def refineg(gold, pred, kind, least, strict, types=None):
    def entries(post):
        return [(post["text"][e["start"]:e["end"]],
                 e.get("fine_type", "(none)") if kind == "fmnerg" else "" if kind == "eeg" else e["type"], box)
                for e in post["entities"] for box in [r["box"] for r in e.get("regions", [])] or [None]]
    theirs = {p["id"]: p for p in pred}
    return refineg_posts([(entries(g), entries(theirs[g["id"]])) for g in gold], least, strict, types)


RULES = {"riveg": riveg, "set": position_set, "optimal": optimal, "ccks": ccks, "refineg": refineg}
