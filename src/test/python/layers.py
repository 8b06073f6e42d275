"""One layer under one adapter: fixtures/adapters/TYPE/CASE/.

expected.safetensors: weight [out, in], bias [out] (absent if the layer has none), x [rows, in], expected [rows, out];
for an embedding weight [V, D], ids [rows], expected [rows, D]; for a norm weight [D], bias [D], x and expected
[rows, D]. The layer is called lin. Cases with two layers prefix each of these with the layer's name: lin.weight,
deep.lin.weight.
"""

import torch
from peft import (
    AdaLoraConfig,
    IA3Config,
    KasaConfig,
    LNTuningConfig,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    OFTConfig,
    RoadConfig,
    ShiraConfig,
    TrainableTokensConfig,
    VeraConfig,
)
from safetensors.torch import load_file
from torch import nn
from transformers.pytorch_utils import Conv1D

import adapters
from common import FIXTURES, generator, randomise, write_tensors

IN, OUT, ROWS = 13, 9, 7


DEFAULTS = {
    LoraConfig: {"r": 5, "lora_alpha": 11},
    LoHaConfig: {"r": 2, "alpha": 7},
    LoKrConfig: {"r": 2, "alpha": 7},
    OFTConfig: {"oft_block_size": 3},
    ShiraConfig: {"r": 2, "random_seed": 7},
    AdaLoraConfig: {"init_r": 5, "target_r": 3, "lora_alpha": 11, "total_step": 100},
    IA3Config: {"feedforward_modules": []},
    RoadConfig: {"group_size": 4},
    VeraConfig: {"r": 5, "projection_prng_key": 7},
    LNTuningConfig: {},
    TrainableTokensConfig: {"token_indices": [11, 3, 16, 0, 7, 8]},
}


class Tiny(nn.Module):
    __module__ = "tiny"  # PEFT writes it into the config

    def __init__(self, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)


def linear(bias=True, inputs=IN, outputs=OUT):
    return lambda: Tiny(lin=nn.Linear(inputs, outputs, bias=bias))


def two_linears():
    return Tiny(lin=nn.Linear(IN, OUT), deep=Tiny(lin=nn.Linear(OUT, 11)))


def embedding():
    return Tiny(lin=nn.Embedding(17, OUT))


def conv1d():
    return Tiny(lin=Conv1D(OUT, IN))


def norm():
    return Tiny(lin=nn.LayerNorm(OUT))


def case(name, make, layers=("lin",), config=LoraConfig, still=(), change=None, edit=None, **options):
    """Layers in still keep their output; change(model) comes before saving, edit(folder) after all is computed."""
    config = config(**{**DEFAULTS[config], "target_modules": ["lin"], **options})
    kind = config.peft_type.value
    folder = FIXTURES / "adapters" / kind / name
    name = name if kind == "LORA" else f"{kind} {name}"

    def base():
        model = make()
        randomise(model.named_parameters(), generator("layer " + name), 0.3)
        return model

    trained = adapters.train(base(), config, "adapter " + name, std=0.4)
    if change:
        change(trained)
    adapters.save(trained, folder)
    loaded = adapters.load(base(), folder)
    gen, tensors = generator("x " + name), {}
    for layer in layers:
        plain, adapted = base().get_submodule(layer), loaded.base_model.model.get_submodule(layer)
        prefix = layer + "." if len(layers) > 1 else ""
        if isinstance(plain, nn.Embedding):
            x = tensors["ids"] = torch.randint(0, plain.num_embeddings, (ROWS,), generator=gen)
        else:
            norm = isinstance(plain, nn.LayerNorm)
            inputs = plain.nx if isinstance(plain, Conv1D) else len(plain.weight) if norm else plain.in_features
            x = tensors[prefix + "x"] = torch.randn(ROWS, inputs, generator=gen)
        # Conv1D keeps its weight [in, out]; the fixture has every weight [out, in].
        tensors[prefix + "weight"] = plain.weight.T if isinstance(plain, Conv1D) else plain.weight
        if getattr(plain, "bias", None) is not None:
            tensors[prefix + "bias"] = plain.bias
        with torch.no_grad():
            tensors[prefix + "expected"] = y = adapted(x)
            moved = (y - plain(x)).abs().max()
            assert moved == 0 if layer in still else moved > 0.1, f"{folder}: the adapter moves {layer} by {moved}"
    write_tensors(folder / "expected.safetensors", tensors)
    if edit:
        edit(folder)


def main():
    both = ("lin", "deep.lin")
    case("plain", linear())
    case("rslora", linear(), use_rslora=True)
    case("lora_bias", linear(), lora_bias=True)
    case("rank_pattern", two_linears, both, rank_pattern={"deep.lin": 3})
    # Trained with alpha 7 on both, since "lin" matches first; saved sorted, so it is read back with 14 on deep.lin.
    case("alpha_pattern", two_linears, both, alpha_pattern={"lin": 7, "deep.lin": 14})
    case("embedding", embedding)
    case("no_base_bias", linear(bias=False))
    case("bias_all", linear(), bias="all")
    case("bias_lora_only", linear(), bias="lora_only")
    case("fan_in_fan_out", conv1d, fan_in_fan_out=True)
    variants()
    loha()
    lokr()
    oft()
    shira()
    adalora()
    ia3()
    road()
    vera()
    ln_tuning()
    trainable_tokens()


