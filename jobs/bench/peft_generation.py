"""The PEFT side of `jobs/medley bench`: transformers' generate, one JSON line out for each line in.

FOLDER THREADS on the command line; then on standard input a line for each run, {"way", "new_tokens", "adapter_of"}:
  base      generate over all prompts
  grouped   set_adapter for each adapter's prompts in turn, generate over those
  mixed     one generate over all prompts with adapter_names
Out: {"seconds", "cpu_seconds", "tokens": [[…], …]} for each; the tokens of every prompt in order.
"""

import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import peft as peft_library
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM

folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
transformers.utils.logging.set_verbosity_error()

prompts = json.load(open(f"{folder}/prompts.json"))
base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
names = sorted(os.listdir(f"{folder}/adapters"), key=lambda name: int(name[1:]))


def batch(ids):
    width = max(map(len, ids))
    padded = torch.tensor([[0] * (width - len(row)) + row for row in ids])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids])
    return {"input_ids": padded, "attention_mask": mask}


def generate(model, ids, new_tokens, **more):
    inputs = batch(ids)
    out = model.generate(
        **inputs, do_sample=False, max_new_tokens=new_tokens, min_new_tokens=new_tokens, pad_token_id=0, **more
    )
    return out[:, inputs["input_ids"].shape[1] :].tolist()


def run(way, new_tokens, adapter_of):
    if way == "base":
        return generate(base, prompts, new_tokens)
    if way == "mixed":
        return generate(peft(), prompts, new_tokens, adapter_names=adapter_of)
    tokens = [None] * len(prompts)
    for name in sorted(set(adapter_of)):
        rows = [i for i, other in enumerate(adapter_of) if other == name]
        peft().set_adapter(name)
        for i, row in zip(rows, generate(peft(), [prompts[i] for i in rows], new_tokens)):
            tokens[i] = row
    return tokens


adapted = None


def peft():
    """A model of its own: the base stays without wrappers."""
    global adapted
    if adapted is None:
        other = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        adapted = PeftModel.from_pretrained(other, f"{folder}/adapters/{names[0]}", adapter_name=names[0])
        for name in names[1:]:
            adapted.load_adapter(f"{folder}/adapters/{name}", adapter_name=name)
        adapted.eval()
    return adapted


print(
    json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft_library.__version__}),
    flush=True,
)
with torch.inference_mode():
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["way"] != "base":
            peft()
        cpu, start = time.process_time(), time.perf_counter()
        tokens = run(**asked)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "tokens": tokens}), flush=True)
