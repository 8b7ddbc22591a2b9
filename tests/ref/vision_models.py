"""Randomly initialised models of transformers in the folders that exports have, for comparing and timing:
onnx/model.onnx, config.json, preprocessor_config.json, tokenizer.json.

    make(kind, folder, size) -> (model, processor)      kind of KINDS, size "small" or "full" (the published shape)
    build(kind, folder, size)                           the same without writing the export

Needs tools/reference_env.sh (its --bench for owlv2, whose processor wants SciPy).
"""
import json
import os
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.simplefilter("ignore")

import numpy as np
import torch
import transformers as hf
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil
from transformers.utils import logging

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import export_phrases
import export_sam
import sam_models

logging.set_verbosity_error()
logging.disable_progress_bar()

WORDS = """a man in a dark suit and a red tie standing at a lectern; the logo of a football club on a banner; women
singing on a stage with a microphone; the tower of a city at night, photographed from below; dogs, cats & 2 birds;
people's faces in a crowd; a black car's door; the flag of the United States; a poster of the movie""".split(";")


def clip_tokenizer(folder):
    """CLIP's tokenizer with a vocabulary trained on WORDS (once a folder: training is not the same every time); the
    end of a text has the highest id, as there."""
    if os.path.exists(os.path.join(folder, "tokenizer.json")):
        return hf.CLIPTokenizer.from_pretrained(folder)
    from tokenizers import pre_tokenizers, trainers
    tok = hf.CLIPTokenizer()._tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator(WORDS, trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False))
    model = json.loads(tok.to_str())["model"]
    vocab = model["vocab"]
    for token in ("<|startoftext|>", "<|endoftext|>"):
        vocab.pop(token, None)
    vocab = {t: i for i, t in enumerate(sorted(vocab, key=vocab.get))}
    for token in ("<|startoftext|>", "<|endoftext|>"):
        vocab[token] = len(vocab)
    merges = [tuple(m) for m in model["merges"]]
    made = hf.CLIPTokenizer(vocab=vocab, merges=merges, pad_token="!", model_max_length=16)
    made.save_pretrained(folder)
    return made


# -- the models -----------------------------------------------------------------------------------

def owl(kind, size, vocab):
    config, of = {"owlvit": (hf.OwlViTConfig, hf.OwlViTForObjectDetection),
                  "owlv2": (hf.Owlv2Config, hf.Owlv2ForObjectDetection)}[kind]
    ends = dict(bos_token_id=vocab - 2, eos_token_id=vocab - 1, pad_token_id=0, vocab_size=vocab)
    side = {"owlvit": 768, "owlv2": 960}[kind]
    if size == "full":  # google/owlvit-base-patch32, owlv2-base-patch16
        text, vision = dict(ends), dict(image_size=side, patch_size=32 if kind == "owlvit" else 16)
    else:
        text = dict(ends, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
        vision = dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                      image_size=side // 4, patch_size=16)
    more = {} if size == "full" else dict(projection_dim=32)
    return of(config(text_config=text, vision_config=vision, **more))


def grounding_dino(size):
    if size == "full":  # IDEA-Research/grounding-dino-tiny
        return hf.GroundingDinoForObjectDetection(hf.GroundingDinoConfig())
    swin = hf.SwinConfig(image_size=64, embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], window_size=2,
                         out_indices=[2, 3, 4])
    text = hf.BertConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    return hf.GroundingDinoForObjectDetection(hf.GroundingDinoConfig(
        backbone_config=swin, text_config=text, d_model=32, encoder_layers=2, decoder_layers=2, num_queries=60,
        encoder_ffn_dim=64, decoder_ffn_dim=64, encoder_attention_heads=4, decoder_attention_heads=4))


def clip(size):
    small = {} if size == "full" else dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2,
                                           num_attention_heads=4, projection_dim=24)
    return hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig(
        **{**dict(image_size=224, patch_size=32, projection_dim=512), **small}))


def sam(size, attention="sdpa"):
    """facebook/sam-vit-base."""
    if size == "small":
        return sam_models.random_sam()
    config = hf.SamConfig()
    config._attn_implementation = attention
    model = hf.SamModel(config)
    sam_models.spread(model)
    return model


# -- folders --------------------------------------------------------------------------------------

BERT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".deps", "models", "minilm")


def processor_of(kind, size, folder):
    if kind == "grounding-dino":
        edges = {} if size == "full" else {"size": {"shortest_edge": 192, "longest_edge": 448}}
        tokenizer = hf.BertTokenizer.from_pretrained(BERT)
        return hf.GroundingDinoProcessor(GroundingDinoImageProcessorPil(**edges), tokenizer)
    side = {"owlvit": 768, "owlv2": 960}[kind] // (1 if size == "full" else 4)
    image = {"owlvit": OwlViTImageProcessorPil, "owlv2": Owlv2ImageProcessorPil}[kind]
    of = {"owlvit": hf.OwlViTProcessor, "owlv2": hf.Owlv2Processor}[kind]
    return of(image(size={"height": side, "width": side}), clip_tokenizer(folder))


