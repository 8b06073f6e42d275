"""Scores noised held-out rows under ordered sets of adapters and writes ../rows-mixed.jsonl and ../expected-mixed.json:

    python mixed.py --base FOLDER --data FOLDER

PEFT's truth for a set is PeftMixedModel's forward, never merged: members are added and activated in the set's order, each
type around those before it, so x·R of an OFT member reaches the members before it and not those after it.
"""

import argparse
import json
import os
import random
import re

import torch
from peft import PeftConfig, PeftMixedModel
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

import data
import expected
import noise
import train

CHARACTERS = 120  # of a text before it is noised
SETS = {"sturdy": "language+typos+chat"}  # as in mixed.conf
HELD_OUT = 200  # rows of a task, the committed ones first
ROWS = 10  # of each group are committed

# (noise, task): what its rows are scored under, the task alone first
GROUPS = {
    ("typos", "tickets"): ["tickets", "tickets+typos", "0.7*typos+tickets"],
    ("chat", "tickets"): ["tickets", "chat+tickets"],
    ("leet", "spam"): ["spam", "spam+leet", "leet+spam"],
    ("typos+chat", "language"): ["language", "language+chat", "sturdy", "language+0.5*typos+chat"],
    ("leet+typos", "language"): [
        "language", "language+leet", "leet+language+typos", "typos+leet+language", "language+0.5*typos+leet",
    ],
}  # fmt: skip
# held-out figures only: each noise for each task, what a mix costs clean texts, and sets that do not help
FIGURES = {
    **{(kind, task): [task, f"{task}+{kind}"] for kind in noise.KINDS for task in expected.CLASSIFIERS},
    **{("clean", task): [task, *(f"{task}+{kind}" for kind in noise.KINDS)] for task in ("tickets", "spam")},
    ("typos+chat", "tickets"): ["tickets", "tickets+chat", "tickets+typos+chat"],
    ("leet+typos", "tickets"): ["tickets", "tickets+leet", "leet+tickets+typos"],
}

# the encoder alone has no `bert.`, and a classifier's adapter has it already
TO_CLASSIFIER = {"^encoder": "bert.encoder"}


def members(adapter):
    """[(name, weight)] of `a+b`, `0.7*a+b` or a named set."""
    found = [re.fullmatch(r"(?:([\d.]+)\*)?(\w+)", member) for member in SETS.get(adapter, adapter).split("+")]
    return [(match[2], float(match[1] or 1)) for match in found]


def folder(name):
    return os.path.join(train.ADAPTERS, name)


def load(adapter, labels, base):
    """The set as one model; fails unless every tensor of every member lies in it."""
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels))
    names = [name for name, _ in members(adapter)]
    # from_pretrained refuses OFT as the first; the constructor takes it, and load_adapter fills a name that is there
    mixed = PeftMixedModel(model, PeftConfig.from_pretrained(folder(names[0])), names[0])
    for name in names:
        result = mixed.load_adapter(folder(name), name, key_mapping=TO_CLASSIFIER)
        assert not result.unexpected_keys, f"{adapter}: {result.unexpected_keys[:4]}"
    for name, weight in members(adapter):
        compare(mixed, name)
        scale(mixed, name, weight)
    mixed.set_adapter(names)
    return mixed.eval()


def compare(mixed, name):
    """Every tensor of the file with the one in the model, by name: a missing key is no error to PEFT."""
    found = {}
    for key, tensor in mixed.state_dict().items():
        parts = key.split(".")
        if name in parts:
            found[".".join(p for p in parts if p not in (name, "base_layer", "modules_to_save", "bert"))] = tensor
    stored = load_file(os.path.join(folder(name), "adapter_model.safetensors"))
    stored = {key.replace(".bert.", "."): tensor for key, tensor in stored.items()}
    assert found.keys() == stored.keys(), f"{name}: {sorted(found.keys() ^ stored.keys())[:4]}"
    for key, tensor in stored.items():
        assert torch.equal(found[key], tensor.float()), f"{name}: {key}"