def variants():
    """Of LoRA. What some take from the base when PEFT loads them is what they were trained without."""
    both, bare = ("lin", "deep.lin"), linear(bias=False)
    case("dora", linear(), use_dora=True)
    case("dora_rslora_no_base_bias", bare, use_dora=True, use_rslora=True)
    case("dora_bias_all", linear(), use_dora=True, bias="all")
    case("dora_conv1d", conv1d, use_dora=True, fan_in_fan_out=True)
    case("dora_embedding", embedding, use_dora=True)
    case("dora_two_layers", two_linears, both, use_dora=True, rank_pattern={"deep.lin": 3})
    case("pissa", linear(), init_lora_weights="pissa")
    case("pissa_wide", linear(inputs=OUT, outputs=IN), init_lora_weights="pissa", rank_pattern={"lin": 9})
    case("pissa_conv1d", conv1d, init_lora_weights="pissa", fan_in_fan_out=True)
    case("pissa_dora", linear(), init_lora_weights="pissa", use_dora=True)
    case("olora", linear(), init_lora_weights="olora", use_rslora=True)
    case("olora_wide", linear(inputs=OUT, outputs=IN), init_lora_weights="olora")
    case("kasa", linear(), kasa_config=KasaConfig())
    case("kasa_patterns", two_linears, both, kasa_config=KasaConfig(), rank_pattern={"deep.lin": 3})
    # Of an embedding nothing is taken, whatever init_lora_weights says.
    case("pissa_embedding", embedding, init_lora_weights="pissa")
    case("olora_embedding", embedding, init_lora_weights="olora", use_rslora=True)
    case("lora_bias_conv1d", conv1d, lora_bias=True, fan_in_fan_out=True)
    case("orthogonal", linear(), r=4, init_lora_weights="orthogonal")
    case("mica", linear(), init_lora_weights="mica")


def loha():
    both = ("lin", "deep.lin")
    case("low_rank", linear(), config=LoHaConfig)
    case("dense", linear(), config=LoHaConfig, r=3)  # 3 x 3 > 13 x 9 / (13 + 9)
    case("no_base_bias", linear(bias=False), config=LoHaConfig)
    case("effective_conv2d", linear(), config=LoHaConfig, use_effective_conv2d=True)  # means nothing to a Linear
    patterns = {"rank_pattern": {"deep.lin": 1}, "alpha_pattern": {"deep.lin": 3}}
    case("patterns", two_linears, both, config=LoHaConfig, **patterns)


def lokr():
    both, wide = ("lin", "deep.lin"), linear(inputs=24, outputs=30)
    lokr = {"config": LoKrConfig}
    case("w2_factored", linear(inputs=28, outputs=45), **lokr)  # 45 = 5 x 9, 28 = 4 x 7
    case("both_full", wide, r=4, **lokr)  # 30 = 5 x 6, 24 = 4 x 6
    case("both_factored", wide, r=2, decompose_both=True, **lokr)
    case("decompose_factor", wide, r=3, decompose_factor=3, **lokr)
    case("primes", linear(), r=3, **lokr)  # 13 is 1 x 13
    case("no_base_bias", linear(bias=False), use_effective_conv2d=True, **lokr)
    patterns = {"rank_pattern": {"deep.lin": 1}, "alpha_pattern": {"deep.lin": 3}}
    case("patterns", two_linears, both, **patterns, **lokr)


def oft():
    both, wide = ("lin", "deep.lin"), linear(inputs=15)
    oft = {"config": OFTConfig}
    for terms in (2, 3, 4, 5, 7):  # 1 is the identity, which Medley refuses
        case(f"neumann_{terms}", wide, num_cayley_neumann_terms=terms, **oft)
    case("exact", wide, use_cayley_neumann=False, **oft)
    case("coft", wide, coft=True, eps=0.9, **oft)
    case("coft_exact", wide, coft=True, eps=0.9, use_cayley_neumann=False, **oft)
    case("block_share", linear(inputs=20), oft_block_size=4, block_share=True, **oft)
    case("coft_block_share", wide, oft_block_size=5, coft=True, eps=0.9, block_share=True, **oft)
    case("block_count", linear(inputs=28), r=7, oft_block_size=0, **oft)
    case("adjusted_block_size", linear(inputs=21), oft_block_size=8, **oft)  # the nearest divisor, 7
    case("one_block", linear(), oft_block_size=13, **oft)
    case("embedding", embedding, **oft)
    case("embedding_exact_share", embedding, use_cayley_neumann=False, block_share=True, **oft)
    case("bias_all", wide, bias="all", **oft)
    case("bias_oft_only", wide, bias="oft_only", **oft)
    case("blocks_of_one", two_linears, both, oft_block_size=4, still=("lin",), **oft)  # 13 is prime


