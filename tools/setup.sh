#!/bin/sh
# setup.sh - install what building and running gmner needs: Debian packages from apt (as root or
# with sudo), and pinned PyPI and npm packages, unpacked into .deps/ of this checkout. It installs
# nothing into any Python or Node, and does only what is missing; when nothing is, it ends at once.
# `setup.sh clang` installs the compiler that `make fuzz` and `make tsan` need and does nothing
# else, `setup.sh lint` what `make lint` and `make format` need.
# `setup.sh tests` gets what only tests need (make test calls it): a language model, libheif, a
# browser; `setup.sh tests-fast` what the fast ones need of that.
# $GMNER_MODELS, when set, is the folder for the models instead of .deps/models.
set -eu
cd "$(dirname "$0")/.."
stamp=.deps/stamps/setup

apt_packages="gcc g++ libc6-dev cmake ninja-build pkg-config python3 python3-dev ca-certificates
    libjansson-dev libyaml-dev libexpat1-dev libutf8proc-dev libicu-dev libjpeg62-turbo-dev libspng-dev
    libwebp-dev libgif-dev libtiff-dev libexif-dev libfreetype-dev libharfbuzz-dev libfribidi-dev fonts-dejavu-core fonts-droid-fallback libcmocka-dev
    nettle-dev libcurl4-openssl-dev libsqlite3-dev libhnswlib-dev zlib1g-dev libmicrohttpd-dev openssl"

fail() {
    echo "setup: $*" >&2
    exit 1
}

# The names of those packages that dpkg doesn't have installed.
missing_apt() {
    # shellcheck disable=SC2086 # one word a package
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' $apt_packages 2>/dev/null |
        awk -v all="$apt_packages" '
            $2 == "installed" { have[$1] = 1 }
            END { n = split(all, a); for (i = 1; i <= n; i++) if (!(a[i] in have)) print a[i] }'
}

# Everything that decides what the set-up makes; a stamp that begins with it is up to date.
key() {
    { cat tools/setup.sh tools/packages.py tools/packages.lock tools/tfjs_to_onnx.py \
        tools/onnx_writer.py models/*.json; echo "${GMNER_MODELS-}"; } | sha256sum
}

# The stamp holds the key and then every file that was made.
up_to_date() {
    [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$(key)" ] &&
        sed 1d "$stamp" | tr '\n' '\0' | xargs -0 ls -d >/dev/null 2>&1
}

write_stamp() {
    models=${GMNER_MODELS:-.deps/models}
    mkdir -p .deps/stamps
    { key; find .deps/onednn .deps/openvino .deps/photos "$models" ! -type d; } >"$stamp.part"
    mv "$stamp.part" "$stamp"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "root is needed, and there is no sudo; run this as root: $*"
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"
}

# The bytes that apt would download for these packages.
apt_bytes() {
    apt-get install --print-uris -qq --no-install-recommends "$@" |
        awk '/^\047/ { n += $(NF - 1) } END { printf "%d", n }'
}

megabytes() {
    awk -v n="$1" 'BEGIN { printf "%.1f MB", n / 1e6 }'
}

# What is still to come from PyPI and npm; without python3 yet, all of the lock file may be.
pinned_bytes() {
    if size=$(python3 tools/packages.py size 2>/dev/null); then
        megabytes "${size% *}"
    else
        megabytes "$(awk -F '[:,]' '$1 ~ /"bytes"/ { n += $2 } END { print n }' tools/packages.lock)"
    fi
}

install_apt() {
    command -v apt-get >/dev/null ||
        fail "no apt-get here; install by hand what these Debian packages have: $*"
    echo "setup: Debian packages to install: $*"
    echo "setup: reading the package lists first (apt-get update, about 10 MB)"
    apt_get update || fail "apt-get update failed; is the network up?"
    bytes=$(apt_bytes "$@")
    echo "setup: downloads: $(megabytes "$bytes") of Debian packages now, then" \
        "$(pinned_bytes) of pinned PyPI and npm packages"
    mkdir -p .deps
    apt_get install -y --no-install-recommends "$@" >.deps/apt.log 2>&1 || {
        tail -n 20 .deps/apt.log >&2
        fail "apt-get install failed (all it said: .deps/apt.log)"
    }
}

# `setup.sh lint` - what `make lint` compiles the public headers with as C++, and formats with.
if [ "${1-}" = lint ]; then
    dpkg -s g++ clang-format-14 >/dev/null 2>&1 || install_apt g++ clang-format-14
    exit 0
fi

# `setup.sh deb` - what `make deb` reads the libraries' packages with.
if [ "${1-}" = deb ]; then
    dpkg -s dpkg-dev file >/dev/null 2>&1 || install_apt dpkg-dev file
    exit 0
fi

# `setup.sh clang` - for `make fuzz` and `make tsan`; nothing else needs it.
if [ "${1-}" = clang ]; then
    dpkg -s clang libclang-rt-14-dev libomp-14-dev >/dev/null 2>&1 ||
        install_apt clang libclang-rt-14-dev libomp-14-dev
    exit 0
fi

# `setup.sh tests` - a llama.cpp server and a small model into .deps/llm, for tests of the LLM client,
# a browser for the pages' scripts, the library for HEIC and AVIF, what the test of lint needs, and
# Python's venv for the comparisons; the program needs none of them. Where they can't be had
# together, each is tried alone.
case ${1-} in
tests | tests-fast)
    wanted="libheif1 g++ clang-format-14 mandoc zsh fish debootstrap"
    if [ "$1" = tests ]; then
        python3 -c 'import ensurepip' 2>/dev/null || wanted="$wanted python3-venv"
        command -v node >/dev/null || wanted="$wanted nodejs"
        command -v chromium >/dev/null || command -v chromium-browser >/dev/null ||
            command -v google-chrome >/dev/null || wanted="$wanted chromium"
    fi
    missing=
    for package in $wanted; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    # shellcheck disable=SC2086 # one word a package
    [ -z "$missing" ] || (install_apt $missing) || for package in $missing; do
        (install_apt "$package") || echo "setup: going on without $package" >&2
    done
    [ "$1" = tests ] || exit 0
    python3 tools/packages.py group page || echo "setup: going on without what drives the browser" >&2
    exec python3 tools/packages.py group llm
    ;;
esac

case $(uname -sm) in
"Linux x86_64") ;;
*) fail "the pinned oneDNN and OpenVINO are for x86-64 Linux; on $(uname -sm) install oneDNN 3" \
    "and OpenVINO yourself and build with cmake (docs/dependencies.md)" ;;
esac

todo=$(missing_apt)
if [ -z "$todo" ] && up_to_date; then
    echo "setup: nothing to do"
    exit 0
fi
# Debian's pip only where the python3 in use has none
if ! python3 -m pip --version >/dev/null 2>&1 && ! /usr/bin/python3 -m pip --version >/dev/null 2>&1; then
    todo="$todo python3-pip"
fi
# shellcheck disable=SC2086
[ -z "$todo" ] || install_apt $todo

size=$(python3 tools/packages.py size) || exit 1
if [ "${size#* }" != 0 ]; then
    echo "setup: downloading ${size#* } pinned packages, $(megabytes "${size% *}"), into .deps/"
fi
python3 tools/packages.py all
write_stamp
echo "setup: done"
