"""Trains the quickstart's adapters with PEFT: python train.py --base FOLDER --data FOLDER [adapter ...]

FOLDER of --base is the HuggingFace folder of all-MiniLM-L6-v2 that Medley writes, FOLDER of --data what fetch.sh fetched.
The base has no pooler, so every adapter of a sequence classifier brings its own (`modules_to_save`).
"""

import argparse
import glob
import json
import os
import random
import shutil
import time

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification

import data
import search

HERE = os.path.dirname(os.path.abspath(__file__))
ADAPTERS = os.path.join(HERE, "..", "adapters")
BASE_NAME = "sentence-transformers/all-MiniLM-L6-v2"
MAX_TOKENS = 128
HEAD = ["pooler"]  # PEFT adds the classifier itself

# name: (LoRA settings, dtype on disk, epochs, learning rate)
RECIPES = {
    "spam": (
        dict(r=8, lora_alpha=16, target_modules=["query", "value"], lora_dropout=0.05, modules_to_save=[*HEAD]),
        torch.float16, 3, 1e-3,
    ),
    "era": (
        dict(r=4, lora_alpha=8, target_modules=["query", "value"], modules_to_save=[*HEAD]),
        torch.float32, 3, 1e-3,
    ),
    "language": (
        dict(r=16, lora_alpha=8, use_rslora=True, target_modules=["query", "key", "value"], modules_to_save=[*HEAD],
             layers_to_transform=[0, 1, 2], layers_pattern="layer"),
        torch.float16, 5, 1e-3,
    ),
    "code": (
        dict(r=8, lora_alpha=32, target_modules=["query", "key", "value", "attention.output.dense"], modules_to_save=[*HEAD]),
        torch.float16, 3, 1e-3,
    ),
    "tickets": (
        dict(r=4, lora_alpha=16, target_modules="all-linear", lora_dropout=0.1, modules_to_save=[*HEAD]),
        torch.bfloat16, 4, 7e-4,
    ),
    "year": (
        dict(r=6, lora_alpha=12, target_modules=["query", "value"], bias="lora_only", modules_to_save=[*HEAD],
             layers_to_transform=[3, 4, 5], layers_pattern="layer"),
        torch.float16, 2, 1e-3,
    ),
    "entities": (
        dict(r=8, lora_alpha=16, target_modules=["query", "value", "intermediate.dense"]),
        torch.float16, 3, 1e-3,
    ),
    "search": (dict(r=8, lora_alpha=24, target_modules=["query", "value"]), torch.float16, 2, 5e-4),
}  # fmt: skip
TASK_TYPES = {"entities": "TOKEN_CLS", "search": "FEATURE_EXTRACTION"}  # the others: SEQ_CLS


def tokenizer(base):
    tokens = Tokenizer.from_file(os.path.join(base, "tokenizer.json"))
    tokens.no_padding()
    tokens.no_truncation()
    return tokens


def batch(encodings):
    """(input_ids, attention_mask), padded to the longest."""
    width = max(len(e.ids) for e in encodings)
    ids = torch.tensor([e.ids + [0] * (width - len(e.ids)) for e in encodings])
    mask = torch.tensor([[1] * len(e.ids) + [0] * (width - len(e.ids)) for e in encodings])
    return ids, mask


def token_labels(encoding, spans, width):
    """A label id per token: B- for the first piece of a span, I- for its others; -100 (ignored) for [CLS], [SEP], padding."""
    labels = []
    for (start, end), special in zip(encoding.offsets, encoding.special_tokens_mask):
        label = "O"
        for s, e, kind in spans:
            if s <= start and end <= e:
                label = ("B-" if start == s else "I-") + kind
        labels.append(-100 if special else data.made_entities.LABELS.index(label))
    return labels + [-100] * (width - len(labels))


def config_json(name, labels):
    """Label names, which PEFT's own files do not carry."""
    config = {"id2label": {str(i): label for i, label in enumerate(labels)}}
    if name != "entities":
        config["problem_type"] = "regression" if len(labels) == 1 else "single_label_classification"
    return config


