"""The PEFT side of `jobs/medley bench`: an encoder's sentence vectors, one JSON line out for each line in.

FOLDER THREADS on the command line; then on standard input a line for each run,
{"way", "texts", "batches": [[row, …], …], "adapter_of": [name or a+b or null, …], "folders": {name: folder}}:
  base      transformers' forward, no PEFT around the model
  grouped   set_adapter where a batch's adapter is not the one before, then forward
  mixed     forward with adapter_names
  merged    merge_adapter and unmerge_adapter around each adapter's batches
  sets      a PeftMixedModel for each set a+b, its members active in that order
Out: {"seconds", "cpu_seconds", "vectors"}; batches come sorted, by adapter and by length. Tokenising counts, loading
does not. {"way": "load", "folders"} loads into a new model with load_adapter and says the seconds of each.
"""

import copy
import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import peft
import torch
import transformers
from peft import PeftConfig, PeftMixedModel, PeftModel
from tokenizers import Tokenizer
from transformers import AutoConfig, BertModel

folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
transformers.utils.logging.set_verbosity_error()

tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
tokenizer.no_truncation()
tokenizer.enable_padding(pad_id=tokenizer.token_to_id("[PAD]"), pad_token="[PAD]")


def load_base():
    config = AutoConfig.from_pretrained(folder, attn_implementation="sdpa")
    return BertModel.from_pretrained(folder, config=config, add_pooling_layer=False, dtype=torch.float32).eval()


def same_weights(model):
    """A model of its own on the same parameters, which wrappers may be put around."""
    memo = {id(p): p for p in [*model.parameters(), *model.buffers()]}
    return copy.deepcopy(model, memo)


base = load_base()
adapted = None
loaded = set()
mixed_models = {}


def load(folders):
    """load_adapter for each; the first makes the PeftModel."""
    global adapted
    seconds = []
    for name, source in folders.items():
        start = time.perf_counter()
        if name not in loaded:
            if adapted is None:
                adapted = PeftModel.from_pretrained(copy.deepcopy(base), source, adapter_name=name).eval()
            else:
                adapted.load_adapter(source, adapter_name=name)
            loaded.add(name)
        seconds.append(time.perf_counter() - start)
    return seconds


def mixed_model(expression, folders):
    if expression not in mixed_models:
        names = expression.split("+")
        model = None
        for name in names:
            config = PeftConfig.from_pretrained(folders[name])
            config.inference_mode = True
            if model is None:
                model = PeftMixedModel(same_weights(base), config, adapter_name=name)
            result = model.load_adapter(folders[name], name)
            assert not [key for key in result.missing_keys if f".{name}" in key], result.missing_keys
            assert not result.unexpected_keys, result.unexpected_keys
        model.set_adapter(names)
        mixed_models[expression] = model.eval()
    return mixed_models[expression]


def vectors(model, texts, **more):
    encoded = tokenizer.encode_batch(texts)
    ids = torch.tensor([e.ids for e in encoded])
    mask = torch.tensor([e.attention_mask for e in encoded])
    hidden = model(input_ids=ids, attention_mask=mask, **more).last_hidden_state
    keep = mask.unsqueeze(-1).to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * keep).sum(1) / keep.sum(1), dim=-1)


def run(way, texts, batches, adapter_of, folders):
    out = []
    active = None
    for rows in batches:
        part = [texts[i] for i in rows]
        adapter = adapter_of[rows[0]]
        if way == "base":
            out.append(vectors(base, part))
        elif way == "mixed":
            out.append(vectors(adapted, part, adapter_names=[adapter_of[i] or "__base__" for i in rows]))
        elif way == "sets":
            out.append(vectors(mixed_model(adapter, folders), part))
        else:
            if adapter != active:
                if way == "merged" and active:
                    adapted.base_model.unmerge_adapter()
                adapted.set_adapter(adapter)
                if way == "merged":
                    adapted.base_model.merge_adapter([adapter])
                active = adapter
            out.append(vectors(adapted, part))
    if way == "merged":
        adapted.base_model.unmerge_adapter()
    return out


print(
    json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}),
    flush=True,
)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["way"] == "load":
        adapted, loaded = None, set()
        print(json.dumps({"seconds": load(asked["folders"])}), flush=True)
        continue
    if asked["way"] == "sets":
        for expression in set(asked["adapter_of"]):
            mixed_model(expression, asked["folders"])
    elif asked["way"] != "base":
        load(asked["folders"])
    with torch.inference_mode():
        cpu, start = time.process_time(), time.perf_counter()
        out = run(**asked)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    result = [None] * len(asked["texts"])
    for rows, batch in zip(asked["batches"], out):
        for i, vector in zip(rows, batch.tolist()):
            result[i] = vector
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "vectors": result}), flush=True)
