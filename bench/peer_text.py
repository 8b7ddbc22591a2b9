#!/usr/bin/env python3
"""RapidOCR on its default runtime (ONNX Runtime) over pictures, as one writes it: how many lines.

    peer_text.py THREADS PICTURE...
"""
import sys

import cv2
from rapidocr import RapidOCR

threads = int(sys.argv[1])
cv2.setNumThreads(threads)
ocr = RapidOCR(params={"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": threads})
lines = 0
for path in sys.argv[2:]:
    r = ocr(path)
    lines += 0 if r.txts is None else len(r.txts)
print(lines)
