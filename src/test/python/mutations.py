"""What PEFT makes of changed adapters: fixtures/mutations/.

The Java tests change sound adapters in many ways. What Medley refuses needs no more; of what it accepts they look up
what PEFT computes, and write what they do not find to target/mutants/. This script judges those:

verdicts.json: by the sound adapter's folder and the change: the changed files' digest, and an output's name, or what
keeps PEFT from using the adapter as its file stands.
outputs.safetensors: OUTPUT.MODULE, what the layers make of their x in expected.safetensors, or a model's logits.
"""

import dataclasses
import json
import shutil
import sys

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from safetensors.torch import load_file
from torch import nn
from transformers import BertForSequenceClassification

import lora
from common import FIXTURES, forward, write_json, write_tensors
from layers import Tiny

MUTANTS = FIXTURES.parents[3] / "target" / "mutants"
FOLDER = FIXTURES / "mutations"


class Layers:
    """The base of fixtures/adapters/TYPE/CASE, from its expected.safetensors."""

    def __init__(self, of):
        self.tensors = load_file(FIXTURES / of / "expected.safetensors")
        self.names = ["lin"] if "expected" in self.tensors else ["lin", "deep.lin"]

    def get(self, layer, name):
        return self.tensors.get(name if len(self.names) == 1 else f"{layer}.{name}")

    def layer(self, name):
        weight, bias = self.get(name, "weight"), self.get(name, "bias")
        if "ids" in self.tensors:
            layer = nn.Embedding(*weight.shape)
        elif weight.dim() == 1:
            layer = nn.LayerNorm(weight.shape)
        else:
            layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        layer.load_state_dict({"weight": weight, **({} if bias is None else {"bias": bias})})
        return layer

    def base(self, folder):
        layers = {name.split(".")[0]: self.layer(name) for name in self.names}
        if "deep" in layers:
            layers["deep"] = Tiny(lin=layers["deep"])
        base = Tiny(**layers)
        base.prepare_inputs_for_generation = None  # which PEFT wants to see under CAUSAL_LM
        return base

    def outputs(self, model):
        key = "ids" if "ids" in self.tensors else "x"
        inner = model.base_model.model
        return {
            name: inner.get_submodule(name)(self.get(name, key).long() if key == "ids" else self.get(name, key))
            for name in self.names
        }


class Model:
    """The base of fixtures/models/NAME/adapters/CASE, with as many labels as the adapter's head has."""

    def __init__(self, of):
        self.name = of.split("/")[1]

    def base(self, folder):
        tensors = load_file(folder / "adapter_model.safetensors")
        heads = [len(tensor) for key, tensor in tensors.items() if key.endswith("classifier.weight")]
        return lora.base(self.name, BertForSequenceClassification, **({"num_labels": heads[0]} if heads else {}))

    def outputs(self, model):
        return {"logits": forward(model, lora.given(self.name)).logits}


def verdict(judge, folder):
    """What PEFT computes, or a string that says why it does not compute what the file says."""
    config = json.loads((folder / "adapter_config.json").read_text())
    try:
        known = {field.name for field in dataclasses.fields(PEFT_TYPE_TO_CONFIG_MAPPING[config["peft_type"]])}
        # LoHa and others have no bias at all, so that "none" says what is so.
        unset = {key for key, value in config.items() if value in (None, False, "", [], {}, "none")}
        ignored = sorted(key for key in config if key not in known | unset | {"peft_version"})
        if ignored:
            return f"ignores {ignored}"
        model = PeftModel.from_pretrained(judge.base(folder), folder).eval()
        read = get_peft_model_state_dict(model, save_embedding_layers=False)
        file = load_file(folder / "adapter_model.safetensors")
        state = model.state_dict()  # where tables and biases of the base have the file's names
        read.update({key: state[key] for key in file.keys() - read.keys() if key in state})
        # Second copies of what is in the file anyway.
        copies = {key for key in read if ".modules_to_save." in key or ".original_module." in key}
        if file.keys() - read.keys() or read.keys() - file.keys() - copies:
            return f"does not read {sorted(read.keys() ^ file.keys())}"
        for key, tensor in file.items():
            if not torch.equal(read[key], tensor.to(read[key].dtype)):
                return f"reads another {key}"
        with torch.no_grad():
            return judge.outputs(model)
    except Exception as e:  # whatever PEFT throws
        return f"fails: {type(e).__name__}"


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def main():
    path, tensors_path = FOLDER / "verdicts.json", FOLDER / "outputs.safetensors"
    verdicts = json.loads(path.read_text()) if path.exists() else {}
    stored = load_file(tensors_path) if tensors_path.exists() else {}
    outputs = {}
    for key, tensor in stored.items():
        name, _, module = key.partition(".")
        outputs.setdefault(name, {})[module] = tensor
    judged = 0
    for folder in sorted(MUTANTS.iterdir()) if MUTANTS.exists() else []:
        of, _, change = (folder / "mutant.txt").read_text().partition(" | ")
        judge = Layers(of) if of.startswith("adapters/") else Model(of)
        found = verdict(judge, folder)
        if not isinstance(found, str):
            prefix = of.removeprefix("adapters/") + "#"
            known = [name for name in outputs if name.startswith(prefix)]
            name = next((name for name in known if same(outputs[name], found)), prefix + str(len(known)))
            outputs[name] = found
            found = name
        verdicts.setdefault(of, {})[change] = [folder.name, found]
        judged += 1
        shutil.rmtree(folder)
    used = {found for changes in verdicts.values() for _, found in changes.values()}
    tensors = {
        f"{name}.{module}": tensor
        for name, modules in sorted(outputs.items())
        if name in used
        for module, tensor in modules.items()
    }
    write_tensors(tensors_path, tensors)
    write_json(path, {of: dict(sorted(changes.items())) for of, changes in sorted(verdicts.items())})
    print(f"{judged} judged", file=sys.stderr)


if __name__ == "__main__":
    main()
