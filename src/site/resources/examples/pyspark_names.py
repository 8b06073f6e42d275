medley.MedleyModels.register(spark._jsparkSession, "support", classifier)
spark.sql("select medley_classify('support', text, adapter).label from letters").show()

label = Column(medley.MedleyFunctions.classify("support", col("text")._jc, col("adapter")._jc))
rows.withColumn("label", label.getField("label")).show()
