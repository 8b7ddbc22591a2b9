"""What README.md, CONTRIBUTING.md and docs/ say of the tree is true: links lead somewhere, files and options that
they name exist, and the map of the folders lists all of them, in the order in which they include each other."""
import glob
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The pages that tell a maintainer where things are: each file name in them is one of the tree.
MAPS = ("docs/architecture.md", "docs/conventions.md")
TOP = ("src/", "docs/", "tests/", "tools/", "prompts/", "recipes/", "models/", "bench/", "fuzz/", "include/", "cmake/")
NAME = re.compile(r"[\w./*-]+\.(?:c|h|py|md|css|js|txt|yaml|json|cmake|lock|sh)(?![\w.])")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
MADE = ("config.json", "gmner.json", "tokenizer.json") # what models have: not of the tree
PLACEHOLDER = re.compile(r"[A-Z]{4}")                  # as in cmd_NAME.c


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def pages():
    docs = sorted(glob.glob(os.path.join(ROOT, "docs", "*.md")))
    return ["README.md", "CONTRIBUTING.md"] + [os.path.relpath(path, ROOT) for path in docs]


def prose(text):
    """Without blocks of code, which are examples with files of their own."""
    return re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)


def anchors(text):
    """The names of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", prose(text), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", head)).strip().lower().replace(" ", "-") for head in heads}


def exists(name, folders):
    return any(glob.glob(os.path.join(ROOT, folder, name)) for folder in folders)


def links_of(name):
    """The folders of src/ that a folder's library links, from its CMakeLists.txt."""
    text = re.sub(r"#.*", "", read(f"src/{name}/CMakeLists.txt"))
    links = re.search(r"gm_library\([^)]*?\bLINK\b([^)]*)", text)
    return set(re.findall(r"\bgm_(\w+)", links.group(1))) if links else set()


def options_of_scripts():
    """The options that the tree's own scripts and benchmarks take."""
    paths = [path for folder in ("bench", "tools", "tests", "python") for path in glob.glob(os.path.join(ROOT, folder, "**"), recursive=True)
             if os.path.isfile(path) and path.endswith((".py", ".sh", ".c", "lint"))]
    return {option for path in paths for option in OPTION.findall(read(os.path.relpath(path, ROOT)))}


class Docs(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in pages():
            for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(page))):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                self.assertTrue(os.path.exists(os.path.join(ROOT, path)), f"{page}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors(read(path)), f"{page}: {target}")

    def test_files_named_exist(self):
        for page in pages():
            for code in re.findall(r"`([^`\n]+)`", prose(read(page))):
                for name in NAME.findall(code):
                    if name.startswith(TOP) and not PLACEHOLDER.search(name):
                        self.assertTrue(exists(name, [""]), f"{page}: `{code}`")

    def test_maps_name_files_of_the_tree(self):
        everywhere = ["", "src", "src/*", "src/*/*", "include/*"]
        for page in MAPS:
            for code in re.findall(r"`([^`\n]+)`", prose(read(page))):
                for name in NAME.findall(code):
                    if name not in MADE and not PLACEHOLDER.search(name):
                        self.assertTrue(exists(name, everywhere), f"{page}: `{code}`")

    def test_folders_named_exist(self):
        for page in pages():
            for code in re.findall(r"`([\w/-]+/)`", prose(read(page))):
                if code.startswith(TOP):
                    self.assertTrue(os.path.isdir(os.path.join(ROOT, code)), f"{page}: `{code}`")

    def test_map_lists_all_folders_downwards(self):
        listed = re.findall(r"^\| `src/(\w+)` \|", read("docs/architecture.md"), flags=re.M)
        there = [name for name in os.listdir(os.path.join(ROOT, "src"))
                 if os.path.exists(os.path.join(ROOT, "src", name, "CMakeLists.txt"))]
        self.assertEqual(sorted(listed), sorted(there))
        for at, name in enumerate(listed):
            self.assertLessEqual(links_of(name) & set(there), set(listed[at + 1:]), f"src/{name} includes upwards")

    def test_options_named_exist(self):
        known = set(OPTION.findall(read("docs/cli.md"))) | {"--version"}
        others = options_of_scripts()
        for page in pages():
            for code in re.findall(r"`([^`\n]+)`", prose(read(page))):
                if re.match(r"(build/)?gmner ", code):
                    self.assertLessEqual(set(OPTION.findall(code)), known, f"{page}: `{code}`")
                elif code.startswith("--"):
                    self.assertLessEqual(set(OPTION.findall(code)), known | others, f"{page}: `{code}`")


if __name__ == "__main__":
    unittest.main()
