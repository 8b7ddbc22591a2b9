#!/usr/bin/env python3
"""What the native encoder must compute, said by transformers: AutoModel, f32, eager attention.

    encoder_reference.py ids    MODEL_DIR IDS.json              sequences to try, for this vocabulary
    encoder_reference.py run    MODEL_DIR IDS.json OUT.safetensors [--grads]
    encoder_reference.py tiny   FAMILY DIR                      tests/golden/tiny-FAMILY (TINY_OF)
    encoder_reference.py random FAMILY DIR                      a random model of a real shape (FAMILIES)

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
from transformers import AutoConfig, AutoModel
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
TINY_OF = {
    "bert": {"model_type": "bert", **TINY},
    "xlm-roberta": {"model_type": "xlm-roberta", **TINY, "max_position_embeddings": 18, "type_vocab_size": 1,
                    "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
    "distilbert": {"model_type": "distilbert", "vocab_size": 30, "dim": 20, "n_layers": 2, "n_heads": 4,
                   "hidden_dim": 22, "activation": "relu", "max_position_embeddings": 16, "pad_token_id": 0},
    "electra": {"model_type": "electra", **TINY, "embedding_size": 12, "hidden_act": "silu"},
    "mpnet": {"model_type": "mpnet", **TINY, "max_position_embeddings": 18, "hidden_act": "gelu_new",
              "pad_token_id": 1},
    "deberta-v2": {"model_type": "deberta-v2", **TINY, "type_vocab_size": 0, "relative_attention": True,
                   "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True,
                   "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "max_relative_positions": -1},
    "deberta-v2-conv": {"model_type": "deberta-v2", **TINY, "relative_attention": True, "pos_att_type": "c2p",
                        "max_relative_positions": 6, "conv_kernel_size": 5, "conv_groups": 2, "conv_act": "gelu"},
    "modernbert": {"model_type": "modernbert", "vocab_size": 30, "hidden_size": 20, "num_hidden_layers": 3,
                   "num_attention_heads": 2, "intermediate_size": 22, "max_position_embeddings": 16,
                   "local_attention": 6, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
                   "cls_token_id": 1, "sep_token_id": 2},
}


def shape(model_type, hidden, layers, heads, intermediate, **more):
    roberta = model_type in ("roberta", "xlm-roberta", "camembert", "mpnet")
    return {"model_type": model_type, "hidden_size": hidden, "num_hidden_layers": layers,
            "num_attention_heads": heads, "intermediate_size": intermediate, "hidden_act": "gelu",
            "max_position_embeddings": 514 if roberta else 512, "type_vocab_size": 1 if roberta else 2,
            "layer_norm_eps": 1e-5 if roberta else 1e-12, "pad_token_id": 1 if roberta else 0, **more}


# The shapes of the published models, but for the vocabularies, which are cut to their first ids.
FAMILIES = {
    "bert-base": shape("bert", 768, 12, 12, 3072, vocab_size=2000),
    "roberta-base": shape("roberta", 768, 12, 12, 3072, vocab_size=2000),
    "xlm-roberta-base": shape("xlm-roberta", 768, 12, 12, 3072, vocab_size=2000),
    "xlm-roberta-large": shape("xlm-roberta", 1024, 24, 16, 4096, vocab_size=2000),
    "minilm": shape("bert", 384, 6, 12, 1536, vocab_size=2000),
    "minilm-multilingual": shape("bert", 384, 12, 12, 1536, vocab_size=2000, layer_norm_eps=1e-12),
    "e5-small": shape("bert", 384, 12, 12, 1536, vocab_size=2000),
    "multilingual-e5-base": shape("xlm-roberta", 768, 12, 12, 3072, vocab_size=2000),
    "camembert-base": shape("camembert", 768, 12, 12, 3072, vocab_size=2000),
    "electra-small": shape("electra", 256, 12, 4, 1024, vocab_size=2000, embedding_size=128),
    "distilbert-base": {"model_type": "distilbert", "vocab_size": 2000, "dim": 768, "n_layers": 6, "n_heads": 12,
                        "hidden_dim": 3072, "activation": "gelu", "max_position_embeddings": 512, "pad_token_id": 0},
    "mpnet-base": shape("mpnet", 768, 12, 12, 3072, vocab_size=2000),
    "deberta-v3-base": shape("deberta-v2", 768, 12, 12, 3072, vocab_size=2000, type_vocab_size=0,
                             layer_norm_eps=1e-7, relative_attention=True, position_buckets=256,
                             norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type="p2c|c2p",
                             position_biased_input=False, max_relative_positions=-1, pad_token_id=0,
                             max_position_embeddings=512),
    # Older forms: projections of their own, positions in the input, distances that are cut off.
    "deberta-v2-own": shape("deberta-v2", 96, 3, 6, 200, vocab_size=2000, type_vocab_size=2, layer_norm_eps=1e-7,
                            relative_attention=True, pos_att_type=["c2p", "p2c"], max_relative_positions=40,
                            pad_token_id=0, max_position_embeddings=512, hidden_act="gelu_new"),
    # The larger ones, cut to three of their 24 or 48 layers: a convolution beside the first.
    "deberta-v2-xlarge": shape("deberta-v2", 1536, 3, 24, 6144, vocab_size=2000, type_vocab_size=0,
                               layer_norm_eps=1e-7, relative_attention=True, position_buckets=256,
                               norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type="p2c|c2p",
                               position_biased_input=False, max_relative_positions=-1, pad_token_id=0,
                               attention_head_size=64, max_position_embeddings=512, conv_kernel_size=3,
                               conv_act="gelu"),
    "deberta-v2-groups": shape("deberta-v2", 96, 3, 6, 200, vocab_size=2000, layer_norm_eps=1e-7, pad_token_id=0,
                               conv_kernel_size=5, conv_groups=2),
    "modernbert-base": {"model_type": "modernbert", "vocab_size": 2000, "hidden_size": 768, "num_hidden_layers": 22,
                        "num_attention_heads": 12, "intermediate_size": 1152, "max_position_embeddings": 8192,
                        "global_attn_every_n_layers": 3, "local_attention": 128, "global_rope_theta": 160000.0,
                        "local_rope_theta": 10000.0, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
                        "cls_token_id": 1, "sep_token_id": 2},
}
POSITIONS_BEHIND_PADDING = ("xlm-roberta", "roberta", "camembert", "mpnet")


def bare(model_type):
    """Arguments that leave out a pooling layer, where the family has one."""
    return {} if model_type in ("distilbert", "electra", "deberta-v2", "modernbert") else {"add_pooling_layer": False}


def load(model_dir):
    with open(f"{model_dir}/config.json") as f:
        arguments = bare(json.load(f)["model_type"])
    model = AutoModel.from_pretrained(model_dir, dtype=torch.float32, attn_implementation="eager", **arguments)
    return model.eval()


def run(model, sequences, grads):
    """The tensors of OUT (see above) for these sequences."""
    if getattr(model.config, "conv_kernel_size", 0):  # looks at neighbours: as one batch, so that some are padding
        longest = max(len(s) for s in sequences)
        ids, mask = (torch.tensor([f(s) + [0] * (longest - len(s)) for s in sequences])
                     for f in (list, lambda s: [1] * len(s)))
        states = model(ids, attention_mask=mask).last_hidden_state
        hidden = torch.cat([x[:len(s)] for x, s in zip(states, sequences)])
    else:
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


def sequences_for(config, lengths, with_padding):
    """Random ids; ids recur within and across sequences, so that gradients of rows add up. Never id 0, and
    padding ids only where asked for: torch's embedding gives their rows no gradient."""
    rng = random.Random(SEED)
    pad = config.get("pad_token_id", 0)
    room = config.get("max_position_embeddings", 512)
    room -= pad + 1 if config["model_type"] in POSITIONS_BEHIND_PADDING else 0
    ids = [i for i in range(1, config["vocab_size"]) if i != pad]
    out = [[rng.choice(ids) for _ in range(min(n, room))] for n in lengths]
    if with_padding:  # as a text gives them that spells the padding token
        out[2][5] = out[2][6] = out[0][0] = pad
    return out


