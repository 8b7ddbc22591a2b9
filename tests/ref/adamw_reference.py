#!/usr/bin/env python3
"""Writes tests/golden/adamw.safetensors: weights after each step of torch.optim.AdamW with clipping.

Usage: adamw_reference.py OUT   (made with torch 2.13.0, CPU; test_nn_optim.c repeats the steps)
"""
import sys

import torch
from safetensors.torch import save_file

STEPS, SHAPE = 12, (5, 7)

torch.manual_seed(3)
weight = torch.nn.Parameter(torch.randn(SHAPE))
start = weight.detach().clone()
# Every third gradient is over the clipping norm of 1.
grads = torch.stack([torch.randn(SHAPE) * (2.0 if t % 3 == 2 else 0.02) for t in range(STEPS)])
optimizer = torch.optim.AdamW([weight], lr=0.02, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
weights, norms = [], []
for t in range(STEPS):
    for group in optimizer.param_groups:
        group["lr"] = 0.02 / (t + 1)
    weight.grad = grads[t].clone()
    norms.append(torch.nn.utils.clip_grad_norm_([weight], 1.0))
    optimizer.step()
    weights.append(weight.detach().clone())
save_file({"start": start, "grads": grads, "weights": torch.stack(weights), "norms": torch.stack(norms)},
          sys.argv[1], metadata={"torch": torch.__version__.split("+")[0]})
