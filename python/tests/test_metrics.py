"""The scores of tags against seqeval itself, to the last digit."""
import random
import warnings

import pytest

import gmner

seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
warnings.filterwarnings("ignore")
TAGS = ["O"] + [f"{k}-{t}" for k in "BIES" for t in ("PER", "LOC", "a-b")]


def draw(seed, posts=12, longest=9):
    rng = random.Random(seed)
    gold = [[rng.choice(TAGS) for _ in range(rng.randint(1, longest))] for _ in range(posts)]
    pred = [[t if rng.random() < 0.7 else rng.choice(TAGS) for t in post] for post in gold]
    return gold, pred


@pytest.mark.parametrize("seed", range(60))
def test_equal(seed):
    gold, pred = draw(seed)
    for ours, theirs in ((gmner.precision_score, seqeval.precision_score), (gmner.recall_score, seqeval.recall_score),
                         (gmner.f1_score, seqeval.f1_score)):
        for average in ("micro", "macro", "weighted", None):
            assert ours(gold, pred, average=average) == pytest.approx(
                theirs(gold, pred, average=average), rel=0, abs=1e-15)
    assert gmner.accuracy_score(gold, pred) == seqeval.accuracy_score(gold, pred)
    assert gmner.classification_report(gold, pred) == seqeval.classification_report(gold, pred)
    assert gmner.classification_report(gold, pred, digits=4) == seqeval.classification_report(gold, pred, digits=4)
    report, wanted = (f(gold, pred, output_dict=True) for f in (gmner.classification_report, seqeval.classification_report))
    assert report.keys() == wanted.keys()
    for name, row in wanted.items():
        assert report[name] == pytest.approx({k: float(v) for k, v in row.items()}, abs=1e-15)


@pytest.mark.parametrize("gold, pred", [
    ([["O", "O"]], [["O", "O"]]), ([["B-PER"]], [["O"]]), ([["O"]], [["B-PER"]]), ([["I-PER", "I-LOC"]], [["I-PER", "I-PER"]])])
def test_edges(gold, pred):
    for zero in (0, 1):
        assert gmner.f1_score(gold, pred, zero_division=zero) == seqeval.f1_score(gold, pred, zero_division=zero)
        assert gmner.recall_score(gold, pred, zero_division=zero) == seqeval.recall_score(gold, pred, zero_division=zero)


def test_errors():
    with pytest.raises(ValueError):
        gmner.f1_score([["O"]], [["O", "O"]])
    with pytest.raises(ValueError):
        gmner.f1_score([["O"]], [])
    with pytest.raises(TypeError):
        gmner.f1_score(["O"], ["O"])
    with pytest.raises(ValueError):
        gmner.f1_score([["O"]], [["O"]], average="best")
