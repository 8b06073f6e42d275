"""Scores the held-out rows with PEFT and writes ../rows-*.jsonl and ../expected.json:

    python expected.py --base FOLDER --data FOLDER

The numbers come from the adapters as they lie in ../adapters, each loaded by PEFT into a fresh model whose own pooler
and head are random: what is right here can only come from the files.
"""

import argparse
import json
import os
import random

import peft
import torch
import transformers
from peft import PeftModel
from transformers import PreTrainedTokenizerFast, TokenClassificationPipeline

import data
import search
import train

OUT = os.path.join(train.HERE, "..")
CLASSIFIERS = ["spam", "era", "language", "code", "tickets"]
ROWS = {"entities": 40, "year": 40, "search": 40}  # the classifiers: 70 each


def load(name, base, labels):
    torch.manual_seed(1)
    model = train.base_model(name, base, labels)
    if name == "entities":
        model.config.id2label = dict(enumerate(labels))
    return PeftModel.from_pretrained(model, os.path.join(train.ADAPTERS, name)).eval()


@torch.no_grad()
def forward(model, encodings, pick):
    """`pick(output, mask)` of each text, in order; texts of like length share a batch."""
    order = sorted(range(len(encodings)), key=lambda i: len(encodings[i].ids))
    results = [None] * len(encodings)
    for start in range(0, len(order), 16):
        part = order[start : start + 16]
        ids, mask = train.batch([encodings[i] for i in part])
        for i, row in zip(part, pick(model(input_ids=ids, attention_mask=mask), mask)):
            results[i] = row
    return torch.stack(results)


def held_out(name, args, tokens):
    """(labels, test rows of at most 128 tokens, a fixed order), the committed ones first."""
    labels, _, rows = search.search(args.data) if name == "search" else getattr(data, name)(args.data)
    rows = [r for r in rows if len(tokens.encode(r[0]).ids) <= train.MAX_TOKENS]
    random.Random(data.SEED).shuffle(rows)
    return labels, rows


def identifiers(name, rows):
    return [f"{name}-{i + 1:02d}" for i in range(min(len(rows), ROWS.get(name, 70)))]


def classify(name, args, tokens):
    labels, rows = held_out(name, args, tokens)
    logits = forward(load(name, args.base, labels), [tokens.encode(t) for t, _ in rows], lambda o, _: o.logits)
    scores = logits.softmax(-1)
    predicted = [labels[i] for i in scores.argmax(-1)]
    right = [p == label for p, (_, label) in zip(predicted, rows)]
    ids = identifiers(name, rows)
    top = scores[: len(ids)].topk(2).values
    print(f"{name}: {sum(right)}/{len(rows)} held out; closest call {(top[:, 0] - top[:, 1]).min():.4f}")
    jsonl = [dict(id=i, text=t, adapter=name, expected=label) for i, (t, label) in zip(ids, rows)]
    return jsonl, dict(
        task="text-classification",
        held_out=dict(n=len(rows), correct=sum(right)),
        n=len(ids),
        correct=sum(right[: len(ids)]),
        rows={i: dict(label=p, score=round(s.max().item(), 6)) for i, p, s in zip(ids, predicted, scores)},
    )


def regress(name, args, tokens):
    labels, rows = held_out(name, args, tokens)
    logits = forward(load(name, args.base, labels), [tokens.encode(t) for t, _ in rows], lambda o, _: o.logits[:, 0])
    errors = [abs(100 * (p - y)) for p, (_, y) in zip(logits.tolist(), rows)]
    ids = identifiers(name, rows)

    def figures(errors):
        return dict(n=len(errors), mean_error_years=round(sum(errors) / len(errors), 2))

    print(f"{name}: mean error {sum(errors) / len(errors):.1f} years over {len(rows)} held out")
    jsonl = [dict(id=i, text=t, adapter=name, expected=y) for i, (t, y) in zip(ids, rows)]
    return jsonl, dict(
        task="text-classification",
        held_out=figures(errors),
        **figures(errors[: len(ids)]),
        rows={i: dict(label=labels[0], score=round(p, 6)) for i, p in zip(ids, logits.tolist())},
    )


