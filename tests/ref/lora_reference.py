#!/usr/bin/env python3
"""What adapters (LoRA) must compute, said by peft on transformers' AutoModel, f32.

    lora_reference.py make FAMILY DIR      a random model of that family (a tiny one of encoder_reference.py, or one of
                                           its real shapes) with adapters of random values, in DIR/base and DIR/adapter;
                                           DIR/expected.safetensors has ids, offsets, hidden, probe and the gradients
                                           as there, of lora_A and lora_B only, and the merged weights as merged.NAME
    lora_reference.py read BASE ADAPTER OUT.safetensors
                                           the merged weights of an adapter that somebody else wrote

Needs the environment of tools/reference_env.sh --peft.
"""
import json
import os
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file

import encoder_reference as er

# Rank, alpha, rank-stabilised, and the layers: two families with a part of q, k, v only.
SETTINGS = {"bert": (3, 5, False, ["query", "value", "output.dense"]), "modernbert": (4, 8, True, None),
            "distilbert": (2, 3, False, ["q_lin", "k_lin", "lin2"])}

# Layers that are trained whole beside them: a key between query and value.
WHOLE = {"bert": ["key"]}


def linear_layers(model):
    return [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and not n.startswith("pooler")]


def merged_weights(peft_model):
    model = peft_model.merge_and_unload()
    return {f"merged.{n}": p.detach().contiguous().clone() for n, p in model.named_parameters() if p.dim() == 2}


def make(family, out_dir):
    config = er.TINY_OF.get(family) or er.FAMILIES[family]
    base, adapter = f"{out_dir}/base", f"{out_dir}/adapter"
    er.save_config(config, base)
    model = er.random_model(config, 0.3 if family in er.TINY_OF else 0.02)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, f"{base}/model.safetensors",
              metadata={"format": "pt"})
    rank, alpha, stabilised, targets = SETTINGS.get(family, (3, 6, False, None))
    whole = WHOLE.get(family)
    model = er.load(base)
    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=alpha, use_rslora=stabilised, lora_dropout=0.0,
                                             target_modules=targets or linear_layers(model), modules_to_save=whole))
    torch.manual_seed(er.SEED + 1)
    for name, p in model.named_parameters():
        if "lora_" in name or "modules_to_save" in name:
            torch.nn.init.normal_(p, 0.0, 0.3 if family in er.TINY_OF else 0.02)
    model.eval()
    model.save_pretrained(adapter)
    out = er.run(model, er.sequences_for(config, [7, 2, 16, 1], with_padding=False), grads=False)
    hidden = torch.cat([model(torch.tensor([out["ids"][a:b].tolist()])).last_hidden_state[0]
                        for a, b in zip(out["offsets"], out["offsets"][1:])])
    out["probe"] = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(er.SEED))
    (hidden * out["probe"]).sum().backward()
    for name, p in model.named_parameters():
        if "lora_" in name:
            out["grad." + name.replace("base_model.model.", "").replace(".default", "")] = p.grad.contiguous()
    out.update(merged_weights(model))
    save_file(out, f"{out_dir}/expected.safetensors")


def read(base, adapter, out):
    model = PeftModel.from_pretrained(er.load(base), adapter)
    have = {n for n, _ in model.named_parameters() if "lora_" in n}
    with open(f"{adapter}/adapter_config.json") as f:
        print(f"peft reads {len(have)} factors, r {json.load(f)['r']}")
    save_file(merged_weights(model), out)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "make":
        os.makedirs(sys.argv[3], exist_ok=True)
        make(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 5 and sys.argv[1] == "read":
        read(*sys.argv[2:])
    else:
        sys.exit(__doc__)
