"""Posts through gmner on a Ray cluster, by Ray Data: one actor for each core or few, each with its own model.

    python -m gmner.ray INPUT OUTPUT --recipe embedded --address auto

reads JSON Lines or Parquet (a file or a folder of them, on a path that all nodes see) and writes a folder of files of
the same form, in the order of the input. Ray runs blocks again whose actor or node died. A block's file has a name of
its own and counts only once Ray has taken the block as done, so that nothing is lost or doubled. In a program:

    ray.data.read_parquet(…).map_batches(gmner.ray.Predictor, fn_constructor_kwargs={"recipe": "tag"},
                                         concurrency=8, num_cpus=1, batch_size=64)

Ray is no dependency of gmner: pip install "ray[data]".
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from typing import Any, Dict, List, Optional, Sequence

from ._inputs import Pair, pair_of
from ._model import load


class Predictor:
    """For map_batches: opens its model once, and gives rows back with the column `record`, the line that `gmner
    predict` would write. A row is a record by its columns, or one as JSON in the column `line`.

    Relative paths of pictures start at `folder`, by default the process's own. Give posts an `id`: without one it
    is the number within the batch.
    """

    def __init__(self, recipe: str = "embedded", threads: int = 1, folder: Optional[str] = None, **options: Any) -> None:
        self._nlp = load(recipe, threads=threads, **options)
        self._folder = folder

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        if "line" in batch:
            pairs = [self._line(str(line)) for line in batch["line"]]
        else:
            rows = [{k: _plain(v) for k, v in zip(batch, values)} for values in zip(*batch.values())]
            pairs = [pair_of(self._placed(row), i) for i, row in enumerate(rows, 1)]
        kept = {k: v for k, v in batch.items() if k != "line"}
        return {**kept, "record": self._nlp._model.predict(pairs)}

    def _line(self, line: str) -> Pair:
        """As it stands, where its picture is found; what is no JSON becomes a record with an error."""
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        placed = self._placed(record)
        return (line if placed is record else json.dumps(placed, ensure_ascii=False)).encode("utf-8", "surrogatepass"), None

    def _placed(self, record: Any) -> Any:
        image = record.get("image") if isinstance(record, dict) else None
        if not self._folder or not isinstance(image, str) or not image or ":" in image or os.path.isabs(image):
            return record
        return {**record, "image": os.path.join(self._folder, image)}


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


class _Writer:
    """Writes a block into a file of its own; rows of what it wrote."""

    def __init__(self, folder: str, form: str) -> None:
        self._folder, self._form = folder, form

    def __call__(self, table: Any) -> Any:
        import pyarrow
        name = f"block-{uuid.uuid4().hex}.{self._form}"
        path = os.path.join(self._folder, name)
        if self._form == "parquet":
            import pyarrow.parquet
            pyarrow.parquet.write_table(table, path)
        else:
            with open(path, "w", encoding="utf-8", newline="\n") as f:
                f.writelines(f"{record}\n" for record in table.column("record").to_pylist())
                f.flush()
                os.fsync(f.fileno())
        return pyarrow.table({"file": [name], "posts": [table.num_rows]})


def _settle(output: str, rows: Sequence[Dict[str, Any]], form: str) -> int:
    """Files of blocks that count are named in their order; those of blocks that were done again go."""
    for i, row in enumerate(rows):
        os.replace(os.path.join(output, row["file"]), os.path.join(output, f"part-{i:05d}.{form}"))
    for name in os.listdir(output):
        if name.startswith("block-"):
            os.remove(os.path.join(output, name))
    return sum(int(row["posts"]) for row in rows)


def _form_of(path: str) -> str:
    names = os.listdir(path) if os.path.isdir(path) else [path]
    return "parquet" if any(name.endswith(".parquet") for name in names) else "jsonl"


def _read(path: str, form: str) -> Any:
    import ray
    if form == "parquet":
        return ray.data.read_parquet(path)
    # As text: columns that Ray guesses of JSON would change the records.
    return ray.data.read_text(path, drop_empty_lines=True).rename_columns({"text": "line"})


def predict(input: str, output: str, recipe: str = "embedded", *, concurrency: Optional[int] = None, threads: int = 1,
            batch_size: int = 64, blocks: Optional[int] = None, **options: Any) -> int:
    """Run a file or folder of posts through a recipe on the cluster that ray.init was called for; how many posts.

    concurrency: actors, by default one for each `threads` cores of the cluster. blocks: parts that are done by
    themselves, by default four an actor. options: those of gmner.load. `output` is a folder, made here; it must
    be empty, and is whole once this returns.
    """
    import ray
    input, output = os.path.abspath(input), os.path.abspath(output)
    os.makedirs(output, exist_ok=True)
    if os.listdir(output):
        raise FileExistsError(f"{output} is not empty; name a new folder")
    form = _form_of(input)
    actors = concurrency or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    folder = input if os.path.isdir(input) else os.path.dirname(input)
    # Read before the actors take every core, which reading needs as well.
    posts = _read(input, form).repartition(blocks or 4 * actors).materialize()
    found = posts.map_batches(
        Predictor, fn_constructor_kwargs={"recipe": recipe, "threads": threads, "folder": folder, **options},
        batch_size=batch_size, concurrency=actors, num_cpus=threads)
    written = found.map_batches(_Writer(output, form), batch_size=None, batch_format="pyarrow", num_cpus=0)
    return _settle(output, written.take_all(), form)


def main(argv: Optional[List[str]] = None) -> int:
    """python -m gmner.ray"""
    parser = argparse.ArgumentParser(prog="python -m gmner.ray", description="Posts through gmner on a Ray cluster.",
                                     epilog="Example: python -m gmner.ray posts.jsonl out/ --recipe tag --address auto")
    parser.add_argument("input", help="a file or folder of JSON Lines or Parquet, on a path that all nodes see")
    parser.add_argument("output", help="a new folder; gets a file for each block")
    parser.add_argument("--recipe", default="embedded", help="as of gmner predict (default: embedded)")
    parser.add_argument("--address", help='of the cluster: "auto" or HOST:PORT; without it one is started on this machine')
    parser.add_argument("--concurrency", type=int, help="actors (default: one for each THREADS cores)")
    parser.add_argument("--threads", type=int, default=1, help="cores of an actor (default: 1)")
    parser.add_argument("--batch-size", type=int, default=64, help="posts of a call (default: 64)")
    parser.add_argument("--blocks", type=int, help="parts that are done by themselves (default: four an actor)")
    parser.add_argument("--models", help="a folder of models that is looked at first")
    args = parser.parse_args(argv)
    try:
        import ray
    except ImportError:
        parser.error('Ray is not installed: pip install "ray[data]"')
    ray.init(address=args.address or "local", log_to_driver=False)
    posts = predict(args.input, args.output, args.recipe, concurrency=args.concurrency, threads=args.threads,
                    batch_size=args.batch_size, blocks=args.blocks, models=args.models)
    print(f"{posts} posts", file=sys.stderr)
    return 0


if __name__ == "__main__":
    from gmner.ray import main as run  # workers know the classes by the module's name
    sys.exit(run())
