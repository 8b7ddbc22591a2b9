#!/usr/bin/env python3
"""Writes tests/golden/logistic.json: the weights that scikit-learn's LogisticRegression finds for small
problems, for tests/unit/test_tune_logistic.c:

    logistic_reference.py > tests/golden/logistic.json

Made with scikit-learn 1.9.1 and NumPy 2.4.6 (tests/ref/requirements-bench.txt), seed 1.
"""
import json

import numpy as np
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(1)


def problem(n, d, c, scale=1.0, separable=False, imbalance=0.0):
    x = np.round(rng.normal(size=(n, d)) * scale, 3)
    w = rng.normal(size=d)
    z = x @ w / np.sqrt(d) / np.max(scale) - imbalance
    y = z > np.median(z) - imbalance if separable else rng.random(n) < 1 / (1 + np.exp(-2 * z))
    model = LogisticRegression(C=c, tol=1e-12, max_iter=100000, solver="newton-cholesky").fit(x, y)
    return {"c": c, "d": d, "x": x.ravel().tolist(), "y": [int(v) for v in y],
            "w": model.coef_[0].tolist(), "bias": float(model.intercept_[0])}


PROBLEMS = [problem(40, 1, 1.0), problem(80, 3, 1.0), problem(80, 5, 0.01), problem(80, 5, 100.0),
            problem(60, 4, 1.0, scale=np.array([1, 7, 0.1, 30])), problem(50, 2, 1.0, separable=True),
            problem(50, 2, 1000.0, separable=True), problem(120, 8, 1.0, imbalance=1.5)]
print("[" + ",\n".join(json.dumps(p) for p in PROBLEMS) + "]")