def random_model(config, std):
    """A model with random values: larger than the usual initial ones, so that attention and GELU leave their
    linear range, and no bias is 0 and no LayerNorm weight 1, so that leaving one out shows."""
    torch.manual_seed(SEED)
    model = AutoModel.from_config(AutoConfig.for_model(**config), attn_implementation="eager",
                                  **bare(config["model_type"]))
    for name, p in model.named_parameters():
        torch.nn.init.normal_(p, 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0, std)
    return model


def save_config(config, out_dir):
    os.makedirs(out_dir, exist_ok=True)
    with open(f"{out_dir}/config.json", "w") as f:
        f.write(json.dumps(config, indent=2) + "\n")


def make_tiny(family, out_dir):
    """A random encoder small enough to commit, with what it computes and its gradients. That of XLM-R is in
    two files, under the names of a checkpoint with a head."""
    config = TINY_OF[family]
    tensors = {k: v.contiguous() for k, v in random_model(config, 0.3).state_dict().items()}
    save_config({"architectures": ["BertModel"], **config} if family == "bert" else config, out_dir)
    save_file(tensors, f"{out_dir}/model.safetensors", metadata={"format": "pt"})
    sequences = sequences_for(config, [7, 2, 16, 1], with_padding=False)
    with open(f"{out_dir}/ids.json", "w") as f:
        f.write(json.dumps(sequences) + "\n")
    save_file(run(load(out_dir), sequences, grads=True), f"{out_dir}/expected.safetensors")
    if family != "xlm-roberta":
        return
    os.remove(f"{out_dir}/model.safetensors")
    names = sorted(tensors)
    weight_map = {}
    for k in range(2):
        part = f"model-0000{k + 1}-of-00002.safetensors"
        # Weight and bias together: query, key and value are in different files.
        mine = {"roberta." + n: tensors[n] for i, n in enumerate(names) if i // 2 % 2 == k}
        weight_map.update({n: part for n in mine})
        save_file(mine, f"{out_dir}/{part}", metadata={"format": "pt"})
    with open(f"{out_dir}/model.safetensors.index.json", "w") as f:
        f.write(json.dumps({"metadata": {}, "weight_map": weight_map}, indent=1, sort_keys=True) + "\n")


def make_random(family, out_dir):
    """A model of a published shape. Values as models have them: with larger ones the states of 24 layers are
    chaotic, and no two orders of summing agree."""
    config = FAMILIES[family]
    save_config(config, out_dir)
    save_file({k: v.contiguous() for k, v in random_model(config, 0.02).state_dict().items()},
              f"{out_dir}/model.safetensors", metadata={"format": "pt"})


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in {"ids": ["model", "ids"], "run": ["model", "ids", "out"],
                            "tiny": ["family", "model"], "random": ["family", "model"]}.items():
        command = commands.add_parser(name)
        for a in arguments:
            command.add_argument(a)
        if name == "run":
            command.add_argument("--grads", action="store_true")
    args = parser.parse_args()

    if args.command == "tiny":
        make_tiny(args.family, args.model)
    elif args.command == "random":
        make_random(args.family, args.model)
    elif args.command == "ids":
        with open(f"{args.model}/config.json") as f:
            config = json.load(f)
        sequences = sequences_for(config, [2, 512, 17, 1, 64, 33, 128, 3],
                                  with_padding=config["model_type"] in POSITIONS_BEHIND_PADDING)
        with open(args.ids, "w") as f:
            f.write(json.dumps(sequences) + "\n")
    else:
        with open(args.ids) as f:
            sequences = json.load(f)
        save_file(run(load(args.model), sequences, args.grads), args.out)


if __name__ == "__main__":
    main()
