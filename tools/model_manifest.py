#!/usr/bin/env python3
"""Writes models/NAME.json, the manifest of one of our own models in models/NAME/: sizes and SHA-256
of its files. Run it after the files have changed.

    tools/model_manifest.py ner-default tag "default tagger of Twitter posts"
"""
import hashlib
import json
import pathlib
import sys

MODELS = pathlib.Path(__file__).resolve().parent.parent / "models"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    name, task, summary = sys.argv[1:]
    files = [p for p in sorted((MODELS / name).iterdir()) if p.name != "README.md"]
    manifest = {
        "name": name,
        "task": task,
        "summary": summary,
        "licence": "Apache-2.0",
        "files": [{"path": p.name, "bytes": p.stat().st_size,
                   "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for p in files],
    }
    (MODELS / f"{name}.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
