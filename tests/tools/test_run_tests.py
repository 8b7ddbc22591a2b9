"""tools/run_tests.py lists each skipped test with its reason, passes on ctest's status and arguments, and sees what
the tests did to the sources."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import run_tests  # noqa: E402

CMOCKA = """[==========] Running 3 test(s).
[ RUN      ] first
skipped: no libheif here
[       OK ] first
[ RUN      ] second
skipped: this CPU has no VNNI
[  SKIPPED ] second
[ RUN      ] third
[  SKIPPED ] third
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  SKIPPED ] 2 test(s), listed below:
[  SKIPPED ] second
[  SKIPPED ] third
"""
# A stand-in for ctest: one case of each kind, and the arguments that it got.
FAKE = """#!/bin/sh
echo "ctest $*"
while [ "$1" != --output-junit ]; do shift; done
cat >"$2" <<'END'
<testsuite><testcase name="e2e/some"><system-out>skipped test_a: root reads everything
3 passed, 1 skipped, 0 failed
</system-out></testcase><testcase name="e2e/none"><system-out>3 passed</system-out></testcase>
<testcase name="ref/whole"><skipped message="SKIP_RETURN_CODE=77"/><system-out>skipped: no &lt;PyTorch&gt;
</system-out></testcase>
<testcase name="unit/some/alone"><system-out>[ RUN      ] alone
skipped: no model
[  SKIPPED ] alone
</system-out></testcase>
<testcase name="unit/gone" status="notrun"><skipped message="Unable to find executable"/></testcase></testsuite>
END
exit 8
"""


class RunTests(unittest.TestCase):
    def test_cmocka(self):
        self.assertEqual(run_tests.skips_of(CMOCKA, False),
                         [("first", "in part: no libheif here"), ("second", "this CPU has no VNNI"), ("third", "no reason given")])

    def test_whole_case(self):
        self.assertEqual(run_tests.skips_of("skipped: no model\n", True), [("", "no model")])
        self.assertEqual(run_tests.skips_of("2 passed\n", True), [("", "no reason given")])
        self.assertEqual(run_tests.skips_of("2 passed, 0 skipped, 0 failed\n[ RUN      ] a\n[       OK ] a\n", False), [])

    def test_after_a_first_group(self):
        """A program that runs a group, then finds that the rest can't run."""
        text = "[ RUN      ] a\n[       OK ] a\n[  PASSED  ] 1 test(s).\nskipped: no model\n"
        self.assertEqual(run_tests.skips_of(text, True), [("", "no model")])

    def test_whole_run(self):
        with tempfile.TemporaryDirectory(prefix="gm-run-tests-") as d:
            with open(os.path.join(d, "ctest"), "w", encoding="utf-8") as f:
                f.write(FAKE)
            os.chmod(f.name, 0o755)
            p = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools", "run_tests.py"), "build", "-L", "x"],
                               env={**os.environ, "PATH": d + ":" + os.environ["PATH"]}, stdout=subprocess.PIPE,
                               text=True, check=False)
        self.assertEqual(p.returncode, 8)
        first, _, *rest = p.stdout.splitlines()
        self.assertTrue(first.startswith("ctest --test-dir build") and first.endswith("-L x"), first)
        self.assertEqual(rest, ["Skipped, with the reason:", "  e2e/some test_a: root reads everything",
                                "  ref/whole: no <PyTorch>", "  unit/some/alone: no model"])


    def test_the_sources_stay_as_they_are(self):
        with tempfile.TemporaryDirectory(prefix="gm-run-tests-") as d:
            for name in ("tools", "build", "bin"):
                os.mkdir(os.path.join(d, name))
            tool = shutil.copy(os.path.join(ROOT, "tools", "run_tests.py"), os.path.join(d, "tools"))
            ctest = os.path.join(d, "bin", "ctest")
            for deeds, told in (("echo x >>a; touch build/b $HOME/c", None), ("chmod 600 a", "a: mode changed"),
                                ("touch tools/new", "tools/new: made"), ("rm a", "a: removed"),
                                ("touch $TMPDIR/x", "$TMPDIR/x: left behind")):
                for path, text in ((os.path.join(d, "a"), ""), (ctest, f"#!/bin/sh\n{deeds}\n")):
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(text)
                    os.chmod(path, 0o755)
                p = subprocess.run([sys.executable, "-B", tool, "build"], cwd=d, stdout=subprocess.PIPE, text=True, check=False,
                                   env={**os.environ, "PATH": os.path.dirname(ctest) + ":" + os.environ["PATH"]})
                self.assertEqual(p.returncode, 1 if told else 0, (deeds, p.stdout))
                self.assertEqual([line.strip() for line in p.stdout.splitlines()[2:]], [told] if told else [], deeds)


if __name__ == "__main__":
    unittest.main()
