"""PEFT's own acceptance cases (its tests/test_custom_models.py and tests/test_tuners_utils.py), made anew.

fixtures/acceptance/CASE/: a base of a few layers (model.safetensors), the adapters' folders as PEFT saves them, x (or
ids) and outputs in expected.safetensors, and case.json:

model: mlp (lin0, relu, lin1) or emb-conv1d (emb, conv1d, relu, lin0); layers by name with their kind
rows: an adapter's name for each row of x, as in PEFT's adapter_names; mixed is its output
sets: names of adapters that are active together; set.NAMES is the output for all rows, set. of none that of the base

fixtures/acceptance/target_modules.json: names of modules, and what check_target_module_exists says of each.
"""

import itertools

import torch
from peft import (
    IA3Config,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    OFTConfig,
    PeftModel,
    RoadConfig,
    ShiraConfig,
    VeraConfig,
    get_peft_model,
)
from peft.tuners.tuners_utils import check_target_module_exists
from torch import nn
from transformers.pytorch_utils import Conv1D

import adapters
from common import FIXTURES, fresh, generator, randomise, write_json, write_tensors

FOLDER = FIXTURES / "acceptance"
ROWS = 9
BASE = "__base__"


class MLP(nn.Module):
    __module__ = "acceptance"

    def __init__(self):
        super().__init__()
        self.lin0 = nn.Linear(10, 20)
        self.relu = nn.ReLU()
        self.lin1 = nn.Linear(20, 2)

    def forward(self, x):
        return self.lin1(self.relu(self.lin0(x)))


class EmbConv1D(nn.Module):
    __module__ = "acceptance"

    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(100, 5)
        self.conv1d = Conv1D(1, 5)
        self.relu = nn.ReLU()
        self.lin0 = nn.Linear(10, 2)

    def forward(self, x):
        return self.lin0(self.relu(self.conv1d(self.emb(x)).flatten(1)))


def case(name, cls, configs, sets=(), mixed=True):
    """Adapters by name over one base: a batch that goes round __base__ and all of them, and sets that are active."""
    folder = fresh(FOLDER / name)

    def base():
        model = cls()
        randomise(model.named_parameters(), generator("acceptance " + name), 0.3)
        return model

    for adapter, config in configs.items():
        adapters.save(adapters.train(base(), config, f"acceptance {name} {adapter}"), folder / adapter)
    names = list(configs)
    model = PeftModel.from_pretrained(base(), folder / names[0], adapter_name=names[0]).eval()
    for adapter in names[1:]:
        read = model.load_adapter(folder / adapter, adapter_name=adapter)
        assert not read.missing_keys and not read.unexpected_keys, f"{name} {adapter}: {read}"
    plain = base().eval()
    gen = generator("acceptance x " + name)
    if cls is EmbConv1D:
        x = torch.randint(0, 100, (ROWS, 10), generator=gen)
    else:
        x = torch.randn(ROWS, 10, generator=gen)
    tensors = {"x": x, "set.": plain(x)}
    rows = [([BASE] + names)[i % (len(names) + 1)] for i in range(ROWS)]
    with torch.no_grad():
        alone = {BASE: plain(x)}
        for adapter in names:
            model.set_adapter(adapter)
            alone[adapter] = model(x)
            assert (alone[adapter] - alone[BASE]).abs().amax() > 0.01, f"{name}: {adapter} does nothing"
            tensors["set." + adapter] = alone[adapter]
        if mixed:
            tensors["mixed"] = model(x, adapter_names=rows)
            for i, row in enumerate(rows):
                assert torch.allclose(tensors["mixed"][i], alone[row][i], atol=1e-6), f"{name}: row {i}"
        else:  # where PEFT takes no adapter_names, a row is what it is under its adapter alone
            tensors["mixed"] = torch.stack([alone[row][i] for i, row in enumerate(rows)])
        for members in sets:
            model.base_model.set_adapter(list(members))
            tensors["set." + "+".join(members)] = model(x)
        with model.disable_adapter():
            assert torch.equal(model(x), alone[BASE])
        if not any(config.modules_to_save for config in configs.values()):  # an active copy stays when all is unloaded
            assert torch.equal(model.unload()(x), alone[BASE])
    weights = {
        key: weight.T if isinstance(plain.get_submodule(key.rsplit(".", 1)[0]), Conv1D) and weight.dim() == 2 else weight
        for key, weight in plain.state_dict().items()
    }
    write_tensors(folder / "model.safetensors", weights)
    write_tensors(folder / "expected.safetensors", tensors)
    kind = "emb-conv1d" if cls is EmbConv1D else "mlp"
    write_json(folder / "case.json", {"model": kind, "rows": rows, "sets": ["+".join(s) for s in sets]})


def lora(*targets, **options):
    return LoraConfig(target_modules=list(targets), **options)


