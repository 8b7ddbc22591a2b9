"""tests/discover.cmake makes a ctest case of each function that a test program lists; one that lists none stops the build."""
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# A stand-in for a test program: it lists two functions, and fails the one with a comma.
PROGRAM = """#!/bin/sh
if [ -n "$GM_TEST_LIST" ]; then printf 'test: plain\\ntest: with, comma\\n'; exit 0; fi
echo "$GM_TEST of $EXTRA"
[ "$GM_TEST" = plain ]
"""


class Discover(unittest.TestCase):
    def setUp(self):
        d = tempfile.TemporaryDirectory(prefix="gm-discover-")
        self.addCleanup(d.cleanup)
        self.dir = d.name

    def discover(self, program):
        path = os.path.join(self.dir, "program")
        with open(path, "w", encoding="utf-8") as f:
            f.write(program)
        os.chmod(path, 0o755)
        return subprocess.run(
            ["cmake", f"-DPROGRAM={path}", "-DNAME=unit/some", f"-DCASES={self.dir}/CTestTestfile.cmake", f"-DHOME={self.dir}",
             "-DLABELS=fast;threads", "-DENVIRONMENT=EXTRA=more", "-DTIMEOUT=60", "-P", os.path.join(ROOT, "tests", "discover.cmake")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def ctest(self, *args):
        return subprocess.run(["ctest", "--test-dir", self.dir, *args], stdout=subprocess.PIPE, text=True, check=False)

    def test_each_function(self):
        self.assertEqual(self.discover(PROGRAM).returncode, 0)
        p = self.ctest("-L", "threads", "--verbose")
        self.assertIn("plain of more", p.stdout)
        self.assertIn("with, comma of more", p.stdout)
        self.assertRegex(p.stdout, r"Test #1: unit/some/plain \.+ +Passed")
        self.assertRegex(p.stdout, r"Test #2: unit/some/with, comma \.+\*\*\*Failed")
        self.assertEqual(p.returncode, 8)
        self.assertEqual(self.ctest("-R", "plain").returncode, 0)

    def test_nothing_listed(self):
        for program in ("#!/bin/sh\necho nothing\n", "#!/bin/sh\necho 'test: a'; echo broken >&2; exit 3\n"):
            p = self.discover(program)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("doesn't list its tests", " ".join(p.stdout.split()))
        self.assertIn("broken", p.stdout)


if __name__ == "__main__":
    unittest.main()
