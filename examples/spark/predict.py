"""Posts through gmner on Spark, by mapInArrow: each Python worker opens the model once for its part.

    spark-submit --conf spark.task.cpus=1 examples/spark/predict.py posts.jsonl out/ --recipe tag

INPUT is JSON Lines (a file or folder) that every executor sees, OUTPUT a new folder with the records as
`gmner predict` writes them, a line each. Relative paths of pictures start at INPUT's folder. Give posts an `id`; the
package gmner is installed on every node.
"""
import argparse
import os

import pyarrow
from pyspark.sql import SparkSession

from gmner.ray import Predictor  # needs no Ray


def folder_of(path):
    """Where the workers find pictures beside the posts; None where INPUT is no file system's, as hdfs://."""
    path = path[len("file://"):] if path.startswith("file:///") else path
    if "://" in path:
        return None
    path = os.path.abspath(path)
    return path if os.path.isdir(path) else os.path.dirname(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--recipe", default="embedded")
    args = parser.parse_args()

    folder = folder_of(args.input)

    def predict(batches):
        predictor = Predictor(args.recipe, threads=1, folder=folder)
        for batch in batches:
            records = predictor({"line": batch.column("value").to_pylist()})["record"]
            yield pyarrow.RecordBatch.from_pydict({"value": records})

    spark = SparkSession.builder.appName("gmner").getOrCreate()
    spark.read.text(args.input).where("value <> ''").mapInArrow(predict, "value string").write.text(args.output)
    spark.stop()


if __name__ == "__main__":
    main()