def batches():
    """TestMixedAdapterBatches, TestMultipleActiveAdapters, TestMultiRankAdapter and LoRA's custom-model cases."""
    both = [("one", "two"), ("two", "one")]
    saved = {"modules_to_save": ["lin1"]}
    case("mlp", MLP, {"one": lora("lin0"), "two": lora("lin0", r=16)}, both)
    case("different-targets", MLP, {"one": lora("lin0"), "two": lora("lin1")}, both)
    case("overlapping-targets", MLP, {"one": lora("lin0"), "two": lora("lin0", "lin1")}, both)
    case("same-targets", MLP, {"one": lora("lin0", "lin1"), "two": lora("lin0", "lin1", r=3, lora_alpha=7)}, both)
    case("emb-conv1d", EmbConv1D, {"one": lora("emb", "conv1d"), "two": lora("emb", "conv1d", r=16)}, both)
    case("emb-alone", EmbConv1D, {"one": lora("emb"), "two": lora("conv1d"), "three": lora("lin0")}, [("one", "two", "three")])
    case("modules-to-save", MLP, {"one": lora("lin0", **saved), "two": lora("lin0", r=16, **saved)})
    case("module-to-save-of-one", MLP, {"one": lora("lin0", **saved), "two": lora("lin0", r=5)}, both, mixed=False)
    case("ranks", MLP, {"one": lora("lin0", "lin1", r=4, rank_pattern={"lin1": 2}), "two": lora("lin0", "lin1", r=7)}, both)
    case("alphas", MLP, {"one": lora("lin0", "lin1", alpha_pattern={"lin1": 3}), "two": lora("lin0", lora_alpha=32)}, both)
    case("rslora", MLP, {"one": lora("lin0", use_rslora=True), "two": lora("lin0", "lin1", r=3)}, both)
    case("lora-bias", MLP, {"one": lora("lin0", lora_bias=True), "two": lora("lin0", "lin1", lora_bias=True)}, both)
    # PEFT has no batch of these.
    case("dora", MLP, {"one": lora("lin0", use_dora=True), "two": lora("lin0", "lin1", use_dora=True)}, both, mixed=False)
    case("dora-and-lora", MLP, {"one": lora("lin0", use_dora=True), "two": lora("lin0", "lin1")}, both, mixed=False)
    loha = {"one": LoHaConfig(target_modules=["lin0"]), "two": LoHaConfig(target_modules=["lin0", "lin1"], r=3)}
    case("loha", MLP, loha, both, mixed=False)
    seven = ["one", "two", "three", "four", "five", "six", "seven"]
    ranks = {name: lora("lin0", "lin1", r=i + 1) for i, name in enumerate(seven)}
    case("seven", MLP, ranks, [tuple(reversed(seven))])
    saved_lin0 = {"modules_to_save": ["lin0"]}
    case("emb-conv1d-modules-to-save", EmbConv1D, {"one": lora("emb", "conv1d", **saved_lin0), "two": lora("emb", "conv1d", **saved_lin0)})
    four = {"r": 4, "lora_alpha": 4, "rank_pattern": {"lin0": 8}, "alpha_pattern": {"lin0": 8}}
    eight = {"r": 8, "rank_pattern": {"lin0": 4}, "alpha_pattern": {"lin0": 4}}
    case("multirank", MLP, {"one": lora("lin0", "lin1"), "two": lora("lin0", "lin1", **eight)}, both)
    case("multirank-2", MLP, {"one": lora("lin0", "lin1", **four), "two": lora("lin0", "lin1", rank_pattern={"lin1": 3})}, both)
    case("dora-emb-conv1d", EmbConv1D, {"one": lora("emb", "lin0", use_dora=True), "two": lora("emb", "conv1d", r=3)}, both, mixed=False)


