"""tools/coverage.py counts each line of src/ once, whichever objects hold it, and those of objects that never ran."""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = {
    "src/some/shared.h": "static inline int twice(int x)\n{\n    return 2 * x;\n}\n",
    "src/some/ran.c": "#include \"shared.h\"\nint main(int n, char **v)\n{\n    (void)v;\n    if (n > 1)\n"
                      "        return twice(n);\n    return 0;\n}\n",
    "src/other/idle.c": "#include \"../some/shared.h\"\nint idle(int x);\nint idle(int x)\n{\n    return twice(x);\n}\n",
}


class Coverage(unittest.TestCase):
    def test_lines(self):
        with tempfile.TemporaryDirectory(prefix="gm-coverage-") as d:
            for name, text in SOURCES.items():
                os.makedirs(os.path.join(d, os.path.dirname(name)), exist_ok=True)
                with open(os.path.join(d, name), "w", encoding="utf-8") as f:
                    f.write(text)
            os.makedirs(os.path.join(d, "build", "src"))
            for name in ("some/ran", "other/idle"):
                subprocess.run(["gcc", "--coverage", "-c", f"{d}/src/{name}.c", "-o",
                                f"{d}/build/src/{os.path.basename(name)}.o"], cwd=d, check=True)
            subprocess.run(["gcc", "--coverage", f"{d}/build/src/ran.o", "-o", f"{d}/ran"], check=True)
            subprocess.run([f"{d}/ran"], check=True)
            os.makedirs(os.path.join(d, "tools"))
            with open(os.path.join(ROOT, "tools", "coverage.py"), encoding="utf-8") as f, \
                    open(os.path.join(d, "tools", "coverage.py"), "w", encoding="utf-8") as copy:
                copy.write(f.read())
            p = subprocess.run([sys.executable, "-B", f"{d}/tools/coverage.py", f"{d}/build", "--files", "1"],
                               stdout=subprocess.PIPE, text=True, check=True)
            # main: 3 of its 4 lines; twice: none of 2 (it stands in both objects); idle: none of 2
            self.assertEqual(p.stdout.split("\n\n")[2].strip(), "lines of src/: 37.5 % of 8", p.stdout)
            self.assertIn("other          0.0 % of 2 lines\nsome          50.0 % of 6 lines\n", p.stdout)

    def test_no_counters(self):
        with tempfile.TemporaryDirectory(prefix="gm-coverage-") as d:
            p = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools", "coverage.py"), d], stderr=subprocess.PIPE,
                               text=True, check=False)
            self.assertEqual(p.returncode, 1)
            self.assertIn("GM_COVERAGE", p.stderr)


if __name__ == "__main__":
    unittest.main()
