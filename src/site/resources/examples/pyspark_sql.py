rows.createOrReplaceTempView("letters")
spark.sql("select text, medley_classify('desk', text, adapter).label from letters").show()
rows.selectExpr("text", "try_medley_classify('desk', text, adapter) as p").show()