def other_types():
    """The same of the other types in PEFT's lists of cases."""
    both = [("one", "two"), ("two", "one")]

    def of(kind, *targets, **options):
        return kind(target_modules=list(targets), **options)

    def road(*targets, **options):
        return of(RoadConfig, *targets, group_size=2, **options)

    def ia3(*targets, feed_forward):
        return of(IA3Config, *targets, feedforward_modules=feed_forward)

    case("road-mlp", MLP, {"one": road("lin0"), "two": road("lin0", variant="road_2")}, both)
    case("road-different-targets", MLP, {"one": road("lin0"), "two": road("lin1")}, both)
    case("road-overlapping-targets", MLP, {"one": road("lin0"), "two": road("lin0", "lin1")}, both)
    case("road-active", MLP, {"one": road("lin0"), "two": road("lin0", "lin1", variant="road_4")}, both)
    # In a batch PEFT gives RoAd's base rows the head of whichever adapter is active.
    saved = {"modules_to_save": ["lin1"]}
    case("road-modules-to-save", MLP, {"one": road("lin0", **saved), "two": road("lin0", **saved)}, mixed=False)
    case("ia3-same", MLP, {name: ia3("lin0", feed_forward=["lin0"]) for name in ("one", "two")}, both, mixed=False)
    different = {"one": ia3("lin0", feed_forward=["lin0"]), "two": ia3("lin1", feed_forward=["lin1"])}
    case("ia3-different", MLP, different, both, mixed=False)
    output = {"one": ia3("lin0", feed_forward=[]), "two": ia3("lin0", "lin1", feed_forward=["lin1"])}
    case("ia3-output", MLP, output, both, mixed=False)
    case("vera-same", MLP, {name: of(VeraConfig, "lin0", r=6) for name in ("one", "two")}, both, mixed=False)
    shira = {"one": of(ShiraConfig, "lin0", r=1), "two": of(ShiraConfig, "lin0", r=1, random_seed=3)}
    case("shira-same", MLP, shira, both, mixed=False)
    shira = {"one": of(ShiraConfig, "lin0", r=1), "two": of(ShiraConfig, "lin1", r=1, random_seed=3)}
    case("shira-different", MLP, shira, both, mixed=False)
    case("lokr", MLP, {"one": of(LoKrConfig, "lin0", r=2), "two": of(LoKrConfig, "lin0", "lin1", r=3)}, both, mixed=False)
    oft = {"one": of(OFTConfig, "lin0", oft_block_size=2), "two": of(OFTConfig, "lin0", "lin1", oft_block_size=5)}
    case("oft", MLP, oft, both, mixed=False)


def conv2d():
    """A layer that Medley does not have."""
    class ConvNet(nn.Module):
        __module__ = "acceptance"

        def __init__(self):
            super().__init__()
            self.conv2d = nn.Conv2d(5, 10, 3)

    class Attention(nn.Module):
        __module__ = "acceptance"

        def __init__(self):
            super().__init__()
            self.mha = nn.MultiheadAttention(10, 2)

    adapters.save(adapters.train(ConvNet(), lora("conv2d"), "conv2d"), FOLDER / "refused" / "conv2d")
    adapters.save(adapters.train(Attention(), lora("mha"), "mha"), FOLDER / "refused" / "mha")


def target_modules():
    names = [
        "", "foo", "foobar", "foo.bar", "bar.foo", "foo.baz", "foo.bar.baz", "foo.bar.1.baz", "foo.bar.10.baz",
        "foo.bar.001.baz", "foo.whatever.1.baz", "bar.1.baz", "foo.bar.1.spam.2.baz", "foo.bar.2.spam.1.baz", "1.baz",
        "layers.1.q_proj", "model.layers.1.q_proj", "model.layers.1.xq_proj", "transformer.h.1.attn.q_proj",
        "transformer.h.1.attn.q_proj.foo", "transformer.h.1.attn.resid_dropout", "blocks.1.weight", "blocks.1.bias",
        "mlp.blocks.1.weight", "mlp.blocks.1.bias", "module.mlp.blocks.12.weight", "base.classifier", "classifier.dense",
    ]  # fmt: skip
    targets = [
        ["foo"], ["bar"], ["foo", "bar"], ["baz"], ["baz", "spam"], ["bar.baz"], ["foo.bar.1.baz"], ["q_proj"],
        ["q_proj", "v_proj"], ["weight"], ["z"], [".baz"], ["classifier"],
        "foo", ".*oo", "fo.*", ".*bar.*", ".*oba.*", r".*\.(q_proj|weight)", r"transformer\.h\.[0-4]\..*", "foo|foobar",
    ]  # fmt: skip
    excludes = [None, ["foo"], ["bar.baz"], ["baz"], "foo", r".*\.1\..*", "q_proj", ["q_proj"]]
    layers = [(None, None)]
    for indices, pattern in itertools.product(
        [[1], [0], [0, 1, 2], [10], 1, 0], [None, [], "", ["bar"], "bar", ["foo"], ["baz"], ["h"], ["blocks"], ["qux", "bar"]]
    ):
        layers.append((indices, pattern))
    rows = []
    for target in targets:
        options = [{"exclude_modules": exclude} for exclude in excludes]
        if not isinstance(target, str):
            options += [{"layers_to_transform": i, "layers_pattern": p} for i, p in layers]
        for option in options:
            config = LoraConfig(target_modules=target, **option)
            matched = [name for name in names if check_target_module_exists(config, name)]
            config = {"target_modules": target, **{k: v for k, v in option.items() if v is not None}}
            rows.append({"config": config, "matched": matched})
    write_json(FOLDER / "target_modules.json", {"names": names, "rows": rows}, indent=None)


def main():
    fresh(FOLDER)
    batches()
    other_types()
    conv2d()
    target_modules()


if __name__ == "__main__":
    main()
