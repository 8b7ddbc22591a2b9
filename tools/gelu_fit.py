#!/usr/bin/env python3
"""Coefficients of the GELU and its slope in bf16 (src/nn/kernels/elementwise.h).

Phi(x) - 1/2 and slope(x) - 1/2 are odd, so each is x * c(x^2) on [0, end], with the weighted error's
maximum as small as it gets (Lawson's iteration) and the step complete at `end`. Needs numpy.
"""
import math

import numpy as np

PHI = np.vectorize(lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2))))


def slope(x):
    return PHI(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def fit(f, end, n, weight, at_end):
    x = np.linspace(0, end, 1201)[1:]
    terms = np.polynomial.chebyshev.chebvander(2 * (x / end) ** 2 - 1, n - 1)
    a = (terms[:, 1:] - 1) * x[:, None]  # the constant term is what makes end * c(end^2) = at_end
    y = f(x) - 0.5 - x * at_end / end
    w = np.ones_like(x)
    for _ in range(40):
        scale = np.sqrt(w) * weight(x)
        c = np.linalg.lstsq(a * scale[:, None], y * scale, rcond=None)[0]
        w *= np.abs((a @ c - y) * weight(x)) + 1e-12
        w /= w.sum()
    c = np.concatenate([[at_end / end - c.sum()], c])
    power = np.polynomial.Polynomial(np.polynomial.chebyshev.cheb2poly(c))
    return power(np.polynomial.Polynomial([-1, 2 / end**2])).coef


for name, c in (("normal_cdf", fit(PHI, 4.25, 8, lambda x: x + 0.2, 0.5 + 1e-5)),
                ("gelu_slope", fit(slope, 4.5, 9, np.ones_like, 0.5))):
    print(name, ", ".join(f"{v:.7g}f" for v in c))
