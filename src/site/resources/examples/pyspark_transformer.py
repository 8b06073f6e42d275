medley = spark._jvm.dev.medley.spark
classifier = (medley.TextClassifier()
    .setModel("target/quickstart/all-MiniLM-L6-v2")
    .setAdapters({"tickets": "jobs/quickstart/adapters/tickets"})
    .setAdapterCol("adapter"))
labelled = DataFrame(classifier.transform(rows._jdf), spark)
labelled.select("text", "prediction.label", "prediction.score").show()
