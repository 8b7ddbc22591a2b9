#!/usr/bin/env python3
"""A SAM or SlimSAM of transformers as the two ONNX files that gmner's stage segment reads:

    tools/export_sam.py MODEL FOLDER

MODEL: a folder, or a name that transformers downloads (facebook/sam-vit-base, nielsr/slimsam-77-uniform).
Written are FOLDER/vision_encoder.onnx and FOLDER/prompt_encoder_mask_decoder.onnx, which takes boxes: the
exports of optimum and transformers.js take points alone. Needs PyTorch and transformers
(tools/reference_env.sh makes such an environment). Then: `backend: sam` with `model: FOLDER/`.
"""
import os
import sys
import warnings

import torch

from export_phrases import write_onnx


class Encoder(torch.nn.Module):
    """[1,3,S,S] -> image_embeddings and (with `positions`) image_positional_embeddings, [1,C,S/16,S/16] each."""

    def __init__(self, model, positions=True):
        super().__init__()
        self.model, self.positions = model, positions

    def forward(self, pixel_values):
        embeddings = self.model.vision_encoder(pixel_values).last_hidden_state
        if not self.positions:
            return embeddings
        return embeddings, self.model.get_image_wide_positional_embeddings().repeat(embeddings.shape[0], 1, 1, 1)


class Decoder(torch.nn.Module):
    """The prompt encoder and mask decoder, with boxes [1,N,4], points [1,N,P,2] and their labels, or both."""

    def __init__(self, model, points=False, boxes=True):
        super().__init__()
        self.model, self.points, self.boxes = model, points, boxes

    def forward(self, *inputs):
        inputs = list(inputs)
        points, labels = (inputs.pop(0), inputs.pop(0)) if self.points else (None, None)
        boxes = inputs.pop(0) if self.boxes else None
        embeddings, positions = inputs
        sparse, dense = self.model.prompt_encoder(points, labels, boxes, None)
        masks, scores = self.model.mask_decoder(
            image_embeddings=embeddings, image_positional_embeddings=positions, sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense, multimask_output=True)
        return scores, masks


def export(module, args, path, inputs, outputs, axes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_onnx(module, args, path, inputs, outputs, {n: axes.get(n, {}) for n in inputs + outputs})


def write_encoder(model, path, name="pixel_values", positions=True):
    side = model.config.vision_config.image_size
    export(Encoder(model, positions), (torch.zeros(1, 3, side, side),), path, [name],
           ["image_embeddings", "image_positional_embeddings"][:1 + positions], {name: {0: "batch"}})


def write_decoder(model, path, points=False, boxes=True):
    n, c = model.config.vision_config.image_size // 16, model.config.prompt_encoder_config.hidden_size
    inputs, args, axes = [], [], {}
    if points:
        inputs += ["input_points", "input_labels"]
        args += [torch.rand(1, 1, 2, 2) * 50, torch.ones(1, 1, 2, dtype=torch.int64)]
        axes.update({"input_points": {0: "batch", 1: "prompts", 2: "points"},
                     "input_labels": {0: "batch", 1: "prompts", 2: "points"}})
    if boxes:
        inputs.append("input_boxes")
        args.append(torch.tensor([[[1., 2, 30, 40]]]))
        axes["input_boxes"] = {0: "batch", 1: "prompts"}
    inputs += ["image_embeddings", "image_positional_embeddings"]
    args += [torch.rand(1, c, n, n), torch.rand(1, c, n, n)]
    axes.update({name: {0: "batch"} for name in inputs[-2:]})
    export(Decoder(model, points, boxes), tuple(args), path, inputs, ["iou_scores", "pred_masks"], axes)


def main():
    from transformers import SamModel
    if len(sys.argv) != 3:
        raise SystemExit(__doc__.strip())
    model = SamModel.from_pretrained(sys.argv[1], attn_implementation="eager", dtype=torch.float32).eval()
    os.makedirs(sys.argv[2], exist_ok=True)
    write_encoder(model, os.path.join(sys.argv[2], "vision_encoder.onnx"))
    write_decoder(model, os.path.join(sys.argv[2], "prompt_encoder_mask_decoder.onnx"))


if __name__ == "__main__":
    main()
