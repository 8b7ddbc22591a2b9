#!/usr/bin/env python3
"""Exports a phrase detector of transformers (OWL-ViT, OWLv2, Grounding DINO) for `ground: phrases`:

    export_phrases.py MODEL FOLDER

MODEL is a folder, or a name such as IDEA-Research/grounding-dino-tiny, which transformers then downloads. FOLDER gets
onnx/model.onnx, config.json, preprocessor_config.json and tokenizer.json, as optimum's and transformers.js's exports
have them. optimum-cli does the same for OWL-ViT and OWLv2 and can't for Grounding DINO, where tracing would freeze
the masks of one example's phrases and the paddings of its size: here the model computes both. Needs PyTorch and transformers (made with
2.13.0 and 5.23.0); gmner itself never does.
"""
import os
import sys

import torch
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor
from torch.nn.functional import pad
from transformers.models.grounding_dino import modeling_grounding_dino as dino
from transformers.models.swin import modeling_swin as swin

AXES = {"pixel_values": {0: "batch", 2: "height", 3: "width"}, "pixel_mask": {0: "batch", 1: "height", 2: "width"},
        "input_ids": {0: "texts", 1: "length"}, "attention_mask": {0: "texts", 1: "length"},
        "token_type_ids": {0: "texts", 1: "length"}, "logits": {0: "batch", 1: "boxes", 2: "columns"},
        "pred_boxes": {0: "batch", 1: "boxes"}}


def phrase_masks(input_ids, special_tokens):
    """What transformers' generate_masks_with_special_tokens_and_transfer_map gives, of operators that ONNX has."""
    n = input_ids.shape[1]
    at = torch.arange(n, device=input_ids.device)
    special = (input_ids[:, :, None] == special_tokens).any(2)[:, None, :]  # [batch, 1, where]
    before = torch.where(special & (at[None, :] < at[:, None]), at, torch.full_like(at, -1)).amax(2)
    after = torch.where(special & (at[None, :] >= at[:, None]), at, torch.full_like(at, n)).amin(2)
    inside = (after != 0) & (after != n - 1) & (after != n)
    mask = (after[:, :, None] == after[:, None, :]) & inside[:, None, :] | (at[:, None] == at)[None]
    return mask, torch.where(inside, at - before - 1, torch.zeros_like(before)).clamp(min=0)


def pad_to_patches(self, x, height, width):
    """SwinPatchEmbeddings.maybe_pad, without asking whether there is something to pad."""
    h, w = self.patch_size
    return pad(x, (0, (w - width % w) % w, 0, (h - height % h) % h))


def pad_to_even(self, x, height, width):
    """SwinPatchMerging.maybe_pad, the same."""
    return pad(x, (0, 0, 0, width % 2, 0, height % 2))


def as_tensor(data, *args, **kwargs):
    """torch.as_tensor, which makes a constant of the traced heights and widths that Grounding DINO gives it as
    pairs."""
    if isinstance(data, list) and data and all(isinstance(x, torch.Tensor) for pair in data for x in pair):
        return torch.stack([torch.stack(tuple(pair)) for pair in data]).long()
    return AS_TENSOR(data, *args, **kwargs)


AS_TENSOR = torch.as_tensor
# What is put in the place of transformers' and PyTorch's while tracing.
INSTEAD = [(torch, "as_tensor", as_tensor),
           (dino, "generate_masks_with_special_tokens_and_transfer_map", phrase_masks),
           (swin.SwinPatchEmbeddings, "maybe_pad", pad_to_patches), (swin.SwinPatchMerging, "maybe_pad", pad_to_even)]


class Exported(torch.nn.Module):
    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs):
        out = self.model(**dict(zip(self.names, inputs)))
        return out.logits, out.pred_boxes


def example(model, processor):
    """Names and values of inputs of two phrases. Grounding DINO's picture has to be padded at every stage of Swin: what
    cuts the padding off again is only in the traced model where there was some."""
    from PIL import Image
    texts = ["a cat", "a dog"]
    if model.config.model_type == "grounding-dino":
        out = processor.tokenizer(". ".join(texts) + ".", return_tensors="pt", return_token_type_ids=True)
        out = {**out, "pixel_values": torch.zeros(1, 3, 578, 770), "pixel_mask": torch.ones(1, 578, 770).long()}
    else:
        out = processor(images=Image.new("RGB", (640, 480)), text=[texts], return_tensors="pt")
    names = [n for n in ("pixel_values", "pixel_mask", "input_ids", "attention_mask", "token_type_ids") if n in out]
    return names, tuple(out[n] for n in names)


def write_onnx(module, inputs, path, names, outputs, axes):
    try:
        from torch.onnx._internal.torchscript_exporter import onnx_proto_utils
        onnx_proto_utils._add_onnxscript_fn = lambda data, *_: data  # wants a package for functions there are none of
    except ImportError:
        pass
    torch.onnx.export(module, inputs, path, input_names=names, output_names=outputs, opset_version=17, dynamo=False,
                      dynamic_axes={n: axes[n] for n in names + outputs})


def export(model, processor, folder):
    """Write the four files; the model is in eval mode."""
    os.makedirs(os.path.join(folder, "onnx"), exist_ok=True)
    names, inputs = example(model, processor)
    was = [(owner, name, getattr(owner, name)) for owner, name, _ in INSTEAD]
    for owner, name, function in INSTEAD:
        setattr(owner, name, function)
    try:
        write_onnx(Exported(model, names).eval(), inputs, os.path.join(folder, "onnx", "model.onnx"), names,
                   ["logits", "pred_boxes"], AXES)
    finally:
        for owner, name, function in was:
            setattr(owner, name, function)
    model.config.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)
    processor.tokenizer.save_pretrained(folder)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    export(model, AutoProcessor.from_pretrained(sys.argv[1]), sys.argv[2])


if __name__ == "__main__":
    main()
