"""Posts through gmner on Spark, by mapInArrow: each Python worker opens the model once for its part.

    spark-submit --conf spark.task.cpus=1 examples/spark/predict.py posts.jsonl out/ --recipe tag

INPUT is JSON Lines (a file or folder) that every executor sees, OUTPUT a new folder with the records as
`gmner predict` writes them, a line each. Give posts an `id`; the package gmner is installed on every node.
"""
import argparse

import pyarrow
from pyspark.sql import SparkSession

from gmner.ray import Predictor  # needs no Ray


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--recipe", default="embedded")
    args = parser.parse_args()

    def predict(batches):
        predictor = Predictor(args.recipe, threads=1)
        for batch in batches:
            records = predictor({"line": batch.column("value").to_pylist()})["record"]
            yield pyarrow.RecordBatch.from_pydict({"value": records})

    spark = SparkSession.builder.appName("gmner").getOrCreate()
    spark.read.text(args.input).where("value <> ''").mapInArrow(predict, "value string").write.text(args.output)
    spark.stop()


if __name__ == "__main__":
    main()
