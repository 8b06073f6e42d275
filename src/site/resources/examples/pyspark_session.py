from glob import glob
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.functions import col

spark = (SparkSession.builder
    .config("spark.jars", ",".join(glob("target/medley-*-job.jar") + glob("target/libtorch/*.jar")))
    .config("spark.sql.extensions", "dev.medley.spark.MedleyExtensions")
    .config("spark.medley.model.desk.base", "target/quickstart/all-MiniLM-L6-v2")
    .config("spark.medley.model.desk.task", "text-classification")
    .config("spark.medley.model.desk.adapters.tickets", "jobs/quickstart/adapters/tickets")
    .getOrCreate())
rows = spark.read.json("jobs/quickstart/rows-classification.jsonl").where("adapter = 'tickets'")
