"""tools/lint finds each kind of violation in a small tree that is made for it, and nothing in a clean one."""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINT = os.path.join(ROOT, "tools", "lint")
CLEAN = {
    "src/base/CMakeLists.txt": "gm_library(base SOURCES a.c LINK m)\n",
    "src/mid/CMakeLists.txt": "gm_library(mid SOURCES m.c\n  LINK gm_base)\n",
    "src/cli/CMakeLists.txt": "gm_library(cli SOURCES c.c LINK gm_mid) # gm_base comes with it\n",
    "src/base/a.h": "#include <stddef.h>\nsize_t gm_a(void);\n",
    "src/base/a.c": '#include "base/a.h"\nvoid *gm_alloc(size_t n) { return malloc(n); }\n',
    "src/mid/m.c": '#include "base/a.h"\n/* printf(x) and free(x) in a comment */\nconst char *m = "exit(1)";\n',
    "src/cli/c.c": '#include "base/a.h"\nvoid c(void) { printf("x"); } /* TODO(14): more */\n',
    "include/gmner/gmner.h": "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint gm(void);\n#ifdef __cplusplus\n}\n#endif\n",
}


def lint(changes, *rules):
    with tempfile.TemporaryDirectory(prefix="gm-lint-") as root:
        for path, text in {**CLEAN, **changes}.items():
            path = os.path.join(root, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        p = subprocess.run([sys.executable, "-B", LINT, "--root", root, *rules], stdout=subprocess.PIPE, text=True,
                           check=False)
        return p.returncode, p.stdout


class Lint(unittest.TestCase):
    def finds(self, path, text, *parts):
        code, out = lint({path: text})
        self.assertEqual(code, 1, out)
        self.assertIn("1 findings", out)
        for part in (path, *parts):
            self.assertIn(part, out.splitlines()[0])

    def test_clean(self):
        self.assertEqual(lint({})[0], 0, lint({})[1])

    def test_banned_call(self):
        for name in ("strcpy", "strcat", "sprintf", "strtok", "atoi", "sscanf", "rand"):
            self.finds("tests/unit/t.c", f"void f(char *s) {{ {name}(s); }}\n", f"t.c:1: calls: {name} is banned")

    def test_memory_outside_base(self):
        for name in ("malloc", "calloc", "realloc", "free"):
            self.finds("src/mid/m.c", f"\nvoid f(void) {{ {name}(0); }}\n", f"m.c:2: calls: {name} outside src/base")

    def test_threads_outside_base(self):
        self.finds("src/mid/m.c", "void f(void) { pthread_create(0, 0, 0, 0); }\n", "use gm_thread_start")

    def test_skip_without_reason(self):
        self.finds("tests/unit/test_t.c", "void f(void) { skip(); }\n", "use skip_because")

    def test_printing_outside_cli(self):
        for name in ("printf", "exit"):
            self.finds("src/mid/m.c", f"void f(void) {{ {name}(0); }}\n", f"{name} outside src/cli")

    def test_include_against_the_direction(self):
        self.finds("src/base/a.c", '\n#include "cli/c.h"\n', "a.c:2: includes: base includes cli/")
        self.finds("include/gmner/gmner.h", '#include "base/a.h"\n', "a public header includes base/")

    def test_circle_of_folders(self):
        code, out = lint({"src/base/CMakeLists.txt": "gm_library(base SOURCES a.c LINK gm_cli)\n"}, "includes")
        self.assertEqual(code, 1)
        self.assertIn("base links itself in a circle", out)

    def test_circle_of_files(self):
        circle = {"src/mid/x.c": "int gm_x(void)\n{\n    return gm_y();\n}\nint gm_base(void)\n{\n    return 1;\n}\n",
                  "src/mid/y.c": "const struct t gm_rows[] = {{1}};\nint gm_y(void)\n{\n    return gm_z();\n}\n",
                  "src/mid/z.c": "int gm_z(void)\n{\n    return gm_x();\n}\n"}
        code, out = lint(circle, "circles")
        self.assertEqual(code, 1)
        for x, y in ("xy", "yz", "zx"):
            self.assertIn(f"src/mid/{x}.c:1: circles: uses gm_{y} of {y}.c", out)
        self.assertIn("3 findings", out)
        circle["src/mid/z.c"] = "/* gm_x() */ struct gm_x;\nint gm_z(struct gm_x *x)\n{\n    return !x;\n}\n"
        self.assertEqual(lint(circle, "circles")[0], 0)

    def test_one_name_two_things(self):
        body = "{\n    int n = 0;\n    while (n < a)\n        n += a;\n    return n;\n}\n"
        code, out = lint({"src/mid/box.h": "struct gm_box {\n    int x;\n};\n", "src/top/box.h": "struct gm_box;\n",
                          "src/top/m.h": "int x;\nstruct gm_box {\n    int y;\n};\n",
                          "src/mid/m.c": "static int of(int a)\n" + body, "src/top/m.c": "int gm_of(int a)\n" + body},
                         "names")
        self.assertEqual(code, 1)
        self.assertIn("src/top/box.h:1: names: src/mid/box.h has this name, too", out)
        self.assertIn("src/top/m.h:2: names: struct gm_box is defined in src/mid/box.h, too", out)
        self.assertIn("src/top/m.c:1: names: gm_of stands in src/mid/m.c, too", out)
        self.assertIn("3 findings", out)

    def test_sizes(self):
        self.finds("src/mid/m.c", "int x;\n" * 501, "sizes: 501 lines, 500 allowed")
        self.finds("src/mid/m.c", "int f(int a)\n{\n" + "    a++;\n" * 60 + "    return a;\n}\n",
                   "m.c:2: sizes: f has 63 lines, 60 allowed")

    def test_todo(self):
        self.finds("src/mid/m.c", "/* TO" + "DO: more */\n", "todo")

    def test_scripts(self):
        self.finds("tools/t.py", "#!/usr/bin/env python3\n", "t.py:1: scripts: begins with #! and is not executable")
        for line in ("Then `tools/t.py dev.txt`.", "```\n$ tools/t.py dev.txt\n```", "  A=1 tools/t.py dev.txt > x"):
            code, out = lint({"tools/t.py": "print()\n", "docs/p.md": f"# Page\n{line}\n"}, "scripts")
            self.assertEqual(code, 1, line)
            self.assertIn(": scripts: runs tools/t.py, which does not begin with #!", out)
        code, out = lint({"tools/t.py": "print()\n", "docs/p.md": "`tools/t.py` is what `tools/t.pyx a` is not.\n"}, "scripts")
        self.assertEqual(code, 0, out)

    def test_header_alone(self):
        self.finds("src/mid/m.h", "size_t gm_m(void);\n", "headers: does not compile alone as C:", "size_t")
        self.finds("include/gmner/gmner.h", "int gm(int class);\n", "headers: does not compile alone as C++:")

    def test_format(self):
        self.finds("src/mid/m.c", "int x;\n\tint y;\n", "m.c:2: format: a tab")
        self.finds("src/mid/m.c", "int x; \n", "format: blanks")
        self.finds("src/mid/m.c", "int x; /* " + "x" * 160 + " */\n", "columns, 160 allowed")
        code, out = lint({"src/mid/m.c": "int   x;\n", ".clang-format": "BasedOnStyle: LLVM\n"}, "format")
        self.assertEqual(code, 1)
        self.assertIn("m.c:1: format: not laid out by .clang-format; run make format", out)


if __name__ == "__main__":
    unittest.main()
