#!/bin/sh
# The stage read beside RapidOCR on every picture of a folder:
#
#   text_live.sh GMNER MODEL_DIR FOLDER WORK_DIR
#
# Exit: 0 equal (text_reference.py says how far), 1 not, 77 (skipped, the reason on stderr) without the
# folder, the model or RapidOCR.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[ -d "$3" ] || { echo "skipped: no $3 beside the checkout: research data that set-up cannot get" >&2; exit 77; }
[ -f "$2/PP-OCRv6_rec_small.onnx" ] || { echo "skipped: no $2/PP-OCRv6_rec_small.onnx" >&2; exit 77; }
"$root/tools/reference_env.sh" --ocr || exit $?
exec "$root/.deps/venv/bin/python" "$here/text_reference.py" photos "$1" "$3" "$4"
