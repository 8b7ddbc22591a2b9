#!/bin/sh
# Builds the Python package's wheel into dist/: by scikit-build-core, and then with every library in it that a
# system need not have (auditwheel). What it is built on decides where it runs: Debian 12 has glibc 2.36.
set -eu
cd "$(dirname "$0")/.."
tools/python_env.sh wheel
bin=$PWD/.deps/python/bin
rm -rf build/wheel-raw
mkdir -p dist
PATH=$bin:$PATH "$bin/python" -m pip --disable-pip-version-check wheel -q --no-build-isolation --no-deps -w build/wheel-raw .
# OpenVINO is opened by its path, with its own libraries beside it, and stays as it is.
PATH=$bin:$PATH LD_LIBRARY_PATH=$PWD/.deps/onednn/lib "$bin/auditwheel" repair --plat "manylinux_2_36_$(uname -m)" \
    --exclude 'libopenvino*' --exclude 'libtbb*' --exclude 'libhwloc*' -w dist build/wheel-raw/gmner-*.whl
ls -l dist/gmner-*.whl
