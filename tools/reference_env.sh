#!/bin/sh
# Makes the Python environment that gmner is compared with: PyTorch (CPU build), transformers and,
# with --bench, ONNX Runtime and OpenVINO, with --ocr RapidOCR, with --peft peft, with --rembg rembg, with --serve FastAPI. Only tests and benchmarks use it; gmner never does.
#
#   tools/reference_env.sh [--bench] [--ocr] [--peft] [--rembg] [--serve] [DIR]      DIR: default .deps/venv
#
# Exit 0: DIR/bin/python is ready (a second call returns at once). 77: it can't be had here, with
# the reason on stderr, so that a test may skip. 2: usage.
#
# PyTorch is taken only where pip needs no package index for it (its configured find-links, or
# PIP_FIND_LINKS), because an index may answer with several GB of GPU packages. To name another
# source, set GM_TORCH to pip's arguments: a wheel's path, or "--index-url URL torch==2.13.0".
# GM_PYTHON chooses the interpreter, GM_REFERENCE_TIMEOUT_S limits each step (default 600 s).
set -u
torch=torch==2.13.0
root=$(cd "$(dirname "$0")/.." && pwd)
limit_s=${GM_REFERENCE_TIMEOUT_S:-600}
extras=
dir=$root/.deps/venv
for arg; do
    case $arg in
    --bench | --ocr | --peft | --rembg | --serve) extras="$extras ${arg#--}" ;;
    -*) echo "usage: tools/reference_env.sh [--bench] [--ocr] [--peft] [--rembg] [--serve] [DIR]" >&2; exit 2 ;;
    *) dir=$arg ;;
    esac
done

skip() {
    echo "skipped: no reference environment, which what compares with PyTorch needs: $1" >&2
    exit 77
}

# One caller at a time: ctest may start several tests that want it.
mkdir -p "$(dirname "$dir")" || skip "can't write beside $dir"
exec 9>"$dir.lock" || skip "can't write $dir.lock"
flock -w "$limit_s" 9 || skip "another call has held $dir.lock for $limit_s s"

python=${GM_PYTHON:-python3}
command -v "$python" >/dev/null || skip "no $python"
pip() {
    timeout "$limit_s" "$dir/bin/python" -m pip --disable-pip-version-check install -q "$@" \
        >"$dir/pip.log" 2>&1
}
reason() { grep -h '^ERROR' "$dir/pip.log" | head -1; }

# The stamps hold what was installed: a change of the pins installs again.
wanted=$(cat "$root/tests/ref/requirements.txt"; echo "$torch ${GM_TORCH:-}")
if [ "$(cat "$dir/stamp" 2>/dev/null)" != "$wanted" ]; then
    "$dir/bin/python" -m pip --version >/dev/null 2>&1 ||
        timeout "$limit_s" "$python" -m venv "$dir" >/dev/null 2>&1 ||
        skip "$python can't make a virtual environment (Debian: python3-venv)"
    rm -f "$dir/stamp"
    # shellcheck disable=SC2086 # GM_TORCH is a list of arguments
    pip --dry-run --no-deps ${GM_TORCH:---no-index $torch} ||
        skip "no CPU build of $torch for $("$python" -V) at hand (GM_TORCH names one)"
    echo "reference environment: installing $torch and transformers in $dir" >&2
    # shellcheck disable=SC2086
    pip --no-deps ${GM_TORCH:---no-index $torch} || skip "pip: $(reason)"
    pip --no-deps -r "$root/tests/ref/requirements.txt" || skip "pip: $(reason)"
    "$dir/bin/python" -c 'import torch, transformers' 2>"$dir/pip.log" ||
        skip "$(tail -1 "$dir/pip.log")"
    printf '%s\n' "$wanted" >"$dir/stamp"
fi
for extra in $extras; do
    list=$root/tests/ref/requirements-$extra.txt
    wanted=$(cat "$list")
    if [ "$(cat "$dir/stamp-$extra" 2>/dev/null)" != "$wanted" ]; then
        rm -f "$dir/stamp-$extra"
        pip --no-deps -r "$list" || skip "pip: $(reason)"
        printf '%s\n' "$wanted" >"$dir/stamp-$extra"
    fi
done
