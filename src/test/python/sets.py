"""Ordered mixed sets, as PeftMixedModel computes them unmerged: fixtures/sets/layer, mlp, bert and others.

adapters/NAME/: the members. expected.safetensors: the base layer (layer) or the inputs (bert), and under each set's own
name, such as 0.7*lora+oft, what PEFT computes when the members are added and activated in that order.

Where PeftMixedModel refuses a set that is well defined, a LoRA that does the same stands in for the member: SHiRA that
is not innermost, AdaLoRA with a rank_pattern. OFT may come first here, as PEFT refuses only to load it first.
"""

import random
import tempfile
from pathlib import Path

import peft.mixed_model
import torch
from peft import (
    AdaLoraConfig,
    IA3Config,
    KasaConfig,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    OFTConfig,
    PeftConfig,
    PeftMixedModel,
    PeftModel,
    RoadConfig,
    ShiraConfig,
)
from peft.tuners import ia3, road
from peft.tuners.mixed import model as mixed_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from torch import nn
from transformers import BertForSequenceClassification

import adapters
import lora
import models
from common import FIXTURES, forward, generator, randomise, write_tensors

SIX = ["lora", "loha", "lokr", "adalora", "oft", "shira"]
RANDOM_SETS = 120


def layer_members(targets):
    """Name: config. A second one of each type has another size, so that two of them do not commute by accident."""
    return {
        "lora": LoraConfig(r=5, lora_alpha=11, target_modules=targets),
        "lora2": LoraConfig(r=2, lora_alpha=7, lora_bias=True, target_modules=targets),
        "dora": LoraConfig(r=3, lora_alpha=5, use_dora=True, target_modules=targets),
        "dora2": LoraConfig(r=4, lora_alpha=3, use_rslora=True, use_dora=True, target_modules=targets),
        "pissa": LoraConfig(r=2, lora_alpha=3, init_lora_weights="pissa", target_modules=targets),
        "olora": LoraConfig(r=3, lora_alpha=4, init_lora_weights="olora", target_modules=targets),
        "kasa": LoraConfig(r=2, lora_alpha=5, kasa_config=KasaConfig(), target_modules=targets),
        "loha": LoHaConfig(r=2, alpha=7, target_modules=targets),
        "loha2": LoHaConfig(r=3, alpha=2, target_modules=targets),
        "lokr": LoKrConfig(r=2, alpha=7, target_modules=targets),
        "lokr2": LoKrConfig(r=1, alpha=3, decompose_factor=3, target_modules=targets),
        "adalora": AdaLoraConfig(init_r=4, target_r=2, lora_alpha=23, total_step=100, target_modules=targets),
        "adalora2": AdaLoraConfig(init_r=3, target_r=2, lora_alpha=9, total_step=100, target_modules=targets),
        "oft": OFTConfig(oft_block_size=3, target_modules=targets),
        "oft2": OFTConfig(oft_block_size=5, use_cayley_neumann=False, target_modules=targets),
        "shira": ShiraConfig(r=2, random_seed=7, target_modules=targets),
        "shira2": ShiraConfig(r=1, random_seed=8, target_modules=targets),
    }


def parse(expression):
    members = []
    for member in expression.split("+"):
        weight, _, name = member.rpartition("*")
        members.append((name, float(weight) if weight else 1.0))
    return members


