"""What load_adapter returns: fixtures/verbs/load-results.json.

Each case is an adapter of the base models/BASE with tensors dropped, renamed or added (zeros of a shape), loaded
beside the unchanged one. missing and unexpected are PEFT's lists without the adapter's name; missing_saved are the
missing keys of modules_to_save, which PEFT finds and keeps out of its list.
"""

import random
import shutil
import tempfile
import warnings
from pathlib import Path

import peft.peft_model
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import BertForSequenceClassification, BertModel

import lora
from common import FIXTURES, write_json

BASES = {
    "bert-sequence": (
        BertForSequenceClassification,
        [f"sets/bert/adapters/{name}" for name in ("lora", "loha", "lokr", "oft", "shira", "dora", "table", "norms")]
        + [
            f"models/bert-sequence/adapters/{name}"
            for name in ("adalora-qv", "ia3-feed-forward", "ln-tuning", "road-1", "trainable-tokens-resized", "vera-dense", "qv")
        ],
    ),
    "bert": (BertModel, ["models/bert/adapters/feature"]),
}
EXTRA = "encoder.layer.9.attention.self.query.lora_A.weight"


def changes(keys, prefix, choose):
    one, other = choose.choice(keys), choose.sample(keys, min(2, len(keys)))
    yield "dropped", {"drop": [one]}
    yield "two-dropped", {"drop": sorted(other)}
    yield "extra", {"add": {f"base_model.model.{prefix}{EXTRA}": [2, 28]}}
    yield "strange", {"add": {"foo.bar": [3]}}
    wrong = one.replace(".encoder.", ".decoder.", 1) if ".encoder." in one else one + "x"
    yield "renamed", {"rename": {one: wrong}}
    inner = [key for key in keys if not key.startswith("base_model.model.classifier.")]  # PEFT fails without a saved head
    yield "without-prefix", {"rename": {key: key.replace("base_model.model.", "", 1) for key in inner}}
    named = {key: (key[:-7] + ".default.weight" if key.endswith(".weight") else key + ".default") for key in inner}
    yield "with-its-name", {"rename": named}
    others = {key: key.replace("base_model.model.", "base_model.model.backbone.", 1) for key in inner}
    yield "of-another-class", {"rename": others}


def changed(tensors, change):
    result = {change.get("rename", {}).get(key, key): value for key, value in tensors.items()}
    for key in change.get("drop", []):
        del result[key]
    result.update({key: torch.zeros(shape) for key, shape in change.get("add", {}).items()})
    return result


def as_in_file(key):
    """DoRA's vectors are modules in memory, and not in the file."""
    return key.removesuffix(".weight") if "lora_magnitude_vector" in key else key


def load(base, source, folder):
    """PEFT's lists, and what it had found before it filtered them."""
    model = PeftModel.from_pretrained(lora.base(base, BASES[base][0]), source, "first")
    found = []
    original = peft.peft_model.set_peft_model_state_dict

    def spying(*args, **kwargs):
        result = original(*args, **kwargs)
        found.extend(result.missing_keys)
        return result

    peft.peft_model.set_peft_model_state_dict = spying
    try:
        result = model.load_adapter(folder, "zzq")
    finally:
        peft.peft_model.set_peft_model_state_dict = original
    found = [as_in_file(key) for key in found]
    saved = [key for key in found if ".modules_to_save.zzq" in key]
    return {
        "missing": sorted(as_in_file(key).replace(".zzq", "") for key in result.missing_keys if key not in saved),
        "missing_saved": sorted(key.replace(".modules_to_save.zzq", "") for key in saved),
        "unexpected": sorted(as_in_file(key).replace(".zzq", "") for key in result.unexpected_keys),
    }


def main():
    warnings.filterwarnings("ignore")
    choose = random.Random(7)
    cases = []
    for base, (_, adapters) in BASES.items():
        for adapter in adapters:
            source = FIXTURES / adapter
            tensors = load_file(source / "adapter_model.safetensors")
            prefix = "" if base == "bert" else "bert."
            for name, change in changes(sorted(tensors), prefix, choose):
                left = changed(tensors, change)
                if not left:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    shutil.copy(source / "adapter_config.json", folder)
                    save_file(left, Path(folder) / "adapter_model.safetensors", metadata={"format": "pt"})
                    try:
                        result = load(base, source, folder)
                    except (KeyError, RuntimeError, ValueError) as e:
                        print(f"{adapter} {name}: PEFT fails with {e!r:.140}")
                        continue
                cases.append({"base": base, "adapter": adapter, "change": name, **change, **result})
    write_json(FIXTURES / "verbs" / "load-results.json", {"cases": cases})
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