def shira():
    def floats(folder):
        """As saved on Windows by older versions."""
        path = folder / "adapter_model.safetensors"
        write_tensors(path, {k: v.float() for k, v in load_file(path).items()})

    def scattered(layer, r, **kwargs):
        mask = torch.zeros(layer.weight.numel())
        mask[torch.randperm(mask.numel(), generator=generator("mask"))[: r * sum(layer.weight.shape)]] = 1
        return mask.view_as(layer.weight)

    def given_mask(model):  # as by a mask_fn, which no file can hold
        layer = model.base_model.model.lin
        layer.shira_indices["default"] = torch.stack(torch.where(scattered(layer.base_layer, 2) == 1)).int()

    case("random", linear(), config=ShiraConfig)
    case("float_indices", linear(), config=ShiraConfig, edit=floats)
    case("given_mask", linear(bias=False), config=ShiraConfig, change=given_mask)
    case("two_layers", two_linears, ("lin", "deep.lin"), config=ShiraConfig, r=3)


def adalora():
    both, ada = ("lin", "deep.lin"), {"config": AdaLoraConfig}

    def pattern(**ranks):
        kept = {name.replace("_", ".") + ".lora_E": [bool(bit) for bit in bits] for name, bits in ranks.items()}
        return lambda model: setattr(model.peft_config["default"], "rank_pattern", kept)

    case("plain", linear(), **ada)
    case("negative_alpha", linear(), lora_alpha=-1, **ada)  # then the scale is the rank
    case("trimmed", two_linears, both, change=pattern(lin=[1, 0, 1, 1, 0], deep_lin=[0, 1, 0, 0, 0]), **ada)
    case("trimmed_negative_alpha", linear(), lora_alpha=-1, change=pattern(lin=[1, 0, 1, 1, 0]), **ada)
    change = pattern(lin=[1, 1, 1, 1, 1], deep_lin=[0, 0, 0, 0, 0])
    case("rank_zero", two_linears, both, change=change, still=("deep.lin",), **ada)
    case("bias_lora_only", linear(), bias="lora_only", **ada)
    case("fan_in_fan_out", conv1d, fan_in_fan_out=True, **ada)
    change = pattern(lin=[0, 1, 1, 0, 1])
    case("trimmed_conv1d", conv1d, fan_in_fan_out=True, change=change, **ada)
    # Fields that AdaLoRA inherits from LoRA and does not read.
    case("no_effect", linear(), r=9, use_rslora=True, alpha_pattern={"lin": 3}, lora_bias=True, **ada)


def ia3():
    both, ia3 = ("lin", "deep.lin"), {"config": IA3Config}
    case("output", linear(), **ia3)
    case("no_base_bias", linear(bias=False), **ia3)
    case("feed_forward", linear(), feedforward_modules=["lin"], **ia3)
    case("conv1d", conv1d, fan_in_fan_out=True, **ia3)
    case("conv1d_feed_forward", conv1d, fan_in_fan_out=True, feedforward_modules=["lin"], **ia3)
    two = {"target_modules": ["lin", "deep.lin"], **ia3}
    case("one_feed_forward", two_linears, both, feedforward_modules=["deep.lin"], **two)
    # The end of a name, from wherever on: p.lin is deep.lin. target_modules asks for a dot.
    case("end_of_a_name", two_linears, both, target_modules=".*lin", feedforward_modules=["p.lin"], **ia3)
    case("regular_expression", two_linears, both, feedforward_modules="deep.*", **two)


def road():
    def two():
        return Tiny(lin=nn.Linear(IN, 12), deep=Tiny(lin=nn.Linear(12, 8)))

    both, even = ("lin", "deep.lin"), linear(outputs=12)
    for variant in ("road_1", "road_2", "road_4"):
        case(variant, even, config=RoadConfig, variant=variant)
        case(f"{variant}_one_group", linear(outputs=10, bias=False), config=RoadConfig, variant=variant, group_size=10)
    case("groups_of_two", even, config=RoadConfig, group_size=2)
    case("two_layers", two, both, config=RoadConfig, variant="road_2")


def vera():
    both, vera = ("lin", "deep.lin"), {"config": VeraConfig}
    case("plain", linear(), **vera)
    case("no_base_bias", linear(bias=False), d_initial=0.7, **vera)
    # The shared projections are as large as the largest layer asks for: A of lin's inputs, B of deep.lin's outputs.
    case("two_layers", two_linears, both, **vera)
    case("conv1d", conv1d, fan_in_fan_out=True, **vera)
    case("bias_all", linear(), bias="all", **vera)
    case("bias_vera_only", linear(), bias="vera_only", **vera)


def ln_tuning():
    case("norm", norm, config=LNTuningConfig)
    case("linear", linear(), config=LNTuningConfig)
    case("no_base_bias", linear(bias=False), config=LNTuningConfig)
    case("embedding", embedding, config=LNTuningConfig)


def trainable_tokens():
    case("embedding", embedding, config=TrainableTokensConfig)
    case("all_tokens", embedding, config=TrainableTokensConfig, token_indices=list(range(17)))
    case("one_token", embedding, config=TrainableTokensConfig, token_indices=[5])


if __name__ == "__main__":
    main()
