#!/usr/bin/env python3
"""How well is it seen who and what is in the picture? Cross-validated on the tweets annotated by eye.

    cross_validate.py DATA                 # DATA: shared/data/tweets-with-images; a minute, then 20 s
    cross_validate.py DATA --errors        # and every entity that is wrong, with its cause
    cross_validate.py DATA --numbers encoder,person_score --thresholds PER
    cross_validate.py DATA --final models/fusion-default/settings.yaml

Two views: "given", gold entities, so that the tagger does not matter; "whole", the program's own. What
the stages tag, look, read and expand find is stored once in build/eye (--fresh: again). For each of the
five folds of folds.txt, on the given entities of the other four: `gmner tune --stage entail` fits the
weights, and a type's threshold is the middle of those with the most entities right. Then entail and ground
run on the fold. --final fits on all folds and writes the settings: never judge those on these posts.
Only the standard library is needed.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TYPES = ("PER", "ORG", "LOC", "OTHER")
GRID = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
NUMBERS = "encoder,person_score,beside_person,title,organisation,place,thing_type,hashtag,first"
LOOK = """  - {stage: look, backend: detector}
  - {stage: read, backend: ppocr, glance: 160, pixels: 200000, lines: 8, tight: true}
  - {stage: expand, backend: template}
  - {stage: entail, backend: native, model: entail-default}