def sets(names, gen, scalable, count=RANDOM_SETS):
    """Every ordered pair of the six types, random sets of three to five, and scaled ones."""
    pairs = [f"{a}+{b if a != b else b + '2'}" for a in SIX for b in SIX]
    chosen, found = list(pairs), []
    shapes = {
        "same type twice": lambda s: any(s.count(t) + s.count(t + "2") > 1 for t in SIX),
        "OFT in the middle": lambda s: any(m.startswith("oft") for m in s[1:-1]),
        "two OFTs adjacent": lambda s: any(a[:3] == b[:3] == "oft" for a, b in zip(s, s[1:])),
        "two OFTs apart": lambda s: {"oft", "oft2"} <= set(s) and abs(s.index("oft") - s.index("oft2")) > 1,
        "DoRA outside others": lambda s: any(m.startswith("dora") for m in s[1:]),
        "SHiRA first": lambda s: s[0].startswith("shira"),
        "SHiRA outside others": lambda s: any(m.startswith("shira") for m in s[1:]),
        "OFT first": lambda s: s[0].startswith("oft"),
    }
    while len(found) < count:
        size = gen.randint(3, 5)
        members = gen.sample(names, size)
        # Every other set is made to have the next of the shapes that matter.
        wanted = list(shapes.values())[len(found) // 2 % len(shapes)]
        if (len(found) % 2 or wanted(members)) and members not in found:
            found.append(members)
    for shape, test in shapes.items():
        assert sum(test(s) for s in found) >= 8, shape
    chosen += ["+".join(s) for s in found]
    for i in range(24):
        members = gen.sample(names, 1 + i % 4)
        weights = [gen.choice([0.5, -0.7, 1.3, 2]) if name in scalable else None for name in members]
        if any(weights):
            chosen.append("+".join(f"{w}*{m}" if w else m for w, m in zip(weights, members)))
    return list(dict.fromkeys(chosen))


def delta(folder, base):
    """{module: ΔW} of an additive adapter, from PEFT itself."""
    model = PeftModel.from_pretrained(base, folder)
    names = {id(m): name for name, m in model.base_model.model.named_modules()}
    layers = [m for m in model.modules() if isinstance(m, BaseTunerLayer)]
    deltas = {}
    for layer in layers:
        change = layer.get_delta_weight("default")
        change = change.to_dense() if change.is_sparse else change
        deltas[names[id(layer)]] = change.T if getattr(layer, "fan_in_fan_out", False) else change  # Conv1D: [in, out]
    return deltas


def stand_in(folder, make):
    """Config and tensors of a LoRA that does what an additive adapter does."""
    config, tensors, ranks = PeftConfig.from_pretrained(folder), {}, {}
    for module, change in delta(folder, make()).items():
        ranks[module] = change.shape[1]
        tensors[f"base_model.model.{module}.lora_A.weight"] = torch.eye(change.shape[1])
        tensors[f"base_model.model.{module}.lora_B.weight"] = change
    lora_config = LoraConfig(
        r=8, lora_alpha=8, target_modules=list(ranks), rank_pattern=ranks, alpha_pattern=ranks, inference_mode=True
    )
    return lora_config, tensors


def is_refused(config, position):
    ada = config.peft_type.value == "ADALORA" and config.rank_pattern
    return ada or config.peft_type.value == "SHIRA" and position > 0


def mixed(expression, folder, make, temporary):
    """The set as one PeftMixedModel, members added in order, all active in that order."""
    names, loaded, model = [], {}, None
    for i, (name, weight) in enumerate(parse(expression)):
        if name in loaded:  # applied again
            names.append(loaded[name])
            continue
        source, loaded[name] = folder / "adapters" / name, f"m{i}"
        config = PeftConfig.from_pretrained(source)
        if is_refused(config, i):
            config, tensors = stand_in(source, make)
            source = temporary / name
            if not source.exists():
                source.mkdir(parents=True)
                config.save_pretrained(source)
                write_tensors(source / "adapter_model.safetensors", tensors)
            config = PeftConfig.from_pretrained(source)
        name = f"m{i}"
        config.inference_mode = True
        if model is None:
            model = PeftMixedModel(make(), config, adapter_name=name)
        result = model.load_adapter(source, name)  # onto the first, if it is there already
        missing = [key for key in result.missing_keys if f".{name}" in key]
        # The copy of an embedding or head that PEFT saves beside what it targets has no place over another adapter.
        unexpected = [key for key in result.unexpected_keys if not key.endswith(".base_layer.weight")]
        assert not missing and not unexpected, (expression, missing, unexpected)
        if weight != 1:
            layers = [m for m in model.modules() if isinstance(m, BaseTunerLayer) and name in getattr(m, "scaling", {})]
            assert layers, expression
            for layer in layers:
                layer.scaling[name] *= weight
        names.append(name)
    model.set_adapter(names)
    return model.eval()


def train(name, config, make, folder, std=0.3):
    adapters.save(adapters.train(make(), config, f"set {folder.name} {name}", std), folder / "adapters" / name)


def trimmed(model):
    """As after AdaLoRA's training."""
    bits = {n: [i % 3 != 1 for i in range(m.r["default"])] for n, m in model.base_model.model.named_modules() if hasattr(m, "ranknum")}
    model.peft_config["default"].rank_pattern = {f"{name}.lora_E": kept for name, kept in bits.items()}


def layer(temporary):
    folder = FIXTURES / "sets" / "layer"

    class Tiny(nn.Module):
        __module__ = "tiny"

        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(15, 9)

    def make():
        model = Tiny()
        randomise(model.named_parameters(), generator("set layer"), 0.3)
        return model

    members = layer_members(["lin"])
    for name, config in members.items():
        train(name, config, make, folder, 0.4)
    ada = adapters.train(make(), members["adalora2"], "set layer trimmed", 0.4)
    trimmed(ada)
    adapters.save(ada, folder / "adapters" / "trimmed")
    x = torch.randn(7, 15, generator=generator("set x"))
    base = make()
    tensors = {"x": x, "weight": base.lin.weight, "bias": base.lin.bias}
    scalable = {"lora", "lora2", "loha", "lokr", "loha2", "lokr2", "adalora", "shira", "shira2", "adalora2"}
    gen = random.Random(3)
    chosen = sets([*members, "trimmed"], gen, scalable)
    chosen += ["trimmed+oft", "oft+trimmed+lora", "shira+oft+dora+shira2", "lora2+dora", "dora+lora2", "lora2+dora+dora2"]
    repeats = ["lora+lora", "oft+oft", "pissa+pissa", "olora+olora", "kasa+lora2+kasa", "lora+oft+lora", "oft+lora+oft"]
    chosen += [*repeats, "dora+loha+dora", "oft+oft2+oft", "dora+lora2+dora", "lora+oft+loha+lora+oft"]
    with torch.no_grad():
        for expression in chosen:
            tensors[expression] = mixed(expression, folder, make, temporary / "layer").base_model.model.lin(x)
    write_tensors(folder / "expected.safetensors", tensors)
    print(len(chosen), "sets on a layer")


def mlp(temporary):
    """The mixed pairs of PEFT's tests/test_mixed.py, and those with OFT and SHiRA that it lacks: both members on the
    first layer, both on the last, and one on each, either way round."""
    folder = FIXTURES / "sets" / "mlp"

    class SimpleNet(nn.Module):
        __module__ = "tiny"

        def __init__(self):
            super().__init__()
            self.lin0, self.relu, self.lin1 = nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 14)

        def forward(self, x):
            return self.lin1(self.relu(self.lin0(x)))

    def make():
        model = SimpleNet()
        randomise(model.named_parameters(), generator("set mlp"), 0.3)
        return model

    for target in ("lin0", "lin1"):
        members = layer_members([target])
        members["oft"].oft_block_size = 5
        for name in [*SIX, *(name + "2" for name in SIX)]:
            train(f"{name}-{target}", members[name], make, folder, 0.4)
    x = torch.randn(5, 10, generator=generator("set mlp x"))
    tensors = {"x": x, **{name: p for name, p in make().named_parameters()}}
    with torch.no_grad():
        for a in SIX:
            for b in SIX:
                second = b if a != b else b + "2"
                for one, other in (("lin0", "lin0"), ("lin1", "lin1"), ("lin0", "lin1"), ("lin1", "lin0")):
                    expression = f"{a}-{one}+{second}-{other}"
                    model = mixed(expression, folder, make, temporary / "mlp")
                    tensors[expression] = model.base_model.model(x)
    write_tensors(folder / "expected.safetensors", tensors)
    print(len(tensors) - 5, "pairs on two layers")


