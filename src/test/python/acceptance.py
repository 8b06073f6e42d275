"""PEFT's own acceptance cases (its tests/test_custom_models.py and tests/test_tuners_utils.py), made anew.

fixtures/acceptance/CASE/: a base of a few layers (model.safetensors), the adapters' folders as PEFT saves them, x (or
ids) and outputs in expected.safetensors, and case.json:

model: mlp (lin0, relu, lin1) or emb-conv1d (emb, conv1d, relu, lin0); layers by name with their kind
rows: an adapter's name for each row of x, as in PEFT's adapter_names; mixed is its output
sets: names of adapters that are active together; set.NAMES is the output for all rows, set. of none that of the base

fixtures/acceptance/target_modules.json: names of modules, and what check_target_module_exists says of each.

fixtures/acceptance/regular_expressions.json: names of modules, and regular expressions with what PEFT makes of each as a
value of each key of a config: a number whose bit i is 1 where it matches name i, or the error.
"""

import itertools
import random
import warnings

import torch
from peft import (
    IA3Config,
    IA3Model,
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
from peft.utils.other import get_pattern_key
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


NAMES = [
    "a", "b", "aa", "ab", "aba", "a.b", "ba.ab", "k", "q_proj", "layers.1.q_proj", "model.layers.1.q_proj",
    "model.layers.12.self_attn.k_proj", "model.layers.1.mlp.experts.2.up_proj", "Model.Layers.1.Q_proj",
    "bert.encoder.layer.1.attention.self.query", "bert.encoder.layer.10.output.dense", "h.1.attn.c_attn", "score",
    "classifier.dense", "lm_head",
]  # fmt: skip

# What people write.
COMMON = [
    "q_proj", "self.query", "a", "lm_head", ".*", ".+", ".*_proj", ".*q_proj", r".*\.q_proj", ".*(q|k)_proj",
    ".*(?:q|k)_proj", "(q_proj|k_proj|score)", "q_proj|k_proj", ".*q_proj|.*k_proj", ".*[qk]_proj", ".*[^qk]_proj",
    r".*\.1\..*", r".*layers\.[0-9]+\..*", r".*layers\.\d+\..*", r".*layers\.(1|2|12)\..*", r".*layers\.1[0-9]?\..*",
    r"model\.layers\.\d{1,2}\.self_attn\..*", r".*\.\w+_proj", r"[\w.]+_proj", r"[\w\.]*query", r"[a-z_.0-9]+", "[-a-z]+",
    "[a-z-]+", r"[a\-z]+", "[^.]+", "^q_proj$", "^.*q_proj$", "(^|.*)score", r"^(?!.*mlp).*proj$", r"(?!lm_head|score).*",
    r".*(?=proj).*", r"(?=.*layers).*proj", r".*(?<!q)_proj", r".*(?<=k)_proj", r".*(?<=\.)dense", "(?i)model.*", "(?i)MODEL.LAYERS.*",
    "(?i).*[Q]_PROJ", "(?s).*", "(?i:MODEL).*", "a?", "a*", "a+", "a{2}", "a{1,2}", "a{,2}", "a{1,}", "a*?b", "a+?", "a??b",
    "(ab?)+", "(a|b)+", "(a|b)*", "(?:a|b){2,3}", "(?P<first>a|b).*", "(?P<x_1>a)b(?P=x_1)", "a(?#the first)b", r"(a)b\1",
    r".*\bdense", r".*\b\d+\b.*", r"\Aa\Z", r"(layers|h)\.1\..*", r"(model\.)?layers\.1\.q_proj",
    r".*\.(self_attn|mlp|attention)\..*", r".*(\.experts\.\d+\.).*", "layers", "(layers)", "(?:layers)", "h|layers", "(h|layers)",
    "layers?", "encoder.layer", r"encoder\.layer", "layer|h", "Layers", "(?:model|bert).*", "classifier", "score", "self.quer.", "dense|score",
    r"model\.layers\.([0-9]|1[0-9])\.(self_attn|mlp)\.(q|k|v|o|gate|up|down)_proj",
    r"(?:.*?(?:vision|language).*?(?:attn|mlp).*?(?:q_proj|k_proj).*?)|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|mlp)\.(?:(?:q_proj|k_proj|up_proj)))",
]  # fmt: skip

# What Java's java.util.regex reads otherwise than Python's re, or one of them not at all.
ODD = [
    "", "(", ")", "a)", "(a", "a)|(b", "[", "[]", "[^]", "[]a]", "[^]a]+", "[a", "[a-", "[b-a]", r"[\w-a]", r"[a-\d]", r"[\w-]+",
    "*", "a**", "a{2}{3}", "a|*", "^*", "(*a)", "?", "+a", "a{", "a{}", "a{,}", "a{x}", "a{2", "a{2,1}", "a{1,2", "}", "]", "a]",
    "a{,3}b", "{a", "a{ 1}", "a*+", "a++", "a?+b", "a{1,2}+", "(?>a)b", "(?>a|ab)", "[q&&[^k]]", "[a-z&&[ab]]", "[a&&b]+", "[[a]]",
    "[[a]b]", "[a||b]+", "[a--b]", "[a~~b]", "[[:alpha:]]+", r"\h", r"\H+", r"\p{Alpha}+", r"\p{L}", r"\P{L}", r"\Qa\E", r"a\E", r"a\z",
    r"\R", r"\X", r"\Ga", r"\Ka", r"\N", r"\N{DIGIT ONE}", r"\k<n>", r"(?<n>a)\k<n>", "(?<n>a)", "(?P<n>a)(?P<n>b)", "(?P=n)a",
    "(?P<1>a)", "(?P<n-1>a)", "(?P<n", "(?P>n)", "(?Pa)", "(?#a", "a(?#b)*", "a*(?#b)?", "a(?#b", "(?i", "(?i)", "a(?i)b", "(a(?i)b)",
    "(?i)(?s)A", "(?#c)(?i)A", "(?x) a b", "(?x:a b)", "(?a)a", "(?u)a", "(?L)a", "(?d)a", "(?U)a", "(?iu)a", "(?i-s:A)", "(?-i:a)",
    "(?i)(?-i:a)B", "(?i-i:a)", "(?-:a)", "(?m)^a$", "(?^i:a)", "(?m:a)", "|(?i)A", "(?<=a*)b", "(?<=a|ab)b", "(?<=a|b)b", ".*(?<=a{2})",
    ".*(?<=(a)|b)", "(?<!a+)b", "(?<a", r"(?<=(a)\1)b", r"\1", r"(a)\2", r"(a\1)", r"\1(a)", r"(a)\1", r"(b)?\1a", r"(a)+b\1", r"(?:(a)|b)\1",
    r"(?:(a)|b)+\1", r"(?=(a))\1", r"(a)\10", r"\01", r"\0", r"\141", r"\x61", r"\u0061", r"\U00000061", r"\cA", r"\e", r"\a", r"\t", r"\n",
    r"\y", r"\i", "\\", "a\\", r"\_", r"q\_proj", r"\-", r"\ ", r"\<a", r"a\>", r"\/", r"\.", "a b", " a", "a ", "#a", "a\n", "é", "[é]", "ſ", "(?i)K",
    "[\u00e0-\u00ff]", r"\s", r"\S+", r"\W", r"\D+", r"[\D]+", r"[^\W]+", r"[^\D]", r"[\s\S]+", r"[\b]a", r"[\A]", r"[\1]", r"[\.]", r"[\]]", r"[\\]", r"\B.*",
    r"a\b", r"\ba", r"a\B", "(?(1)a|b)", "(a)?(?(1)b|a)", "(a)(?(1)b)", "(a)(?(2)b)", "(a*)*", "(a*)+b", "(a|b*)*", "(?:a?){2}b", "(?:){3}a", "(a*)?b",
    "(?:a?|b?)b", "(|a)", "(a|)", "a||b", "||", "()", "(?:)", "()*", "(?=a)*", "(?=a)?a", "(?!)", "(?=)a", "a{0}b", "a{0,0}b", "(a){0}b",
    "a{65535}", "a{65536}", "a{4294967295}", "a{99999999999}", "a{00002}", "$", "^", "a$", "$a", "a^", "a$$", "(a$)", "^^a", "a$?", r"\Za", r"a\Z",
    "h|", "|h", "h)", "h(?#", "h[", "[h]", "(h", "(?:h", r"h\.", "h$", "^h", "(?P<idx>h)", "(?P<idx>1)", r"layers\.(?P<n>1)|h", "h|(layers)|x",
    "layer[s]|h", "(?i)layers", "(?i:layers)", "layers{1}", "layers*", ".*", ".*layers", "(layers|h)+", r"lay\w+", r"\w+", r"[^.]*", "a)(b", "a)|(?:b",
    "(?:a", "(" * 60 + "a" + ")" * 60, "(?:" * 150 + "a" + ")" * 150, "(?:a?|b?)" * 5 + "b",
    "(?:a|b)" * 3, "a-b", "a.b", "a,b", "a=b", "<a>", "a!", "a'", '"', "%", "a&b", "~", "`", "@", ";", ":", "/",
]  # fmt: skip


def some_expression(rng, depth=0):
    """At random, of what Python has and of a little that it has not."""
    def atom():
        kind = rng.random()
        if kind < 0.45:
            return rng.choice(["a", "b", "k", "A", "1", "_", "layers", "q_proj", "score", r"\.", r"\.", ".", "."])
        if kind < 0.6:
            inside = "".join(rng.choice(["a", "b", "k-q", "0-9", "-", ".", r"\w", r"\d", r"\.", "&&", "[", "^", "|"]) for _ in range(rng.randint(1, 3)))
            return "[" + rng.choice(["", "", "^"]) + inside + "]"
        if kind < 0.7:
            return rng.choice([r"\d", r"\w", r"\W", r"\S", r"\b", r"\B", "^", "$", r"\Z", r"\A"])
        if kind < 0.74:
            return rng.choice([r"\1", r"\3", "(?P=n)", "(?#c)", "{", "]", r"\h", "(?i)", "-", "&&"])
        if depth > 2:
            return rng.choice(["a", "b"])
        start = rng.choice(["(", "(", "(?:", "(?:", "(?P<n>", "(?=", "(?!", "(?<=", "(?<!", "(?i:"])
        return start + some_expression(rng, depth + 1) + ")"

    def item():
        repeat = rng.choice(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{0,3}?", "{1,}"])
        return atom() + (repeat if rng.random() < 0.35 else "")

    sides = ["".join(item() for _ in range(rng.choice([0, 1, 1, 2, 2, 3] if depth else [1, 2, 3]))) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    return ("(?i)" if depth == 0 and rng.random() < 0.08 else "") + "|".join(sides)


def matched(test):
    """Of the names, bit i for name i; or the error."""
    try:
        return sum(1 << i for i, name in enumerate(NAMES) if test(name))
    except Exception as e:  # re.error, OverflowError, RecursionError
        return type(e).__name__


def expression(pattern):
    """What PEFT makes of it under each key."""
    lasts = [name.split(".")[-1] for name in NAMES]
    target = LoraConfig(target_modules=pattern)
    exclude = LoraConfig(target_modules=".*", exclude_modules=pattern)
    forward = IA3Config(target_modules=".*", feedforward_modules=pattern)
    layers = LoraConfig(target_modules=lasts, layers_to_transform=[1], layers_pattern=[pattern])
    saved = LoraConfig(target_modules=".*", modules_to_save=[pattern])
    return {
        "target_modules": matched(lambda name: check_target_module_exists(target, name)),
        "exclude_modules": matched(lambda name: not check_target_module_exists(exclude, name)),
        "feedforward_modules": matched(lambda name: IA3Model._check_target_module_feedforward(forward, name)),
        "layers_pattern": matched(lambda name: check_target_module_exists(layers, name)),
        "rank_pattern": matched(lambda name: get_pattern_key([pattern], name) == pattern),
        "modules_to_save": matched(lambda name: not check_target_module_exists(saved, name)),
    }


def regular_expressions():
    rng = random.Random("regular expressions")
    tables = {"common": COMMON, "odd": ODD, "random": [some_expression(rng) for _ in range(300)]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sets that a later Python may nest
        tables = {kind: {pattern: expression(pattern) for pattern in patterns} for kind, patterns in tables.items()}
    keys = list(expression("").keys())
    rows = {kind: {p: list(found.values()) for p, found in table.items()} for kind, table in tables.items()}
    write_json(FOLDER / "regular_expressions.json", {"names": NAMES, "keys": keys, **rows}, indent=None)


def main():
    fresh(FOLDER)
    batches()
    other_types()
    conv2d()
    target_modules()
    regular_expressions()


if __name__ == "__main__":
    main()