def base_model(name, base, labels):
    if name == "search":
        return AutoModel.from_pretrained(base, add_pooling_layer=False)
    kind = AutoModelForTokenClassification if name == "entities" else AutoModelForSequenceClassification
    extra = {} if name == "entities" else {"problem_type": config_json(name, labels)["problem_type"]}
    return kind.from_pretrained(base, num_labels=len(labels), **extra)


def mean_pool(hidden, mask):
    weights = mask.unsqueeze(-1).float()
    return torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)


def loss_of(name, model, rows, labels):
    encodings = [r[0] for r in rows]
    ids, mask = batch(encodings)
    if name == "search":  # each query against every code of the batch, both ways (InfoNCE)
        code_ids, code_mask = batch([r[1] for r in rows])
        queries = mean_pool(model(input_ids=ids, attention_mask=mask).last_hidden_state, mask)
        codes = mean_pool(model(input_ids=code_ids, attention_mask=code_mask).last_hidden_state, code_mask)
        scores, wanted = 20 * queries @ codes.T, torch.arange(len(rows))
        return (torch.nn.functional.cross_entropy(scores, wanted) + torch.nn.functional.cross_entropy(scores.T, wanted)) / 2
    if name == "entities":
        target = torch.tensor([token_labels(e, spans, ids.shape[1]) for e, spans in rows])
    elif name == "year":
        target = torch.tensor([label for _, label in rows])
    else:
        target = torch.tensor([labels.index(label) for _, label in rows])
    return model(input_ids=ids, attention_mask=mask, labels=target).loss


def train(name, base, data_folder):
    settings, dtype, epochs, rate = RECIPES[name]
    torch.manual_seed(data.SEED)
    rng = random.Random(data.SEED)
    labels, rows, _ = search.search(data_folder) if name == "search" else getattr(data, name)(data_folder)
    tokens = tokenizer(base)
    rows = [(tokens.encode(text), tokens.encode(label) if name == "search" else label) for text, label in rows]
    rows = [r for r in rows if len(r[0].ids) <= MAX_TOKENS and (name != "search" or len(r[1].ids) <= MAX_TOKENS)]

    model = get_peft_model(base_model(name, base, labels), LoraConfig(task_type=TASK_TYPES.get(name, "SEQ_CLS"), **settings))
    model.print_trainable_parameters()
    model.train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    size = 32
    steps = epochs * (len(rows) // size)
    optimizer = torch.optim.AdamW(trainable, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.1)
    step, started, losses = 0, time.time(), []
    for _ in range(epochs):
        order = list(rows)
        rng.shuffle(order)
        # neighbours of like length share a batch: sort chunks of eight batches
        chunks = [sorted(order[i : i + 8 * size], key=lambda r: len(r[0].ids)) for i in range(0, len(order), 8 * size)]
        batches = [c[i : i + size] for c in chunks for i in range(0, len(c), size)]
        batches = [b for b in batches if len(b) == size]
        rng.shuffle(batches)
        for b in batches[: steps - step]:
            loss = loss_of(name, model, b, labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trainable, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            step += 1
            losses.append(loss.item())
            if step % 25 == 0:
                mean = sum(losses[-25:]) / 25
                print(f"{name}: step {step}/{steps}, loss {mean:.4f}, {time.time() - started:.0f} s", flush=True)
    save(name, model, dtype, labels)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def save(name, model, dtype, labels):
    folder = os.path.join(ADAPTERS, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.peft_config["default"].base_model_name_or_path = BASE_NAME
    model.save_pretrained(folder)
    for card in glob.glob(os.path.join(folder, "README.md")):
        os.remove(card)
    path = os.path.join(folder, "adapter_config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    config["target_modules"] = sorted(config["target_modules"])  # a set: PEFT writes it in any order
    write_json(path, config)
    weights = os.path.join(folder, "adapter_model.safetensors")
    save_file({k: v.to(dtype).contiguous() for k, v in load_file(weights).items()}, weights, metadata={"format": "pt"})
    if labels:
        write_json(os.path.join(folder, "config.json"), config_json(name, labels))
    print(f"{name}: {os.path.getsize(weights)} bytes", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(2)
    for adapter in args.names or RECIPES:
        train(adapter, args.base, args.data)
