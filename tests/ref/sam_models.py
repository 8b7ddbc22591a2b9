"""Random SAM models of `transformers` and their exports in the layouts that gmner reads:

    transformers   pixel_values -> embeddings, positions; boxes, points or both -> iou_scores, pred_masks
    Meta's         as segment-anything's scripts/export_onnx_model.py and samexporter write them
    EfficientSAM   as its export script does

The last two are wrappers around the same weights that do what those projects' own modules do.
"""
import os
import sys

import torch
import torch.nn.functional as F
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "tools"))
from export_sam import export, write_decoder, write_encoder

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def spread(model):
    """Weights so large that masks are neither empty nor all, and depend on the picture: transformers' own first
    weights of the encoder are of 1e-10."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim > 1 and "norm" not in name:
                p.normal_(0, 1.2 / (p[0].numel() ** 0.5))


def random_sam(side=256, hidden=32, layers=2, heads=2, channels=32, seed=3):
    """A small SamModel in evaluation mode."""
    torch.manual_seed(seed)
    config = SamConfig(
        vision_config=SamVisionConfig(hidden_size=hidden, output_channels=channels, num_hidden_layers=layers,
                                      num_attention_heads=heads, image_size=side, patch_size=16, mlp_dim=4 * hidden,
                                      window_size=14 if side >= 1024 else 5, num_pos_feats=channels // 2,
                                      global_attn_indexes=[2, 5, 8, 11] if layers == 12 else [layers - 1]),
        prompt_encoder_config=SamPromptEncoderConfig(hidden_size=channels, image_size=side, patch_size=16,
                                                     image_embedding_size=side // 16),
        mask_decoder_config=SamMaskDecoderConfig(hidden_size=channels, mlp_dim=2 * channels, num_attention_heads=2,
                                                 iou_head_hidden_dim=channels))
    config._attn_implementation = "eager"
    model = SamModel(config).eval()
    spread(model)
    return model


class RowsEncoder(torch.nn.Module):
    """samexporter's: [H,W,3] of 0 to 255, normalised and padded inside."""

    def __init__(self, model):
        super().__init__()
        self.model, self.side = model, model.config.vision_config.image_size

    def forward(self, input_image):
        x = (input_image / 255 - MEAN) / STD
        x = x.permute(2, 0, 1)[None]
        x = F.pad(x, (0, self.side - x.shape[3], 0, self.side - x.shape[2]))
        return self.model.vision_encoder(x).last_hidden_state


def corner_embeddings(model, coords, labels):
    """[1,1,N,C] of points [1,N,2] in pixels of the square, as segment-anything's _embed_points."""
    prompts, side = model.prompt_encoder, model.config.vision_config.image_size
    e = prompts.shared_embedding((coords + 0.5)[:, None], (side, side))
    labels = labels[:, None, :, None]
    e = e * (labels != -1) + prompts.not_a_point_embed.weight * (labels == -1)
    for i in range(4):
        e = e + prompts.point_embed[i].weight * (labels == i)
    return e


def decode(model, embeddings, sparse):
    n = model.config.vision_config.image_size // 16
    dense = model.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(1, -1, n, n)
    return model.mask_decoder(
        image_embeddings=embeddings, image_positional_embeddings=model.get_image_wide_positional_embeddings(),
        sparse_prompt_embeddings=sparse, dense_prompt_embeddings=dense, multimask_output=True)


class MetaDecoder(torch.nn.Module):
    def __init__(self, model, small):
        super().__init__()
        self.model, self.small = model, small

    def forward(self, image_embeddings, point_coords, point_labels, mask_input, has_mask_input, orig_im_size):
        side = self.model.config.vision_config.image_size
        masks, scores = decode(self.model, image_embeddings, corner_embeddings(self.model, point_coords, point_labels))
        low = masks[:, 0] + 0 * (mask_input.mean() * has_mask_input)
        size = orig_im_size.to(torch.int64)
        scale = side / torch.max(orig_im_size)
        kept = torch.floor(scale * orig_im_size + 0.5).to(torch.int64)
        whole = F.interpolate(low, (side, side), mode="bilinear", align_corners=False)
        whole = whole[..., :kept[0], :kept[1]]
        whole = F.interpolate(whole, (size[0], size[1]), mode="bilinear", align_corners=False)
        return (whole, scores[:, 0], low) if self.small else (whole, scores[:, 0])


class EfficientEncoder(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model, self.side = model, model.config.vision_config.image_size

    def forward(self, batched_images):
        x = F.interpolate(batched_images, (self.side, self.side), mode="bilinear", align_corners=False)
        return self.model.vision_encoder((x - MEAN[:, None, None]) / STD[:, None, None]).last_hidden_state


class EfficientDecoder(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image_embeddings, batched_point_coords, batched_point_labels, orig_im_size):
        side, size = self.model.config.vision_config.image_size, orig_im_size
        scale = torch.stack([side / size[1].float(), side / size[0].float()])
        sparse = corner_embeddings(self.model, batched_point_coords[:, 0] * scale, batched_point_labels[:, 0])
        masks, scores = decode(self.model, image_embeddings, sparse)
        whole = F.interpolate(masks[:, 0], (size[0], size[1]), mode="bicubic", align_corners=False)
        return whole[:, None], scores


def write_meta_decoder(model, path, small=True):
    n, c = model.config.vision_config.image_size // 16, model.config.prompt_encoder_config.hidden_size
    args = (torch.rand(1, c, n, n), torch.rand(1, 2, 2) * 50, torch.tensor([[2., 3]]), torch.zeros(1, 1, 4 * n, 4 * n),
            torch.zeros(1), torch.tensor([100., 150]))
    export(MetaDecoder(model, small), args, path,
           ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"],
           ["masks", "iou_predictions", "low_res_masks"][:2 + small],
           {"point_coords": {1: "points"}, "point_labels": {1: "points"}})


def write_rows_encoder(model, path):
    export(RowsEncoder(model), (torch.zeros(100, 150, 3),), path, ["input_image"], ["image_embeddings"],
           {"input_image": {0: "h", 1: "w"}})


def write_efficient(model, encoder, decoder):
    n, c = model.config.vision_config.image_size // 16, model.config.prompt_encoder_config.hidden_size
    export(EfficientEncoder(model), (torch.zeros(1, 3, 100, 150),), encoder, ["batched_images"], ["image_embeddings"],
           {"batched_images": {0: "batch", 2: "h", 3: "w"}})
    export(EfficientDecoder(model), (torch.rand(1, c, n, n), torch.rand(1, 1, 2, 2) * 50, torch.tensor([[[2., 3]]]),
                                     torch.tensor([100, 150])), decoder,
           ["image_embeddings", "batched_point_coords", "batched_point_labels", "orig_im_size"],
           ["output_masks", "iou_predictions"], {"batched_point_coords": {2: "points"},
                                                 "batched_point_labels": {2: "points"}})