OTHERS = [
    "ia3", "ia3-input", "road", "road4", "lora2+ia3", "ia3+lora2", "ia3-input+oft", "oft+ia3-input", "road+ia3",
    "ia3+road", "road+dora", "dora+road", "lora2+road4", "road4+lora2", "road+ia3+road4", "ia3+oft+ia3-input+loha",
    "shira+road+lokr+ia3-input+oft", "pissa+ia3+dora2+road4", "ia3-input+olora+road+oft2", "adalora+ia3+oft+road+lora2",
    "ia3+0.5*lora2+road", "kasa+road+ia3-input",
]  # fmt: skip


def nests_others():
    """Lets PeftMixedModel nest the layers of IA3 and RoAd, too: PEFT's own, which it does not put into a mixed model."""
    create, make_new = mixed_model.MixedModel._create_and_replace, mixed_model.MixedModel._create_new_module
    models = {IA3Config: ia3.IA3Model, RoadConfig: road.RoadModel}

    def create_and_replace(self, config, *args, **kwargs):
        if type(config) in models:
            current = {key: kwargs[key] for key in ("current_key",) if key in kwargs}
            return models[type(config)]._create_and_replace(self, config, *args, **current)
        return create(self, config, *args, **kwargs)

    def create_new_module(config, *args, **kwargs):
        return (models[type(config)]._create_new_module if type(config) in models else make_new)(config, *args, **kwargs)

    mixed_model.MixedModel._create_and_replace = create_and_replace
    mixed_model.MixedModel._create_new_module = staticmethod(create_new_module)
    is_input = staticmethod(ia3.IA3Model._check_target_module_feedforward)
    mixed_model.MixedModel._check_target_module_feedforward = is_input
    mixed_model.MixedModel._check_new_adapter_config = lambda self, config: None
    mixed_model.Layers = mixed_model.Layers + (ia3.layer.IA3Layer, road.layer.RoadLayer)
    mixed_model.PREFIXES = mixed_model.PREFIXES + ["ia3_", "road_"]
    peft.mixed_model._check_config_compatible = lambda config: None


