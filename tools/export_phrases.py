#!/usr/bin/env python3
"""Exports a phrase detector of transformers (OWL-ViT, OWLv2, Grounding DINO) for `ground: phrases`:

    export_phrases.py MODEL FOLDER

MODEL is a folder, or a name such as IDEA-Research/grounding-dino-tiny, which transformers then downloads. FOLDER gets
onnx/model.onnx, config.json, preprocessor_config.json and tokenizer.json, as optimum's and transformers.js's exports
have them. optimum-cli does the same for OWL-ViT and OWLv2 and can't for Grounding DINO, whose text masks it would
freeze to the phrases of one example: here they are computed in the model. Needs PyTorch and transformers (made with
2.13.0 and 5.23.0); gmner itself never does.
"""
import os
import sys

import torch
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor
from transformers.models.grounding_dino import modeling_grounding_dino

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


class Exported(torch.nn.Module):
    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs):
        out = self.model(**dict(zip(self.names, inputs)))
        return out.logits, out.pred_boxes


def example(model, processor):
    """Inputs of two phrases and a picture that is not square, where the model takes such."""
    from PIL import Image
    texts = ["a cat", "a dog"]
    out = processor(images=Image.new("RGB", (640, 480)), text=[texts], return_tensors="pt")
    if model.config.model_type == "grounding-dino":
        out = processor(images=Image.new("RGB", (640, 480)), text=". ".join(texts) + ".", return_tensors="pt")
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
    modeling_grounding_dino.generate_masks_with_special_tokens_and_transfer_map, was = \
        phrase_masks, modeling_grounding_dino.generate_masks_with_special_tokens_and_transfer_map
    names, inputs = example(model, processor)
    try:
        write_onnx(Exported(model, names), inputs, os.path.join(folder, "onnx", "model.onnx"), names,
                   ["logits", "pred_boxes"], AXES)
    finally:
        modeling_grounding_dino.generate_masks_with_special_tokens_and_transfer_map = was
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
