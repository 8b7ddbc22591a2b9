#!/usr/bin/env python3
"""Training in PyTorch: the speed (default), or with --epochs a whole fit and its dev F1.

Prints one JSON line. A token is a word piece; [CLS] and [SEP] count, padding does not.
The fit is the quality reference of the default tagger: AdamW, linear decay after 6% warm-up.
"""
import argparse
import resource
import time

import torch

import peer_model as pm

LR, LR_HEAD, LR_CRF, DECAY = 1e-4, 5e-4, 1.5e-2, 0.01


def make_optimizer(model):
    """Three learning rates; biases and LayerNorms are not decayed."""
    plain = ("bias", "LayerNorm.weight")
    groups = {}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        lr = LR_CRF if name.startswith("crf") else LR if name.startswith("encoder") else LR_HEAD
        decay = 0.0 if name.endswith(plain) or name.startswith("crf") else DECAY
        groups.setdefault((lr, decay), []).append(p)
    return torch.optim.AdamW([{"params": ps, "lr": lr, "weight_decay": decay}
                              for (lr, decay), ps in groups.items()], fused=True)


def step(model, optimizer, batch, precision):
    with pm.autocast(precision):
        loss = model.loss(batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


def measure(model, encoded, args, rng):
    """Tokens/s of --windows windows of --steps steps each, after --warmup steps."""
    optimizer = make_optimizer(model)
    model.train()
    batches = pm.shuffled(encoded, args.batch, rng, args.bucket)
    rates, cpu_rates, at = [], [], 0
    for window in range(-1, args.windows):
        n_tokens, start, cpu = 0, time.perf_counter(), time.process_time()
        for _ in range(args.steps if window >= 0 else args.warmup):
            posts = [encoded[i] for i in batches[at % len(batches)]]
            at += 1
            n_tokens += sum(len(e.ids) for e in posts)
            step(model, optimizer, pm.collate(posts), args.precision)
        if window >= 0:
            rates.append(n_tokens / (time.perf_counter() - start))
            cpu_rates.append(n_tokens / (time.process_time() - cpu))
    return {"name": "train", "tokens_per_s": pm.median(rates), "tokens_per_cpu_s": pm.median(cpu_rates), "windows": rates,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def fit(model, encoded, dev, args, rng):
    optimizer = make_optimizer(model)
    total = args.epochs * -(-len(encoded) // args.batch)
    warmup = int(0.06 * total)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: s / max(1, warmup) if s < warmup else (total - s) / (total - warmup))
    gold, history = [e.labels for e in dev], []
    for epoch in range(args.epochs):
        model.train()
        start, losses, n_tokens = time.perf_counter(), [], 0
        for index in pm.shuffled(encoded, args.batch, rng, args.bucket):
            posts = [encoded[i] for i in index]
            n_tokens += sum(len(e.ids) for e in posts)
            losses.append(step(model, optimizer, pm.collate(posts), args.precision))
            schedule.step()
        seconds = time.perf_counter() - start
        model.eval()
        score = pm.f1_of(gold, pm.predict(model, dev, 32, args.precision))
        history.append({"epoch": epoch + 1, "loss": sum(losses) / len(losses),
                        "tokens_per_s": n_tokens / seconds, **score})
        pm.report(history[-1])
    best = max(history, key=lambda h: h["f1"])
    return {"name": "fit", "best_f1": best["f1"], "best_epoch": best["epoch"],
            "tokens_per_s": pm.median([h["tokens_per_s"] for h in history])}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="Hugging Face directory of the encoder")
    parser.add_argument("--train", required=True)
    parser.add_argument("--dev", help="with --epochs: score on this file after each epoch")
    parser.add_argument("--epochs", type=int, default=0, help="fit this long; 0: measure the speed")
    parser.add_argument("--batch", type=int, default=32, help="posts a batch")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--freeze-embeddings", action="store_true")
    parser.add_argument("--lora", type=int, default=0, help="train adapters of this rank, by peft; 0: the whole encoder")
    parser.add_argument("--base-bf16", action="store_true", help="with --lora: the frozen weights are bf16, so that no product casts them")
    parser.add_argument("--bucket", action="store_true", help="batches of posts of like length")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8, help="steps a window")
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.epochs and not args.dev:
        parser.error("--epochs needs --dev")

    rng = pm.setup(args)
    tokenizer = pm.load_tokenizer(args.model)
    encoded = pm.encode_posts(tokenizer, pm.read_conll(args.train))
    model = pm.Tagger(args.model, args.freeze_embeddings, lora=args.lora, base_bf16=args.base_bf16)
    if args.epochs:
        result = fit(model, encoded, pm.encode_posts(tokenizer, pm.read_conll(args.dev)), args, rng)
    else:
        result = measure(model, encoded, args, rng)
    pm.report({**result, "batch": args.batch, "frozen": args.freeze_embeddings,
               "bucket": args.bucket, **pm.about(args)})


if __name__ == "__main__":
    main()