def others(temporary):
    """IA3 and RoAd among the types that PEFT mixes, on one layer: fixtures/sets/others. Comes last, as it patches PEFT."""
    nests_others()
    folder = FIXTURES / "sets" / "others"

    class Tiny(nn.Module):
        __module__ = "tiny"

        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(15, 12)

    def make():
        model = Tiny()
        randomise(model.named_parameters(), generator("set others"), 0.3)
        return model

    members = {
        **layer_members(["lin"]),
        "ia3": IA3Config(target_modules=["lin"], feedforward_modules=[]),
        "ia3-input": IA3Config(target_modules=["lin"], feedforward_modules=["lin"]),
        "road": RoadConfig(variant="road_2", group_size=4, target_modules=["lin"]),
        "road4": RoadConfig(variant="road_4", group_size=6, target_modules=["lin"]),
    }
    used = {name for expression in OTHERS for name, _ in parse(expression)}
    for name in sorted(used):
        train(name, members[name], make, folder, 0.4)
    x = torch.randn(7, 15, generator=generator("set others x"))
    base = make()
    tensors = {"x": x, "lin.weight": base.lin.weight, "lin.bias": base.lin.bias}
    with torch.no_grad():
        for expression in OTHERS:
            tensors[expression] = mixed(expression, folder, make, temporary / "others").base_model.model.lin(x)
    write_tensors(folder / "expected.safetensors", tensors)
    print(len(OTHERS), "sets with IA3 and RoAd")


def bert(temporary):
    folder = FIXTURES / "sets" / "bert"

    def make():
        return lora.base("bert-sequence", BertForSequenceClassification)

    wide, narrow = ["query", "value", "attention.output.dense"], ["query", "key"]
    members = layer_members(narrow)
    for name in ("lora", "loha2", "lokr", "oft", "shira2", "dora"):
        members[name] = layer_members(wide)[name]
    members["oft"].oft_block_size, members["oft2"].oft_block_size = 4, 7
    members["table"] = LoraConfig(r=3, lora_alpha=5, target_modules=["word_embeddings", "value"])
    members["dora-table"] = LoraConfig(r=2, lora_alpha=5, use_dora=True, target_modules=["word_embeddings"])
    members["oft-table"] = OFTConfig(oft_block_size=7, target_modules=["word_embeddings", "key"])
    members["head"] = LoraConfig(r=3, lora_alpha=5, task_type="SEQ_CLS", target_modules=["key", "output.dense"])
    members["norms"] = LoHaConfig(r=2, alpha=3, target_modules=["value"], modules_to_save=["layer.1.output.LayerNorm"])
    for name, config in members.items():
        train(name, config, make, folder)
    gen = random.Random(5)
    scalable = {"lora", "lora2", "loha", "lokr", "loha2", "lokr2", "adalora", "shira", "shira2", "adalora2", "table"}
    chosen = sets(list(members), gen, scalable)
    # Who brings a module whole brings its bias: what bias="all" has for it gives way.
    train("biased", LoraConfig(r=2, lora_alpha=3, bias="all", target_modules=["query"]), make, folder)
    chosen += ["biased+head", "biased+norms", "biased+norms+oft2", "biased+loha+head"]
    inputs = models.inputs(make().config, generator("set inputs"), [5, 7, 2])
    tensors = dict(inputs)
    for expression in chosen:
        output = forward(mixed(expression, folder, make, temporary / "bert"), inputs)
        tensors[expression + " hidden"] = output.hidden_states[-1]
        tensors[expression + " logits"] = output.logits
    write_tensors(folder / "expected.safetensors", tensors)
    print(len(chosen), "sets on a BERT")


def main():
    with tempfile.TemporaryDirectory() as temporary:
        layer(Path(temporary))
        mlp(Path(temporary))
        bert(Path(temporary))
        others(Path(temporary))


if __name__ == "__main__":
    main()
