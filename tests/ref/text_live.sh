#!/bin/sh
# The stage read beside RapidOCR on every picture of a folder:
#
#   text_live.sh GMNER MODEL_DIR FOLDER WORK_DIR
#
# Exit: 0 equal (text_reference.py says how far), 1 not, 77 (skipped, the reason on stderr) without the
# folder, the model or RapidOCR.
. "$(dirname "$0")/live.sh"
needs "$3" "beside the checkout: research data that set-up cannot get"
needs "$2/PP-OCRv6_rec_small.onnx"
reference --ocr
exec "$python" "$here/text_reference.py" photos "$1" "$3" "$4"
