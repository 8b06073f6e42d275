"""Checks a merged folder: python merged.py BASE MERGED ADAPTER [ADAPTER …]

transformers loads the folder without a missing or unexpected tensor, and what it computes in fp32 is what PEFT computes
unmerged with the adapters on BASE, added and activated in that order: to 1e-5, or to what a weight stored in half
precision can hold.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from peft import PeftConfig, PeftMixedModel, PeftModel
from safetensors import safe_open

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore")


def unmerged(whole, folders):
    """The model itself, adapted in place; below its head where an adapter was trained without one."""
    with safe_open(Path(folders[0]) / "adapter_model.safetensors", "pt") as file:
        tops = tuple(f"base_model.model.{name}." for name in (whole.base_model_prefix, "lm_head", "score"))
        headed = any(key.startswith(tops) for key in file.keys())
    adapt(whole if headed else whole.base_model, folders)
    return whole


def adapt(model, folders):
    """PeftMixedModel refuses types that it could well mix alone; one adapter does not need it."""
    if len(folders) == 1:
        return PeftModel.from_pretrained(model, folders[0])
    mixed = None
    for i, folder in enumerate(folders):
        config = PeftConfig.from_pretrained(folder)
        config.inference_mode = True
        if mixed is None:
            mixed = PeftMixedModel(model, config, adapter_name=f"m{i}")
        mixed.load_adapter(folder, f"m{i}")
    mixed.set_adapter([f"m{i}" for i in range(len(folders))])
    return mixed


def main(base, merged, *folders):
    architecture = json.loads((Path(merged) / "config.json").read_text())["architectures"][0]
    cls = getattr(transformers, architecture)
    options = {"attn_implementation": "eager", "dtype": torch.float32}
    stored = transformers.AutoConfig.from_pretrained(merged).dtype
    model, info = cls.from_pretrained(merged, output_loading_info=True, **options)
    ours = {key: sorted(value) for key, value in info.items() if value and key != "error_msgs"}
    assert not ours and not info["error_msgs"], info
    head = {"num_labels": model.config.num_labels}
    torch.manual_seed(0)
    plain = cls.from_pretrained(base, ignore_mismatched_sizes=True, **head, **options)
    gen = torch.Generator().manual_seed(1)
    ids = torch.randint(5, model.config.vocab_size, (4, 9), generator=gen)
    with torch.no_grad():
        before = plain.eval()(ids)[0]
        expected = unmerged(plain, folders).eval()(input_ids=ids)[0]
        actual = model.eval()(ids)[0]
    off = (actual - expected).abs().max() / expected.abs().max()
    moved = "" if before.shape != expected.shape else f", the base itself by {(before - expected).abs().max():.2g}"
    print(f"{architecture} {tuple(actual.shape)}: off by {off:.1e} of the largest{moved}; {stored}; {model.config.id2label}")
    assert off < {"bfloat16": 3e-2, "float16": 3e-3}.get(str(stored).removeprefix("torch."), 1e-5)


if __name__ == "__main__":
    main(*sys.argv[1:])
