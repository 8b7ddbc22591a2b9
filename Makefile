# The two commands to know: `make demo` and `make test`. Both install what is missing first
# (tools/setup.sh: apt as root or with sudo, pinned packages into .deps/), then build.
JOBS := $(shell nproc 2>/dev/null || echo 1)
CMAKE_FLAGS ?=

# A build folder that came with a copied or moved tree knows the old one's paths, and would build that: it is
# begun anew.
MOVED := $(shell for c in build/CMakeCache.txt build/*/CMakeCache.txt; do \
    if [ -f $$c ] && ! [ "$$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' $$c)" -ef . ]; then \
        echo "$${c%/*}/ is of another tree: removed"; rm -rf "$${c%/*}"; fi; done)
$(if $(MOVED),$(info $(MOVED)))

.PHONY: build all setup setup-tests install deb wheel demo test test-fast test-long test-endurance bench bench-llm sanitize tsan coverage fuzz lint format clean distclean help

build: setup build/release.ok
	@cmake --build build -j $(JOBS)

all: build

setup:
	@tools/setup.sh

# Ninja runs cmake again by itself when a CMakeLists.txt changed; this is for the first time.
build/release.ok: Makefile | setup
	cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release $(CMAKE_FLAGS)
	@touch $@

# PREFIX and DESTDIR as everywhere; the tree runs wherever it is put or moved (docs/install.md).
PREFIX ?= /usr/local
install: build
	@cmake --install build --prefix "$(PREFIX)"

# build/gmner_VERSION_ARCH.deb, for the Debian that it is built on.
deb: build
	@command -v dpkg-shlibdeps >/dev/null && command -v file >/dev/null || tools/setup.sh deb
	@cpack --config build/CPackConfig.cmake -B build

# The Python package, dist/gmner-*.whl (docs/python.md).
wheel: setup
	@tools/wheel.sh

demo: build
	@tools/demo.sh

# All tests but those that take longer than the others together (label endurance: a soak, a build in a fresh
# Debian); those with the label fast, in under a minute; those with the label long alone.
test: build setup-tests
	@tools/run_tests.py build -j $(JOBS) -LE endurance

test-fast: build setup
	@tools/setup.sh tests-fast
	@tools/run_tests.py build -j $(JOBS) -L fast

test-long: build setup-tests
	@tools/run_tests.py build -j $(JOBS) -L long

test-endurance: build setup-tests
	@tools/run_tests.py build -j $(JOBS) -L endurance

# What only tests need. Without it the program is whole, so that tests are skipped rather than none run.
setup-tests: setup
	@tools/setup.sh tests || echo "setup: going on; tests that need it are skipped (listed at the end)"

bench: build
	@bench/run.sh

bench-llm: build
	@python3 bench/llm.py build

# AddressSanitizer and UndefinedBehaviorSanitizer, with the same gcc: every test once more.
# The variable keeps oneTBB (under OpenVINO) from opening a library in a way that ASan refuses.
sanitize: setup-tests
	cmake -S . -B build/sanitize -G Ninja -DCMAKE_BUILD_TYPE=Debug -DGM_SANITIZE=ON $(CMAKE_FLAGS)
	@cmake --build build/sanitize -j $(JOBS)
	@TBB_ENABLE_SANITIZERS=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 \
		tools/run_tests.py build/sanitize -j $(JOBS) -LE endurance

# ThreadSanitizer, with clang, whose OpenMP it can follow (Archer): the tests with the label threads. What it
# finds goes to files, as not every child's output is read.
TSAN_FLAGS := suppressions=$(CURDIR)/tests/tsan.supp ignore_noninstrumented_modules=1 exitcode=66 log_path=$(CURDIR)/build/tsan/race
tsan: setup-tests
	@tools/setup.sh clang
	cmake --preset tsan $(CMAKE_FLAGS)
	@cmake --build build/tsan -j $(JOBS)
	@rm -f build/tsan/race.*
	@TBB_ENABLE_SANITIZERS=1 OMP_TOOL_LIBRARIES=/usr/lib/llvm-14/lib/libarcher.so TSAN_OPTIONS="$(TSAN_FLAGS)" \
		OMP_NUM_THREADS=4 tools/run_tests.py build/tsan -j $(JOBS) -L threads || { cat build/tsan/race.*; exit 1; }
	@! cat build/tsan/race.* 2>/dev/null

# Which lines of src/ the tests run, but for the long ones; tools/coverage.py tells of folders and files.
coverage: setup-tests
	cmake --preset coverage $(CMAKE_FLAGS)
	@cmake --build build/coverage -j $(JOBS)
	@find build/coverage -name '*.gcda' -delete
	@tools/run_tests.py build/coverage -j $(JOBS) -LE "long|endurance"; s=$$?; tools/coverage.py build/coverage && exit $$s

# Every reader for a minute each under libFuzzer, with clang (tools/setup.sh clang installs it).
FUZZ_SECONDS ?= 60
fuzz: setup
	@tools/setup.sh clang
	cmake -S . -B build/libfuzzer -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang \
		-DGM_FUZZ=ON -DGM_WERROR=OFF $(CMAKE_FLAGS)
	@cmake --build build/libfuzzer --target fuzz_all -j $(JOBS)
	@fuzz/run.sh $(FUZZ_SECONDS)

# The rules of CONTRIBUTING.md that a machine can check; seconds.
lint: setup
	@tools/setup.sh lint
	@tools/lint

# Lays out the sources by .clang-format.
format: setup
	@tools/setup.sh lint
	@find src include tests fuzz bench demo -name '*.[ch]' | xargs clang-format-14 -i

clean:
	rm -rf build

distclean: clean
	rm -rf .deps

help:
	@echo "make            install what is missing, then build build/gmner"
	@echo "make install    PREFIX=/usr/local, DESTDIR: program, data, manual pages, completions;  make deb: a Debian package"
	@echo "make wheel      the Python package, dist/gmner-*.whl"
	@echo "make demo       and find, box and mask the named entities of real posts (build/demo/)"
	@echo "make test       and run all tests; those that are skipped are listed with the reason"
	@echo "make test-fast  the fast ones only, under a minute;  make test-long: the long ones only"
	@echo "make test-endurance  a five-minute soak of the server, a build in a fresh Debian, and more of that length"
	@echo "make sanitize   run all tests under AddressSanitizer and UBSan (build/sanitize)"
	@echo "make tsan       run the tests that use threads under ThreadSanitizer (installs clang)"
	@echo "make coverage   count the lines of src/ that the tests run (build/coverage)"
	@echo "make fuzz       fuzz every reader for a minute each (installs clang)"
	@echo "make lint       check the sources: banned calls, include direction, sizes, headers"
	@echo "make format     lay out the sources by .clang-format"
	@echo "make bench      measure speed beside PyTorch on the same work"
	@echo "make bench-llm  measure the client of language models against a scripted server"
	@echo "make setup      only install what is missing"
	@echo "make clean      remove build/;  make distclean: also the downloads in .deps/"