def tag(name, args, tokens):
    labels, rows = held_out(name, args, tokens)
    wrapped = PreTrainedTokenizerFast(tokenizer_file=os.path.join(args.base, "tokenizer.json"), pad_token="[PAD]")
    pipeline = TokenClassificationPipeline(model=load(name, args.base, labels), tokenizer=wrapped, device=-1)

    def struct(found):
        label = found.get("entity") or found["entity_group"]
        score = round(float(found["score"]), 6)
        return dict(word=found["word"], label=label, score=score, start=int(found["start"]), end=int(found["end"]))

    predicted, gold = [], [[(s, e, kind) for s, e, kind in spans] for _, spans in rows]
    for text, _ in rows:
        predicted.append([struct(f) for f in pipeline(text, aggregation_strategy="simple")])
    spans = [[(p["start"], p["end"], p["label"]) for p in row] for row in predicted]
    hits = sum(len(set(p) & set(g)) for p, g in zip(spans, gold))
    f1 = 2 * hits / (sum(map(len, spans)) + sum(map(len, gold)))
    right = [p == g for p, g in zip(spans, gold)]
    ids = identifiers(name, rows)
    print(f"{name}: {sum(right)}/{len(rows)} sentences without a mistake, span F1 {f1:.4f}")
    jsonl = [
        dict(id=i, text=t, adapter=name, expected=[dict(label=k, start=s, end=e) for s, e, k in g])
        for i, (t, _), g in zip(ids, rows, gold)
    ]
    return jsonl, dict(
        task="token-classification",
        held_out=dict(n=len(rows), correct=sum(right), span_f1=round(f1, 4)),
        n=len(ids),
        correct=sum(right[: len(ids)]),
        rows={
            i: dict(tokens=[struct(f) for f in pipeline(t)], spans=p) for i, (t, _), p in zip(ids, rows, predicted)
        },
    )


def find(name, args, tokens):
    _, rows = held_out(name, args, tokens)
    rows = [r for r in rows if len(tokens.encode(r[1]).ids) <= train.MAX_TOKENS]
    model = load(name, args.base, [])

    def embed(texts):
        return forward(model, [tokens.encode(t) for t in texts], lambda o, mask: train.mean_pool(o.last_hidden_state, mask))

    def first(queries, codes):
        return sum((queries @ codes.T).argmax(-1) == torch.arange(len(rows))).item()

    queries, codes = embed([r[0] for r in rows]), embed([r[1] for r in rows])
    with model.disable_adapter():
        base = first(embed([r[0] for r in rows]), embed([r[1] for r in rows]))
    found = first(queries, codes)
    print(f"{name}: right code first for {found}/{len(rows)} queries; base alone {base}")
    jsonl, expected = [], {}
    for i, (query, code) in zip(identifiers(name, rows), rows):
        jsonl.append(dict(id=f"{i}-query", text=query, adapter=name, expected=f"{i}-code"))
        jsonl.append(dict(id=f"{i}-code", text=code, adapter=name, expected=None))
    # the whole vector would be long: its first eight numbers tell an adapter's output from the base's
    for row, vector in zip(jsonl, torch.stack([queries, codes], 1).flatten(0, 1)):
        expected[row["id"]] = [round(v, 6) for v in vector[:8].tolist()]
    n = len(jsonl) // 2
    return jsonl, dict(
        task="feature-extraction",
        held_out=dict(n=len(rows), correct=found, correct_by_base=base),
        n=n,
        correct=sum((queries[:n] @ codes[:n].T).argmax(-1) == torch.arange(n)).item(),
        rows=expected,
    )


BAD = [
    ("bad-1", "Which label would a base without a head give?", "__base__", "the base has no classification head"),
    ("bad-2", "Which label would an adapter without a head give?", "search", "neither adapter nor base has a head"),
    ("bad-3", "Congratulations, you have won!", "spma", "no adapter of this name"),
    ("bad-4", None, "spam", "null text"),
    ("bad-5", "", "spam", "empty text"),
]


def write_jsonl(name, rows):
    with open(os.path.join(OUT, name), "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_expected(adapters, name="expected.json"):
    """JSON with one row a line."""
    lines = []
    for adapter, entry in adapters.items():
        rows = entry.pop("rows")
        head = ", ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in entry.items())
        body = ",\n".join(f"      {json.dumps(i)}: {json.dumps(row, ensure_ascii=False)}" for i, row in rows.items())
        lines.append(f"    {json.dumps(adapter)}: {{{head}, \"rows\": {{\n{body}\n    }}}}")
    made = f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}"
    with open(os.path.join(OUT, name), "w", encoding="utf-8") as file:
        file.write(f'{{\n  "made_with": {json.dumps(made)},\n  "adapters": {{\n' + ",\n".join(lines) + "\n  }\n}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    args = parser.parse_args()
    torch.set_num_threads(2)
    tokens = train.tokenizer(args.base)
    expected, rows = {}, []
    for classifier in CLASSIFIERS:
        jsonl, expected[classifier] = classify(classifier, args, tokens)
        rows += jsonl
    random.Random(data.SEED).shuffle(rows)  # every few rows another adapter
    write_jsonl("rows-classification.jsonl", rows)
    for adapter, score, file in (
        ("year", regress, "rows-regression.jsonl"),
        ("entities", tag, "rows-tokens.jsonl"),
        ("search", find, "rows-embedding.jsonl"),
    ):
        rows, expected[adapter] = score(adapter, args, tokens)
        write_jsonl(file, rows)
    write_jsonl("rows-bad.jsonl", [dict(id=i, text=t, adapter=a, why=w) for i, t, a, w in BAD])
    write_expected(expected)