def scale(mixed, name, weight):
    """Multiplies the contribution of a member, of which OFT has none."""
    layers = [m for m in mixed.modules() if isinstance(m, BaseTunerLayer) and name in getattr(m, "scaling", {})]
    assert weight == 1 or layers, f"{name}: nothing to scale"
    for layer in layers:
        layer.scaling[name] *= weight


@torch.no_grad()
def check(mixed, adapter, encodings):
    """Every member does something: without any one of them, and without all, the hidden states are others."""
    ids, mask = train.batch(encodings)
    encoder = mixed.base_model.model.bert

    def hidden():
        return encoder(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]

    names = [name for name, _ in members(adapter)]
    whole = hidden()
    for left_out in names if len(names) > 1 else ():
        mixed.set_adapter([name for name in names if name != left_out])
        assert (hidden() - whole).abs().max() > 1e-2, f"{adapter}: {left_out} changes nothing"
    mixed.set_adapter(names)
    with mixed.disable_adapter():
        assert (hidden() - whole).abs().max() > 1e-2, f"{adapter}: the base's"
    mixed.set_adapter(names)
    assert torch.equal(hidden(), whole), adapter


def noised(kind, task, args, tokens):
    """(labels, noised held-out rows of at most 128 tokens)."""
    labels, rows = expected.held_out(task, args, tokens)
    with open(os.path.join(expected.OUT, "rows-classification.jsonl"), encoding="utf-8") as file:
        committed = {json.loads(line)["text"] for line in file}
    rows.sort(key=lambda row: row[0] not in committed)  # first those that the repository shows already
    rng = random.Random(data.SEED)
    rows = [(data._cut(text, CHARACTERS), label) for text, label in rows[:HELD_OUT]]
    rows = [(text if kind == "clean" else noise.noised(kind, text, rng), label) for text, label in rows]
    return labels, [r for r in rows if len(tokens.encode(r[0]).ids) <= train.MAX_TOKENS]


def classify(adapter, labels, rows, args, tokens):
    """Softmax of each row under a set."""
    encodings = [tokens.encode(text) for text, _ in rows]
    model = load(adapter, labels, args.base)
    check(model, adapter, encodings[:4])
    return expected.forward(model, encodings, lambda o, _: o.logits).softmax(-1)


def groups(wanted, args, tokens):
    """(noise, adapter, rows, labels, scores) of every group, said aloud."""
    for (kind, task), adapters in wanted.items():
        labels, rows = noised(kind, task, args, tokens)
        for adapter in adapters:
            scores = classify(adapter, labels, rows, args, tokens)
            right = sum(labels[i] == label for i, (_, label) in zip(scores.argmax(-1), rows))
            print(f"{kind}: {adapter} {right}/{len(rows)} ({100 * right / len(rows):.1f} %)", flush=True)
            yield kind, adapter, rows, labels, scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokens = train.tokenizer(args.base)
    jsonl, entries = [], {}
    for number, (kind, adapter, rows, labels, scores) in enumerate(groups(GROUPS, args, tokens), 1):
        predicted = [labels[i] for i in scores.argmax(-1)]
        right = [p == label for p, (_, label) in zip(predicted, rows)]
        ids = [f"mixed-{number:02d}-{i + 1:02d}" for i in range(ROWS)]
        jsonl += [dict(id=i, text=t, noise=kind, adapter=adapter, expected=y) for i, (t, y) in zip(ids, rows)]
        entries[f"{kind}: {adapter}"] = dict(
            task="text-classification",
            held_out=dict(n=len(rows), correct=sum(right)),
            n=ROWS,
            correct=sum(right[:ROWS]),
            rows={i: dict(label=p, scores=[round(s, 6) for s in row.tolist()]) for i, p, row in zip(ids, predicted, scores)},
        )
    random.Random(data.SEED).shuffle(jsonl)  # every row another set
    expected.write_jsonl("rows-mixed.jsonl", jsonl)
    expected.write_expected(entries, "expected-mixed.json")
    for _ in groups({k: v for k, v in FIGURES.items() if k not in GROUPS}, args, tokens):
        pass
