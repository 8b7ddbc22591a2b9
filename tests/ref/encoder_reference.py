#!/usr/bin/env python3
"""What the native encoder must compute, said by transformers: BertModel, f32, eager attention.

    encoder_reference.py ids  MODEL_DIR IDS.json              sequences to try, for this vocabulary
    encoder_reference.py run  MODEL_DIR IDS.json OUT.safetensors [--grads]
    encoder_reference.py tiny DIR                             the committed tests/golden/tiny-bert

IDS.json is a list of lists of token ids. Each sequence runs alone, so that no padding and no
attention mask is in the answer. OUT holds, with all sequences laid end to end (N rows in all,
sequence b in rows offsets[b] .. offsets[b+1]):

    ids      i32 [N]      the token ids          offsets  i32 [B+1]
    hidden   f32 [N,H]    last_hidden_state
    probe    f32 [N,H]    with --grads: a fixed random R; the loss is sum(hidden * R)
    grad.X   f32          with --grads: d(loss)/d(X) for every tensor X of the checkpoint
                          (zero but for rounding at key biases: softmax does not see them)

`tiny` is deterministic for one torch version; the committed files came from the versions in
requirements.txt. Needs the environment of tools/reference_env.sh.
"""
import argparse
import json
import os
import random

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()

SEED = 20406
# Head size, feed-forward size and vocabulary are no multiples of a vector register.
TINY = {
    "vocab_size": 30, "hidden_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 22, "max_position_embeddings": 16, "type_vocab_size": 2,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1, "pad_token_id": 0,
}


def load(model_dir):
    model = BertModel.from_pretrained(model_dir, add_pooling_layer=False, dtype=torch.float32,
                                      attn_implementation="eager")
    return model.eval()


def run(model, sequences, grads):
    """The tensors of OUT (see above) for these sequences."""
    hidden = torch.cat([model(torch.tensor([s])).last_hidden_state[0] for s in sequences])
    lengths = torch.tensor([0] + [len(s) for s in sequences])
    out = {
        "ids": torch.tensor(sum(sequences, []), dtype=torch.int32),
        "offsets": torch.cumsum(lengths, 0).to(torch.int32),
        "hidden": hidden.detach().contiguous(),
    }
    if grads:
        probe = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(SEED))
        (hidden * probe).sum().backward()
        out["probe"] = probe
        out.update({f"grad.{name}": p.grad for name, p in model.named_parameters()})
    return out


def sequences_for(vocab_size, n_positions, lengths):
    """Random ids; ids recur within and across sequences, so that gradients of rows add up.

    Never id 0: torch's embedding gives its padding row no gradient."""
    rng = random.Random(SEED)
    return [[rng.randrange(1, vocab_size) for _ in range(min(n, n_positions))] for n in lengths]


def make_tiny(out_dir):
    """A random encoder small enough to commit, with what it computes and its gradients."""
    torch.manual_seed(SEED)
    model = BertModel(BertConfig(**TINY, attn_implementation="eager"), add_pooling_layer=False)
    for name, p in model.named_parameters():
        # Larger than BERT's initial values, so that attention and GELU leave their linear range,
        # and no bias is 0 and no LayerNorm weight 1, so that leaving one out shows.
        torch.nn.init.normal_(p, 1.0 if "LayerNorm.weight" in name else 0.0, 0.3)
    os.makedirs(out_dir, exist_ok=True)
    config = {"architectures": ["BertModel"], "model_type": "bert", **TINY}
    with open(f"{out_dir}/config.json", "w") as f:
        f.write(json.dumps(config, indent=2) + "\n")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()},
              f"{out_dir}/model.safetensors", metadata={"format": "pt"})
    sequences = sequences_for(TINY["vocab_size"], TINY["max_position_embeddings"],
                              [7, 2, 16, 1])
    with open(f"{out_dir}/ids.json", "w") as f:
        f.write(json.dumps(sequences) + "\n")
    save_file(run(load(out_dir), sequences, grads=True), f"{out_dir}/expected.safetensors")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in {"ids": ["model", "ids"], "run": ["model", "ids", "out"],
                            "tiny": ["model"]}.items():
        command = commands.add_parser(name)
        for a in arguments:
            command.add_argument(a)
        if name == "run":
            command.add_argument("--grads", action="store_true")
    args = parser.parse_args()

    if args.command == "tiny":
        make_tiny(args.model)
    elif args.command == "ids":
        with open(f"{args.model}/config.json") as f:
            config = json.load(f)
        sequences = sequences_for(config["vocab_size"], config["max_position_embeddings"],
                                  [2, 512, 17, 1, 64, 33, 128, 3])
        with open(args.ids, "w") as f:
            f.write(json.dumps(sequences) + "\n")
    else:
        with open(args.ids) as f:
            sequences = json.load(f)
        save_file(run(load(args.model), sequences, args.grads), args.out)


if __name__ == "__main__":
    main()
