"""Phrase detectors of a few operations in OpenVINO's IR, without PyTorch, whose answers are known: each of the words
below has boxes where it always is. In the layout of OWL-ViT (a row a phrase), or of Grounding DINO (one line).

    logits[box][column] = 8 (light - |id of the column's token - id of the box's word|) - 4

where light is 1 for a white picture and 0 for a black one: a word's own boxes have the logit 4 on white, every other word
less than -4. Of the two boxes of a dog one is darker by half a point of light, and one box lies on another.
"""
import json
import os

import tiny_sam

SIDE, LENGTH = 64, 16
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", "?", "the", "dog", "man", "tower", "logo"]
# word, how much less light, centre x, y, width, height as shares of the picture
BOXES = [("dog", 0, 0.25, 0.5, 0.2, 0.4), ("dog", 0.0625, 0.75, 0.5, 0.2, 0.4), ("dog", 0.03125, 0.25, 0.5, 0.2, 0.36),
         ("man", 0.25, 0.5, 0.5, 0.5, 1.0), ("tower", 0, 0.5, 0.0, 0.5, 0.5)]


def tokenizer():
    ids = {t: i * 10 for i, t in enumerate(VOCABULARY)}  # ten apart: neighbours are far from each other
    special = [{"id": ids[t], "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for t in VOCABULARY[:4]]
    around = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
              {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                           "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing", "single": around, "pair": around, "special_tokens": {
                t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")}},
            "decoder": None,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": ids}}


def write_model(path, line, outputs=("logits", "pred_boxes"), inputs=("pixel_values", "input_ids")):
    net, n = tiny_sam.Net(), len(BOXES)
    pixels = net.param(inputs[0], [1, 3, -1, -1] if line else [1, 3, SIDE, SIDE])
    ids = net.param(inputs[1], [1, -1] if line else [-1, LENGTH])
    light = net.op("ReduceMean", [pixels, net.const([0, 1, 2, 3], [4], whole=True)], [[1, 1, 1, 1]],
                   'keep_dims="true"')[0]
    light = net.op("Reshape", [light, net.const([1, 1, 1], [3], whole=True)], [[1, 1, 1]], 'special_zero="false"')[0]
    if not line:  # the first token behind the start
        ids = net.op("Split", [ids, net.const([1], [], whole=True)], [[-1, 1]] * LENGTH, f'num_splits="{LENGTH}"')[1]
    columns = net.op("Reshape", [ids, net.const([1, 1, -1], [3], whole=True)], [[1, 1, -1]], 'special_zero="false"')[0]
    word = net.const([10 * VOCABULARY.index(b[0]) for b in BOXES], [1, n, 1])
    away = net.op("Abs", [net.binary("Subtract", columns, word, [1, n, -1])], [[1, n, -1]])[0]
    less = net.binary("Add", away, net.const([b[1] for b in BOXES], [1, n, 1]), [1, n, -1])
    score = net.binary("Multiply", net.binary("Subtract", light, less, [1, n, -1]), net.const([8], [1]), [1, n, -1])
    net.result(net.binary("Subtract", score, net.const([4], [1]), [1, n, -1], outputs[0]))
    boxes = net.const([x for b in BOXES for x in b[2:]], [1, n, 4])
    net.result(net.binary("Multiply", boxes, net.const([1], [1]), [1, n, 4], outputs[1]))
    net.write(path)


def write(folder, kind):
    """kind: owlvit, owlv2 or grounding-dino."""
    os.makedirs(folder, exist_ok=True)
    line = kind == "grounding-dino"
    size = {"shortest_edge": 32, "longest_edge": 64} if line else {"height": SIDE, "width": SIDE}
    config = {"model_type": kind, "max_text_len": 64} if line else {"model_type": kind, "text_config": {}}
    plain = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": False, "size": size,
             "resample": 2}
    for name, content in (("config.json", config), ("preprocessor_config.json", plain), ("tokenizer.json", tokenizer())):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(content, f)
    write_model(os.path.join(folder, "openvino_model.xml"), line)
    return folder