"""
GROUND = "  - {stage: ground, backend: objects, picture_types: [OTHER]}\n"


def read_lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def write_lines(path, records):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in records)


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


class Bench:
    def __init__(self, args):
        self.gmner = args.gmner
        self.dir = args.work
        self.data = args.data
        self.gold_path = os.path.join(self.data, "gold-by-eye.jsonl")
        self.gold = read_lines(self.gold_path)
        with open(os.path.join(HERE, "folds.txt"), encoding="utf-8") as f:
            self.fold = {post: int(k) for post, k in (line.split() for line in f)}
        os.makedirs(self.dir, exist_ok=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def run(self, *args):
        done = subprocess.run([self.gmner, *args], capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):
            sys.exit(f"{' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def predict(self, posts, recipe, out):
        self.run("predict", posts, "--recipe", recipe, "-o", out)
        return read_lines(out)

    def look(self, view, fresh):
        """The records of all posts with what was seen, read and tagged."""
        out, posts, recipe = (self.path(f"{view}{end}") for end in (".jsonl", "-posts.jsonl", ".yaml"))
        if os.path.exists(out) and not fresh:
            return read_lines(out)
        records = []
        for g in self.gold:
            r = {"id": g["id"], "text": g["text"], "image": os.path.abspath(os.path.join(self.data, g["image"]))}
            if view == "given":
                r["entities"] = [{k: e[k] for k in ("text", "type", "start", "end")} for e in g["entities"]]
            records.append(r)
        write_lines(posts, records)
        tag = "" if view == "given" else "  - {stage: tag, backend: native, model: ner-default, policy: tweets}\n"
        write(recipe, f"name: {view}\nstages:\n{tag}{LOOK}")
        return self.predict(posts, recipe, out)

    def fit(self, given, folds, args, name):
        """The settings of these folds' posts, as the path of a settings file."""
        posts = [r for r in given if self.fold[r["id"]] in folds]
        gold = [g for g in self.gold if self.fold[g["id"]] in folds]
        pred_path, gold_path, tuned = (self.path(f"{name}{e}") for e in ("-pred.jsonl", "-gold.jsonl", "-tuned.yaml"))
        write_lines(pred_path, posts)
        write_lines(gold_path, gold)
        if args.numbers == "none":
            write(tuned, "")
        else:
            self.run("tune", "--stage", "entail", "--gold", gold_path, "--pred", "encoder=" + pred_path,
                     "--numbers", args.numbers, "--c", str(args.c), "-o", tuned)
            self.only_all(tuned)
        limits = self.thresholds(posts, gold, gold_path, tuned, args, name)
        with open(tuned, "a", encoding="utf-8") as f:
            f.write("ground:\n  visible_of: {%s}\n" % ", ".join(f"{t}: {v}" for t, v in limits.items()))
        return tuned, limits

    @staticmethod
    def only_all(tuned):
        """Leave the weights for everything that is known: with less the encoder is as it is."""
        with open(tuned, encoding="utf-8") as f:
            lines = f.readlines()
        sets = [i for i, line in enumerate(lines) if line.startswith("    ") and "bias" in line]
        best = max(sets, key=lambda i: lines[i].split(":")[0].count("+"))
        write(tuned, "".join(line for i, line in enumerate(lines) if i == best or i not in sets))

    def thresholds(self, posts, gold, gold_path, tuned, args, name):
        limits = {}
        path = self.path(f"{name}-at.jsonl")
        write_lines(path, posts)
        right = {t: [] for t in args.thresholds}
        for v in GRID if right else ():
            recipe = self.path(f"{name}-at.yaml")
            write(recipe, self.recipe(tuned).replace("picture_types", f"visible: {v}, picture_types"))
            self.predict(path, recipe, self.path(f"{name}-at-out.jsonl"))
            per_type = self.score(gold_path, self.path(f"{name}-at-out.jsonl"))["per_type"]
            for t in right:
                right[t].append(per_type[t]["tp"])
        for t, n in right.items():
            best = [v for v, k in zip(GRID, n) if k == max(n)]
            limits[t] = best[len(best) // 2]
        return limits

    def recipe(self, tuned):
        return (f"name: eye\nsettings: {os.path.basename(tuned)}\nstages:\n"
                "  - {stage: entail, backend: native, model: entail-default}\n" + GROUND)

    def score(self, gold, pred):
        return json.loads(self.run("eval", "--task", "gmner", "--rule", "set", "--json", "--gold", gold, "--pred", pred))

    def judge(self, records, settings, name):
        """Entail and ground on each fold with its settings; the records of all, in order."""
        done = {}
        for k, tuned in settings.items():
            part = self.path(f"{name}-{k}.jsonl")
            write_lines(part, [r for r in records if self.fold[r["id"]] == k])
            recipe = self.path(f"{name}-{k}.yaml")
            write(recipe, self.recipe(tuned))
            done.update((r["id"], r) for r in self.predict(part, recipe, self.path(f"{name}-{k}-out.jsonl")))
        out = [done[r["id"]] for r in records]
        write_lines(self.path(f"{name}-out.jsonl"), out)
        return out


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inter = w * h if w > 0 and h > 0 else 0
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


CAUSES = ("visible, judged absent", "visible, no box for it", "absent, given a box", "wrong box")


def cause(gold, pred):
    """Why an entity with the right span and type is wrong; None = it is right."""
    if not gold:
        return CAUSES[2] if pred["regions"] else None
    if not pred["regions"]:
        return CAUSES[0] if "below_threshold" in pred.get("note", "") else CAUSES[1]
    fits = any(iou(a["box"], b["box"]) >= 0.5 for a in pred["regions"] for b in gold)
    return None if fits else CAUSES[3]


def tell_errors(gold, out, verbose):
    table = {t: dict.fromkeys(CAUSES, 0) for t in TYPES}
    for g, p in zip(gold, out):
        at = {(e["start"], e["end"], e["type"]): e["regions"] for e in g["entities"]}
        for e in p["entities"]:
            key = (e["start"], e["end"], e["type"])
            why = cause(at[key], e) if key in at else None
            if why:
                table[e["type"]][why] += 1
                if verbose:
                    print(f"  {g['id']:>5} {e['type']:5} {why:24} {e.get('visible', -1):.2f} {e['text']}")
    print(f"{'':8}" + "".join(f"{c:>26}" for c in CAUSES))
    for t in TYPES:
        print(f"  {t:6}" + "".join(f"{table[t][c]:26}" for c in CAUSES))


def tell(bench, name, out, verbose):
    s = bench.score(bench.gold_path, bench.path(f"{name}-out.jsonl"))
    each = "  ".join(f"{t} {s['per_type'][t]['f1']:.3f} ({s['per_type'][t]['tp']})" for t in TYPES)
    print(f"{name}: GMNER F1 {s['f1']:.4f} ({s['tp']} right)  {each}")
    tell_errors(bench.gold, out, verbose)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("--gmner", default=os.path.join(ROOT, "build", "gmner"))
    p.add_argument("--work", default=os.path.join(ROOT, "build", "eye"))
    p.add_argument("--numbers", default=NUMBERS, help="of the evidence; none: the encoder as it is")
    p.add_argument("--c", type=float, default=1)
    p.add_argument("--thresholds", default="PER,OTHER", help="types with one of their own; empty: 0.5 for all")
    p.add_argument("--fresh", action="store_true")
    p.add_argument("--errors", action="store_true")
    p.add_argument("--final", metavar="FILE")
    args = p.parse_args()
    args.thresholds = [t for t in args.thresholds.split(",") if t]
    bench = Bench(args)
    views = {view: bench.look(view, args.fresh) for view in ("given", "whole")}
    folds = range(5)
    if args.final:
        tuned, _ = bench.fit(views["given"], set(folds), args, "all")
        os.replace(tuned, args.final)
        return
    settings = {}
    for k in folds:
        settings[k], limits = bench.fit(views["given"], set(folds) - {k}, args, f"fold{k}")
        print(f"fold {k}: thresholds {limits}")
    for view, records in views.items():
        tell(bench, view, bench.judge(records, settings, view), args.errors)


if __name__ == "__main__":
    main()
