#!/usr/bin/env python3
"""Which measure of uncertainty tells a tagger's wrong entities from its right ones, and which way
of calibrating makes probabilities of it: all on the same predictions.

    bench/run.sh uncertainty MODEL DEV       MODEL: a folder or name; DEV: CoNLL with gold tags

Prints two tables in Markdown. The first: the area under the risk-coverage curve (AURC) of what the
program writes, and of what a tagger without a CRF's marginals would use, computed here from the
emissions: the largest softmax probability of each word, the probability of its own label, and the
entropy, over the words of the entity. All go through `gmner eval --calibration`. The differences to
the span marginal are bootstrapped over posts (paired, 95%). The second: the expected calibration
error of fits with one parameter and more, plain, and cross-fitted (even posts by what fits the odd
ones, and the reverse). Python's standard library only; fits and marginals are independent of the
program's.
"""
import json
import math
import os
import random
import subprocess
import sys
import tempfile

RESAMPLINGS = 500
TEMPERATURES = [1 + i / 20 for i in range(41)]


def gmner(*args):
    done = subprocess.run(["build/gmner", *args], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def calibration(gold, posts, folder):
    """What `gmner eval --calibration` says of the scores of predicted posts."""
    path = os.path.join(folder, "measure.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(json.dumps(p) + "\n" for p in posts)
    result = gmner("eval", "--gold", gold, "--pred", path, "--calibration", "--json")
    return json.loads(result)["calibration"]["score"]


class Entity:
    """One predicted entity with the words it covers, and whether it is right."""

    def __init__(self, post, record, words, right):
        self.post, self.record, self.words, self.right = post, record, words, right


def words_of(post, e):
    """Indices of the words that the entity covers."""
    out, at = [], 0
    for i, word in enumerate(post["tokens"]):
        if at >= e["start"] and at + len(word) <= e["end"]:
            out.append(i)
        at += len(word) + 1
    return out


def read_gold(path):
    """{id: {(first word, last word, type)}}, tags that break the scheme as conlleval reads them."""
    lines = gmner("data", "convert", path, "-", "--to", "jsonl").splitlines()
    return {p["id"]: {(e["start"], e["end"], e["type"]) for e in p["entities"]}
            for p in map(json.loads, lines)}


# ---- from emissions ----

def softmax(row):
    top = max(row)
    e = [math.exp(x - top) for x in row]
    return [x / sum(e) for x in e]


def entropy(p):
    return -sum(x * math.log(x) for x in p if x > 0)


class Crf:
    def __init__(self, given, temperature=1.0):
        self.labels, k = given["labels"], len(given["labels"])

        def weight(x, allowed):
            return math.exp(x / temperature) if allowed else 0.0

        parts = [(l[0], l[2:]) for l in self.labels]
        bioes = any(p in "ES" for p, _ in parts)

        def may(a, b):
            if bioes:
                inside = a[0] in "BI"
                return (b[0] in "IE" and a[1] == b[1]) if inside else b[0] in "OBS"
            return b[0] != "I" or (a[0] in "BI" and a[1] == b[1])

        self.temperature = temperature
        self.trans = [[weight(given["trans"][i * k + j], may(parts[i], parts[j])) for j in range(k)]
                      for i in range(k)]
        self.start = [weight(x, may(("O", ""), p)) for x, p in zip(given["start"], parts)]
        self.end = [weight(x, not bioes or p[0] not in "BI") for x, p in zip(given["end"], parts)]
        self.bioes = bioes

    def lattice(self, emissions):
        """Emission weights, and forward and backward sums; each word's sum to 1 (forward)."""
        k = range(len(self.labels))
        emit = [[math.exp((x - max(row)) / self.temperature) for x in row] for row in emissions]
        alpha, scale = [], []
        for t, e in enumerate(emit):
            row = [s * x for s, x in zip(self.start, e)] if t == 0 else \
                [e[j] * sum(alpha[-1][i] * self.trans[i][j] for i in k) for j in k]
            scale.append(sum(row))
            alpha.append([x / scale[-1] for x in row])
        beta = [list(self.end)]
        for t in range(len(emit) - 1, 0, -1):
            ahead = [e * b / scale[t] for e, b in zip(emit[t], beta[0])]
            beta.insert(0, [sum(self.trans[i][j] * ahead[j] for j in k) for i in k])
        z = sum(a * b for a, b in zip(alpha[-1], beta[-1]))
        return emit, scale, alpha, beta, z

    def path(self, entity):
        """Label numbers of the entity's words, and the label that would make it go on."""
        n, kind = len(entity.words), entity.record["type"]
        prefixes = "B" + "I" * (n - 1)
        if self.bioes:
            prefixes = "S" if n == 1 else "B" + "I" * (n - 2) + "E"
        at = self.labels.index
        return [at(f"{p}-{kind}") for p in prefixes], None if self.bioes else at(f"I-{kind}")

    def span(self, lattice, entity):
        """Probability that exactly these words are an entity of this type."""
        emit, scale, alpha, beta, z = lattice
        labels, go_on = self.path(entity)
        first, last = entity.words[0], entity.words[-1]
        w = alpha[first][labels[0]]
        for i, t in enumerate(entity.words[1:]):
            w *= self.trans[labels[i]][labels[i + 1]] * emit[t][labels[i + 1]] / scale[t]
        p = w * beta[last][labels[-1]]
        if go_on is not None and last + 1 < len(emit):
            p -= (w * self.trans[labels[-1]][go_on] * emit[last + 1][go_on] *
                  beta[last + 1][go_on] / scale[last + 1])
        return max(p / z, 0.0)


def span_marginals(given, emissions, entities, temperature):
    crf, out, at, lattice = Crf(given, temperature), [], None, None
    for e in entities:
        if e.post != at:
            at, lattice = e.post, crf.lattice(emissions[e.post])
        out.append(crf.span(lattice, e))
    return out


def rivals(given, emissions, entities):
    """{name: [confidence of each entity in 0..1]}; entropies as exp(-H), which keeps the order."""
    crf, out, at = Crf(given), {}, None
    for e in entities:
        if e.post != at:
            at = e.post
            _, _, alpha, beta, z = crf.lattice(emissions[at])
            soft = [softmax(row) for row in emissions[at]]
            marginal = [[a * b / z for a, b in zip(*rows)] for rows in zip(alpha, beta)]
        labels, _ = crf.path(e)
        mean = lambda values: sum(values) / len(values)
        top = [max(soft[t]) for t in e.words]
        own = [soft[t][l] for t, l in zip(e.words, labels)]
        h = [entropy(soft[t]) for t in e.words]
        token = [min(1, marginal[t][l]) for t, l in zip(e.words, labels)]
        for name, value in (
                ("max-softmax of emissions, least", min(top)),
                ("max-softmax of emissions, mean", mean(top)),
                ("softmax of the own label, least", min(own)),
                ("softmax of the own label, mean", mean(own)),
                ("entropy of emissions, largest", math.exp(-max(h))),
                ("entropy of emissions, mean", math.exp(-mean(h))),
                ("CRF marginal of the own label, least", min(token)),
                ("CRF marginal of the own label, mean", mean(token))):
            out.setdefault(name, []).append(value)
    return out


# ---- risk and coverage ----

def aurc(pairs):
    """Ties in order of the list, which is random enough for a resampling."""
    wrong = area = 0
    for k, (_, right) in enumerate(sorted(pairs, key=lambda p: -p[0]), 1):
        wrong += not right
        area += wrong / k
    return area / len(pairs)


def difference(entities, a, b):
    """95% interval of AURC(a) - AURC(b) over resampled posts."""
    rng, by_post = random.Random(1), {}
    for i, e in enumerate(entities):
        by_post.setdefault(e.post, []).append(i)
    groups, found = list(by_post.values()), []
    for _ in range(RESAMPLINGS):
        items = [i for g in rng.choices(groups, k=len(groups)) for i in g]
        found.append(aurc([(a[i], entities[i].right) for i in items]) -
                     aurc([(b[i], entities[i].right) for i in items]))
    found.sort()
    return found[int(0.025 * RESAMPLINGS)], found[int(0.975 * RESAMPLINGS)]


def rank_table(gold, posts, entities, others, folder):
    known = [e.record["uncertainty"] for e in entities]
    base = [u["marginal"] for u in known]
    own = {"span marginal: `score`, `marginal`": base,
           "`entropy`: of the words' CRF marginals, mean": [math.exp(-u["entropy"]) for u in known],
           "`margin` to the best path without it": [1 - math.exp(-u["margin"]) for u in known]}
    print("| measure | AURC | E-AURC | more than the span marginal's (95%) |\n|---|---|---|---|")
    for name, values in {**own, **others}.items():
        for e, v in zip(entities, values):
            e.record["score"] = min(max(v, 0.0), 1.0)
        r = calibration(gold, posts, folder)
        more = "" if values is base else "+%.4f (%.4f to %.4f)" % (
            r["aurc"] - first, *difference(entities, values, base))
        first = r["aurc"] if values is base else first
        print(f"| {name} | {r['aurc']:.4f} | {r['e_aurc']:.4f} | {more} |", flush=True)


# ---- calibration ----

def nll(p, entities):
    return -sum(math.log(max(x if e.right else 1 - x, 1e-12)) for x, e in zip(p, entities))


def fit_logistic(rows, right):
    """Weights of a logistic regression by Newton's method."""
    n = len(rows[0])
    w = [0.0] * n
    for _ in range(30):
        g, h = [0.0] * n, [[1e-9 * (i == j) for j in range(n)] for i in range(n)]
        for x, y in zip(rows, right):
            p = 1 / (1 + math.exp(-sum(a * b for a, b in zip(w, x))))
            for i in range(n):
                g[i] += (p - y) * x[i]
                for j in range(n):
                    h[i][j] += p * (1 - p) * x[i] * x[j]
        for k in range(n):  # h d = g by elimination, d into g
            g[k] /= h[k][k]
            h[k] = [v / h[k][k] for v in h[k]]
            for r in range(n):
                if r != k:
                    f = h[r][k]
                    h[r] = [a - f * b for a, b in zip(h[r], h[k])]
                    g[r] -= f * g[k]
        w = [a - b for a, b in zip(w, g)]
    return w


def logistic(features):
    """A way of calibrating: (entities to fit on, all) -> the probability of each."""
    def run(train, marginals, right):
        rows = [features(min(max(m, 1e-6), 1 - 1e-6)) for m in marginals]
        w = fit_logistic([rows[i] for i in train], [right[i] for i in train])
        return [1 / (1 + math.exp(-sum(a * b for a, b in zip(w, x)))) for x in rows], w
    return run


def calibration_table(given, emissions, gold, posts, entities, folder):
    right = [e.right for e in entities]
    marginals = [e.record["uncertainty"]["marginal"] for e in entities]
    at = {t: span_marginals(given, emissions, entities, t) for t in TEMPERATURES}
    off = max(abs(a - b) for a, b in zip(at[1], marginals))
    print(f"\nLargest difference of our span marginals from the program's: {off:.1e}\n")

    def temperature(train, _, __):
        part = [entities[i] for i in train]
        best = min(TEMPERATURES, key=lambda t: nll([at[t][i] for i in train], part))
        return at[best], [best]

    logit = lambda m: math.log(m / (1 - m))
    ways = {"none: the span marginal": lambda train, m, _: (m, []),
            "temperature of the CRF": temperature,
            "temperature of the log-odds": logistic(lambda m: [logit(m)]),
            "Platt: slope and offset": logistic(lambda m: [logit(m), 1]),
            "beta, without `gmner train`'s prior and bounds":
                logistic(lambda m: [math.log(m), -math.log(1 - m), 1])}
    halves = [[i for i, e in enumerate(entities) if e.post % 2 == h] for h in (0, 1)]

    def measure(p):
        for e, x in zip(entities, p):
            e.record["score"] = x
        r = calibration(gold, posts, folder)
        return f"{r['ece']:.4f} | {r['ece_mass']:.4f}"

    print("| calibrated by | parameters | ECE | equal mass | cross-fitted ECE | equal mass |\n"
          "|---|---|---|---|---|---|")
    for name, way in ways.items():
        plain, w = way(range(len(entities)), marginals, right)
        parts = [way(h, marginals, right)[0] for h in halves]
        crossed = [parts[1 - e.post % 2][i] for i, e in enumerate(entities)]
        print(f"| {name} | {', '.join('%.3f' % x for x in w)} | {measure(plain)} | "
              f"{measure(crossed)} |", flush=True)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model, gold = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "predicted.jsonl")
        gmner("predict", gold, "--recipe", "tag", "--tagger", model, "-o", path)
        with open(path, encoding="utf-8") as f:
            posts = [json.loads(line) for line in f]
        done = subprocess.run(["build/tests/bench_emissions", model, gold], check=True,
                              stdout=subprocess.PIPE, text=True)
        given, *emissions = map(json.loads, done.stdout.splitlines())
        truth = read_gold(gold)
        entities = [Entity(i, e, words_of(p, e),
                           (e["start"], e["end"], e["type"]) in truth[p["id"]])
                    for i, p in enumerate(posts) for e in p["entities"]]
        print(f"{model}: {len(entities)} entities, {sum(e.right for e in entities)} right\n")
        rank_table(gold, posts, entities, rivals(given, emissions, entities), folder)
        calibration_table(given, emissions, gold, posts, entities, folder)


if __name__ == "__main__":
    main()