def build(kind, folder, size):
    """The same weights every time."""
    torch.manual_seed(1)
    if kind == "clip":
        return clip(size).eval(), CLIPImageProcessorPil()
    if kind == "sam":
        side = 1024 if size == "full" else 256
        edges = {"size": {"longest_edge": side}, "pad_size": {"height": side, "width": side}}
        return sam(size).eval(), hf.SamProcessor(hf.SamImageProcessorPil(**edges))
    processor = processor_of(kind, size, folder)
    model = grounding_dino(size) if kind == "grounding-dino" else owl(kind, size, len(processor.tokenizer))
    spread(model)
    return model.eval(), processor


def make(kind, folder, size):
    os.makedirs(folder, exist_ok=True)
    model, processor = build(kind, folder, size)
    if kind == "sam":
        torch.manual_seed(1)
        eager = model if size == "small" else sam(size, attention="eager").eval()  # the same weights
        export_sam.write_encoder(eager, os.path.join(folder, "vision_encoder.onnx"))
        export_sam.write_decoder(eager, os.path.join(folder, "prompt_encoder_mask_decoder.onnx"))
    elif kind == "clip":
        export_clip(model, os.path.join(folder, "vision_model.onnx"))
    else:
        export_phrases.export(model, processor, folder)
    with open(os.path.join(folder, "made"), "w", encoding="utf-8") as f:
        f.write(f"{kind} {size}\n")
    return model, processor


def spread(model):
    """Weights of the heads with which scores and boxes differ from place to place and stay in a trained model's
    range: transformers leaves some of them at 0 and others so large that every sigmoid is 0 or 1."""
    for name, p in model.named_parameters():
        if p.ndim > 1 and ("box" in name or "class_head" in name):
            p.data.normal_(0, (3 if "logit" in name else 1) * p.shape[1] ** -0.5)


def export_clip(model, path):
    class Embeds(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pixel_values):
            return self.model(pixel_values=pixel_values).image_embeds

    export_phrases.write_onnx(Embeds().eval(), (torch.zeros(1, 3, 224, 224),), path, ["pixel_values"], ["image_embeds"],
                              {"pixel_values": {0: "batch"}, "image_embeds": {0: "batch"}})


# -- what they find -------------------------------------------------------------------------------

@torch.inference_mode()
def results(kind, model, processor, images, texts):
    """Of each picture the numbers that bench_vision writes, as one array."""
    if kind == "clip":
        pixels = torch.tensor(np.stack(processor(images)["pixel_values"]))
        v = model(pixel_values=pixels).image_embeds.float().numpy().astype(np.float64)
        return list(v / np.linalg.norm(v, axis=1, keepdims=True))
    if kind == "sam":
        return [middle_mask(model, processor, image) for image in images]
    return [phrases_of(kind, model, processor, im, texts) for im in images]


def middle_mask(model, processor, image):
    """Logits of the best mask of the box around the picture's middle half."""
    w, h = image.size
    inputs = processor(image, input_boxes=[[[w / 4, h / 4, w * 0.75, h * 0.75]]], return_tensors="pt")
    out = model(pixel_values=inputs["pixel_values"], input_boxes=inputs["input_boxes"].float(), multimask_output=True)
    return out.pred_masks[0, 0, int(out.iou_scores[0, 0].argmax())].float().numpy()


def phrases_of(kind, model, processor, image, texts):
    """Logits [boxes][texts], then boxes as shares of the picture's width and height."""
    line = kind == "grounding-dino"
    if line:  # its own marks of an end can't be in a phrase
        plain = [t.lower().replace(".", " ").replace("?", " ").strip() for t in texts]
        inputs = processor(images=image, text=". ".join(plain) + ".", return_tensors="pt")
    else:
        inputs = processor(images=image, text=[texts], return_tensors="pt", truncation=True)
    out = model(**inputs)
    logits = out.logits[0].float().numpy()
    if line:
        ids = inputs["input_ids"][0].tolist()
        stops = [i for i, t in enumerate(ids) if t == 1012]
        starts = [1] + [s + 1 for s in stops[:-1]]
        logits = np.stack([logits[:, a:b].max(1) for a, b in zip(starts, stops)], 1)
    sizes = torch.tensor([(image.height, image.width)])
    if line:
        found = processor.post_process_grounded_object_detection(
            out, inputs["input_ids"], threshold=-1, text_threshold=2, target_sizes=sizes)[0]["boxes"]
    else:
        found = processor.image_processor.post_process_object_detection(
            out, threshold=-1, target_sizes=sizes)[0]["boxes"]
    shares = found.float().numpy() / np.array([image.width, image.height] * 2)
    return np.concatenate([logits.ravel(), shares.ravel()])


# sam is compared by sam_reference.py, in all its layouts.
KINDS = ["clip", "owlvit", "owlv2", "grounding-dino"]

if __name__ == "__main__":
    make(*sys.argv[1:4])
