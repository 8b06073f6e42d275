import pandas as pd
import torch
from peft import PeftModel
from pyspark.sql.functions import pandas_udf
from transformers import AutoModelForSequenceClassification, AutoTokenizer

ADAPTERS = {"spam": "adapters/spam", "topic": "adapters/topic"}
model = None


@pandas_udf("string")
def label(texts: pd.Series, adapters: pd.Series) -> pd.Series:
    global model, tokenizer
    if model is None:
        tokenizer = AutoTokenizer.from_pretrained("models/bert")
        base = AutoModelForSequenceClassification.from_pretrained("models/bert")
        model = PeftModel.from_pretrained(base, ADAPTERS["spam"], adapter_name="spam")
        model.load_adapter(ADAPTERS["topic"], adapter_name="topic")
        model.eval()
    labels = pd.Series(index=texts.index, dtype="object")
    for name, rows in texts.groupby(adapters):
        model.set_adapter(name)
        inputs = tokenizer(list(rows), padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            ids = model(**inputs).logits.argmax(-1)
        labels[rows.index] = [model.config.id2label[int(i)] for i in ids]
    return labels


mails.withColumn("label", label("text", "adapter"))
