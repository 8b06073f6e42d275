"""Decoders under adapters: fixtures/decoders/BASE/adapters/NAME/, what PEFT saves.

decoders/BASE/adapted.json: {"rows": [[id, …], …], "adapters": [NAME, …], "sets": ["NAME+NAME", …]}.
decoders/BASE/adapted.safetensors: `NAME.I` and `0.5*NAME+NAME.I` [t, v], the logits of row I under the adapter as
PeftModel.from_pretrained reads it, or under the set as PeftMixedModel composes it (sets.py), never merged. For NAME-seq
there is `NAME` [n, labels] instead, the scores of the batch in expected.safetensors, and no rows and no sets.
decoders/BASE/generation.json: [{"set", "ids", "max_new_tokens", "greedy", "margin"}, …], each row generated alone;
set is "__base__", a name or names joined by +; greedy ends with the eos token 1 if that came first; margin as in
rows.json.

What PEFT 0.21 does with a head tied to the embedding (llama-bias, gpt2, gemma2), asserted below:
- An adapter on embed_tokens does not touch lm_head, and one on lm_head does not touch embed_tokens: not LoRA, not
  DoRA, OFT, LN_TUNING nor any other type, and not a copy in modules_to_save. All warn. In memory and read back alike.
- TRAINABLE_TOKENS on the embedding, also as LoRA's trainable_token_indices, does change the head's rows, too. As a type
  of its own it saves them twice (lm_head.trainable_tokens_delta), as part of LoRA once (…token_adapter…).
- PiSSA on lm_head takes its residual from the shared tensor, so that embed_tokens loses what only lm_head gets back.
  The file's lm_head.base_layer.weight is that residual, not the base's weight, tied or not: read as the base's and then
  reduced by PiSSA's own part it would be reduced twice.
- ensure_weight_tying (LoRA) ties: the head follows. LoRA's A and B are saved under both modules, the head's being the
  embedding's transposed, lora_A = lora_embedding_Bᵀ; a copy in modules_to_save is saved under both names. The saved
  config names only the embedding (target_modules or modules_to_save ["model.embed_tokens"]), also if the head was asked
  for; a reader has to see ensure_weight_tying.
- PEFT knows an embedding by the names embed_tokens and lm_head. So GPT-2's wte with ensure_weight_tying does not take
  lm_head along, lm_head with ensure_weight_tying does in memory, but is read back without it (no fixture), and wte as a
  target gets no base_layer.weight in the file, while embed_tokens and lm_head do: a copy of the base's whole table, which
  loading writes into the base.

On GPT-2's Conv1D PEFT takes LORA (also DoRA, PiSSA, lora_bias), ADALORA, IA3, VERA, LN_TUNING and modules_to_save; it
refuses LOHA, LOKR, OFT, SHIRA, ROAD and KaSA, and OLoRA there fails at the first forward. On an embedding it takes
LORA, OFT, LN_TUNING, TRAINABLE_TOKENS and modules_to_save, and lets a PiSSA or OLoRA there be a plain LoRA. A module
that one adapter of a set has in modules_to_save cannot be a target of the next.
"""

import copy
import random
import tempfile
from pathlib import Path

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
from transformers import AutoModelForSequenceClassification

import adapters
import decoders
import sets
from common import generator, write_json, write_tensors
from decoders import ROOT, VOCAB

EOS = decoders.TOKENS["eos_token_id"]
TOKENS = [*range(3, VOCAB, 4), 0, EOS]  # not in order
LENGTHS = [5, 2]

lora = {"r": 3, "lora_alpha": 7}
rslora = {"r": 2, "lora_alpha": 5, "use_rslora": True}
dora = {"r": 2, "lora_alpha": 3, "use_dora": True}
ADALORA = {"init_r": 4, "target_r": 2, "lora_alpha": 23, "total_step": 100}


def case(kind, targets=None, **config):
    if targets:
        config["target_modules"] = targets.split() if targets != "all-linear" else targets
    return kind, config


def linears(q, k, v, o, up, down, block=4, group=2):
    """Every type on a decoder's own linear layers."""
    return {
        "lora": case(LoraConfig, f"{q} {v}", **lora),
        "all-linear": case(LoraConfig, "all-linear", r=2, lora_alpha=3),
        "rslora": case(LoraConfig, f"{k} {o} {down}", **rslora),
        "patterns": case(
            LoraConfig,
            f"{q} {o} {up} {down}",
            r=2,
            lora_alpha=5,
            rank_pattern={"layers.1.*" + o: 4, down: 3},
            alpha_pattern={down: 2, "^model.layers.0.self_attn." + q: 9},
        ),
        "lora-bias": case(LoraConfig, f"{q} {down}", **lora, lora_bias=True),
        "some-layers": case(LoraConfig, f"{v} {up}", **lora, layers_to_transform=[1]),
        "dora": case(LoraConfig, f"{q} {o} {up}", **dora),
        "pissa": case(LoraConfig, f"{v} {down}", r=2, lora_alpha=3, init_lora_weights="pissa"),
        "olora": case(LoraConfig, f"{k} {o}", **rslora, init_lora_weights="olora"),
        "kasa": case(LoraConfig, f"{q} {up}", r=2, lora_alpha=5, kasa_config=KasaConfig()),
        "loha": case(LoHaConfig, f"{q} {v} {down}", r=2, alpha=7),
        "lokr": case(LoKrConfig, f"{k} {o} {up}", r=2, alpha=7, decompose_factor=3),
        "adalora": case(AdaLoraConfig, f"{q} {o} {down}", **ADALORA),
        "oft": case(OFTConfig, f"{q} {o}", oft_block_size=block),
        "oft-cayley": case(OFTConfig, f"{v} {up}", oft_block_size=block, use_cayley_neumann=False),
        "shira": case(ShiraConfig, f"{v} {o}", r=1, random_seed=7),
        "ia3": case(IA3Config, f"{k} {v} {down}", feedforward_modules=[down]),
        "road": case(RoadConfig, f"{q} {o}", group_size=group),
        "vera": case(VeraConfig, f"{q} {v} {down}", r=5),
    }


def seconds(q, k, v, o, up, down):
    """A second one of each of the six types that PEFT mixes, of another size and on other layers."""
    return {
        "lora2": case(LoraConfig, f"{q} {o}", r=2, lora_alpha=5),
        "dora2": case(LoraConfig, f"{q} {v}", r=4, lora_alpha=3, use_rslora=True, use_dora=True),
        "loha2": case(LoHaConfig, f"{k} {v} {up}", r=3, alpha=2),
        "lokr2": case(LoKrConfig, f"{q} {o} {down}", r=1, alpha=3, decompose_factor=3),
        "adalora2": case(AdaLoraConfig, f"{q} {v} {up}", **{**ADALORA, "init_r": 3}),
        "oft2": case(OFTConfig, f"{q} {o} {down}", oft_block_size=6, use_cayley_neumann=False),
        "shira2": case(ShiraConfig, f"{v} {o} {down}", r=1, random_seed=8),
    }


def ends(embed, block=4):
    """Every type that PEFT takes on the embedding or on the head."""
    return {
        "lora-embed": case(LoraConfig, embed, **lora),
        "dora-embed": case(LoraConfig, embed, **dora),
        "oft-embed": case(OFTConfig, embed, oft_block_size=block),
        "ln-embed": case(LNTuningConfig, embed),
        "saved-embed": case(LoraConfig, "o_proj c_attn", **lora, modules_to_save=[embed]),
        "tokens": case(TrainableTokensConfig, embed, token_indices=TOKENS),
        "lora-tokens": case(LoraConfig, "o_proj c_attn", **lora, trainable_token_indices=TOKENS),
        "lora-head": case(LoraConfig, "lm_head o_proj c_attn", **lora),
        "dora-head": case(LoraConfig, "lm_head", **dora),
        "pissa-head": case(LoraConfig, "lm_head", **lora, init_lora_weights="pissa"),
        "saved-head": case(LoraConfig, "o_proj c_attn", **lora, modules_to_save=["lm_head"]),
        "saved-both": case(LoraConfig, "o_proj c_attn", **lora, modules_to_save=["lm_head", embed]),
        "lora-both": case(LoraConfig, f"lm_head {embed}", **lora),
    }


def tables(embed):
    """Files that hold the whole table as well, as PEFT writes them where the vocabulary has grown."""
    return {
        "lora-tokens-table": case(LoraConfig, "o_proj c_attn", **lora, trainable_token_indices=TOKENS),
        "tokens-table": case(TrainableTokensConfig, embed, token_indices=TOKENS),
        "dora-embed-table": case(LoraConfig, embed, **dora),
    }


def heads(block=4):
    return {
        "loha-head": case(LoHaConfig, "lm_head", r=2, alpha=7),
        "lokr-head": case(LoKrConfig, "lm_head", r=2, alpha=7),
        "adalora-head": case(AdaLoraConfig, "lm_head", **ADALORA),
        "oft-head": case(OFTConfig, "lm_head", oft_block_size=block),
        "shira-head": case(ShiraConfig, "lm_head", r=1, random_seed=7),
        "ia3-head": case(IA3Config, "lm_head", feedforward_modules=[]),
        "vera-head": case(VeraConfig, "lm_head", r=5),
        "ln-head": case(LNTuningConfig, "lm_head"),
        "tokens-head": case(TrainableTokensConfig, "lm_head", token_indices=TOKENS),
    }


def tied():
    """Where the adapter itself asks for the head to follow."""
    tie = {"ensure_weight_tying": True}
    return {
        "lora-embed-tied": case(LoraConfig, "embed_tokens", **lora, **tie),
        "lora-head-tied": case(LoraConfig, "lm_head", **lora, **tie),
        "saved-embed-tied": case(LoraConfig, "o_proj", **lora, **tie, modules_to_save=["embed_tokens"]),
        "saved-head-tied": case(LoraConfig, "o_proj", **lora, **tie, modules_to_save=["lm_head"]),
        "lora-tokens-tied": case(LoraConfig, "o_proj", **lora, **tie, trainable_token_indices=TOKENS),
    }


def only(cases, *names):
    return {name: cases[name] for name in names}


SEPARATE = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
CONV = "c_attn attn.c_proj c_fc mlp.c_proj"


def conv():
    return {
        "lora": case(LoraConfig, "c_attn", **lora),
        "all-linear": case(LoraConfig, "all-linear", r=2, lora_alpha=3),
        "rslora": case(LoraConfig, "attn.c_proj c_fc", **rslora),
        "patterns": case(
            LoraConfig, CONV, r=2, lora_alpha=5, rank_pattern={"h.1.attn.c_proj": 4}, alpha_pattern={"c_fc": 2}
        ),
        "lora-bias": case(LoraConfig, "c_attn mlp.c_proj", **lora, lora_bias=True),
        "dora": case(LoraConfig, "attn.c_proj c_attn", **dora),
        "dora-mlp": case(LoraConfig, "c_fc mlp.c_proj", **dora, bias="lora_only"),
        "pissa": case(LoraConfig, "attn.c_proj c_fc", r=2, lora_alpha=3, init_lora_weights="pissa"),
        "bias-all": case(LoraConfig, "c_attn", **lora, bias="all"),
        "adalora": case(AdaLoraConfig, "c_attn attn.c_proj c_fc", **ADALORA),
        "ia3": case(IA3Config, CONV, feedforward_modules=["mlp.c_proj"]),
        "vera": case(VeraConfig, "c_attn attn.c_proj c_fc", r=5),
        "ln": case(LNTuningConfig, "ln_1 ln_f"),
        "ln-conv": case(LNTuningConfig, "attn.c_proj"),
        "saved-conv": case(LoraConfig, "c_attn", **lora, modules_to_save=["attn.c_proj"]),
        "saved-norm": case(LoraConfig, "c_fc", **lora, modules_to_save=["ln_f"]),
        "positions": case(LoraConfig, "wpe", **lora),
        "saved-positions": case(LoraConfig, "c_fc", **lora, modules_to_save=["wpe"]),
        "tokens-positions": case(TrainableTokensConfig, "wpe", token_indices=[2, 0, 5]),
    }


def cases():
    """Base: adapters. Where the embedding is tied to the head, both."""
    norms = {"ln": case(LNTuningConfig, "input_layernorm post_attention_layernorm norm")}
    saved = {"saved-norm": case(LoraConfig, "v_proj qkv_proj", **lora, modules_to_save=["model.norm"])}
    biases = {
        "bias-all": case(LoraConfig, "q_proj down_proj", **lora, bias="all"),
        "bias-lora-only": case(LoraConfig, "k_proj v_proj", **rslora, bias="lora_only"),
    }
    own = linears(*SEPARATE)
    fused = linears("qkv_proj", "qkv_proj", "qkv_proj", "o_proj", "gate_up_proj", "down_proj", block=3)
    qwen = linears(*SEPARATE, block=3)
    qk = {"ln-qk": case(LNTuningConfig, "q_norm k_norm norm")}
    as_lora = {"pissa-embed": case(LoraConfig, "embed_tokens", **lora, init_lora_weights="pissa")}
    inner = "lora-bias dora oft adalora ia3 road".split()
    tops = "loha-head adalora-head oft-head ia3-head ln-head tokens-head".split()
    second = seconds(*SEPARATE)
    few = "lora all-linear patterns dora loha adalora oft shira ia3 road vera".split()
    less = "lora dora lokr oft ia3".split()
    around = {"ln": case(LNTuningConfig, "input_layernorm post_feedforward_layernorm norm")}
    some = "lora-embed dora-embed oft-embed saved-embed tokens lora-tokens lora-head saved-head".split()
    follow = only(tied(), "lora-embed-tied", "saved-embed-tied", "lora-tokens-tied")
    return {
        "llama": {**own, **norms, **saved, **ends("embed_tokens"), **as_lora, **heads(), **second, **tables("embed_tokens")},
        "llama-bias": {**only(own, *inner), **biases, **ends("embed_tokens"), **only(heads(), *tops), **tied(), **tables("embed_tokens")},
        "gpt2": {**conv(), **ends("wte", block=5), **tables("wte"), **only(heads(block=5), "loha-head", "oft-head", "ia3-head")},
        "qwen3": {**only(qwen, *few), **norms, **qk, **only(ends("embed_tokens", block=3), "lora-embed", "saved-head")},
        "gemma2": {**only(own, *less), **around, **only(ends("embed_tokens"), *some), **follow},
        "phi3": {**fused, **norms},
    }


SETS = {
    "llama": [
        "lora+loha",
        "loha+oft+lora",
        "oft+dora",
        "dora+oft-cayley+lokr",
        "shira+lora+oft",
        "lora+shira+adalora",
        "adalora+oft",
        "oft+adalora+loha+rslora",
        "lokr+oft-cayley+patterns+oft",
        "all-linear+dora+oft",
        "pissa+olora+lora",
        "kasa+oft+lora-bias",
        "lora-head+oft-head",
        "oft-head+pissa-head",
        "oft-head+lora+loha-head",
        "saved-head+oft+dora",
        "lora+saved-embed+lokr",
        "lora-embed+oft-embed+lora",
        "saved-norm+loha+oft",
        "some-layers+oft-cayley+lora",
    ],
    "llama-bias": [
        "oft+lora-bias",
        "lora-bias+oft+dora",
        "adalora+dora+oft",
        "lora-head+lora-embed",
        "lora-embed+oft-head+dora",
        "oft-embed+lora-bias+dora-head",
        "saved-embed+lora-head",
        "pissa-head+lora-bias+oft",
    ],
    "gpt2": ["lora+adalora", "dora+lora-bias+rslora", "saved-conv+lora-bias", "loha-head+lora+oft-head", "pissa+dora"],
    "phi3": ["oft+lora", "lora+oft+dora", "loha+oft-cayley+adalora+lokr"],
}

# Of which random sets of llama are made, beside every ordered pair of the six types.
MIXED = """
    lora loha lokr adalora oft shira lora2 loha2 lokr2 adalora2 oft2 shira2 rslora lora-bias dora dora2 pissa olora kasa
    lora-embed oft-embed lora-head oft-head dora-head saved-norm
""".split()
SCALABLE = set("lora loha lokr adalora shira lora2 loha2 lokr2 adalora2 shira2 rslora lora-embed lora-head".split())
SETS["llama"] += [s for s in sets.sets(MIXED, random.Random(11), SCALABLE) if s not in SETS["llama"]]

GENERATED = {
    "llama": [
        "__base__", "lora", "patterns", "dora", "pissa", "loha", "lokr", "adalora", "oft", "shira", "ia3", "road",
        "ln", "tokens", "saved-head", "dora-head", "lora-embed", "lora+loha", "oft+dora", "shira+lora+oft",
        "saved-head+oft+dora", "oft-head+lora+loha-head",
    ],
    "gpt2": [
        "__base__", "lora", "dora", "patterns", "bias-all", "adalora", "ia3", "vera", "ln", "saved-conv", "tokens",
        "saved-head", "lora-head", "lora+adalora", "dora+lora-bias+rslora", "loha-head+lora+oft-head",
    ],
}  # fmt: skip


def make(base, kind, config, task="CAUSAL_LM"):
    """Not every module is in every base: what is not there is not asked for."""
    config = copy.deepcopy(config)
    if isinstance(config.get("target_modules"), list):
        modules = [name for name, _ in base.named_modules()]
        there = [t for t in config["target_modules"] if any(("." + m).endswith("." + t) for m in modules)]
        config["target_modules"] = there
    return kind(task_type=task, **config)


def prune(model):
    """As AdaLoRA's training does: what is dropped is zero in memory, and not in the file."""
    sets.trimmed(model)
    for name, parameter in model.base_model.model.named_parameters():
        kept = model.peft_config["default"].rank_pattern.get(name.removesuffix(".default"))
        if kept:
            parameter.data[~torch.tensor(kept)] = 0


def train(base, name, kind, config, task="CAUSAL_LM", auto=None):
    model = read(base, auto)
    trained = adapters.train(model, make(model, kind, config, task), f"decoder {base} {name}")
    with torch.no_grad():  # heads that like to end
        for key, parameter in trained.named_parameters():
            if "lm_head.modules_to_save" in key:
                parameter[EOS] *= 3
            if "trainable_tokens_delta" in key and len(parameter) == len(TOKENS):
                parameter[TOKENS.index(EOS)] *= 3
    if kind is AdaLoraConfig:
        prune(trained)
    folder = ROOT / base / "adapters" / name
    saved = {"save_embedding_layers": True} if name.endswith("-table") else {}
    if saved:  # with another table than the base's
        with torch.no_grad():
            for key, parameter in trained.named_parameters():
                if ("embed_tokens" in key or "wte" in key) and key.endswith("base_layer.weight"):
                    parameter *= 1.5
    adapters.save(trained, folder, **saved)
    loaded = adapters.load(read(base, auto), folder, **saved)
    return trained, loaded


def read(base, auto=None):
    return decoders.read(base, auto) if auto else decoders.read(base)


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0]


def follows(model, base):
    """Has the embedding moved, has the head, and is the one still the other?"""
    both = (model.get_base_model(), base)
    scale = float(getattr(base.get_input_embeddings(), "embed_scale", 1.0))
    with torch.no_grad():
        tables = [m.get_input_embeddings()(torch.arange(VOCAB)) / scale for m in both]
        tops = [m.get_output_embeddings()(torch.eye(tables[0].shape[1])).T for m in both]
    moved = [float((new - old).abs().max()) > 1e-3 for new, old in (tables, tops)]
    return (*moved, bool(torch.allclose(tables[0], tops[0], atol=1e-5)))


BOTH, EMBED, HEAD, NEITHER = (True, True, True), (True, False, False), (False, True, False), (False, False, True)


def tying(base, name):
    """What the docstring says of tied heads."""
    if name.endswith("-tied") or name in ("tokens", "lora-tokens", "tokens-table", "lora-tokens-table"):
        return BOTH
    if name.endswith("-both") or name in ("pissa-head", "dora-embed-table"):
        return (True, True, False)
    if name.endswith("-embed"):
        return EMBED
    return HEAD if name.endswith("-head") else NEITHER


def refused():
    """What PEFT does not do on GPT-2's Conv1D."""
    targets = {"target_modules": ["attn.c_proj"], "task_type": "CAUSAL_LM"}
    for config in (
        LoHaConfig(**targets),
        LoKrConfig(**targets),
        OFTConfig(oft_block_size=5, **targets),
        ShiraConfig(r=1, **targets),
        RoadConfig(group_size=2, **targets),
        LoraConfig(kasa_config=KasaConfig(), **targets),
        LoraConfig(init_lora_weights="olora", target_modules=["c_attn"]),
    ):
        try:
            logits(adapters.train(read("gpt2"), config, "refused"), [3, 4])
        except (TypeError, ValueError, RuntimeError):
            continue
        raise AssertionError(f"PEFT takes {config.peft_type} on a Conv1D now")


def adapted(base, members, temporary):
    gen = generator("decoder adapted " + base)
    rows = [torch.randint(3, VOCAB, (length,), generator=gen).tolist() for length in LENGTHS]
    rows[0][:3] = [0, 15, 7]  # tokens that the trainable ones change
    rows[1][1] = 11
    plain, tensors = read(base), {}
    for name, (kind, config) in members.items():
        trained, loaded = train(base, name, kind, config)
        for i, ids in enumerate(rows):
            result = logits(loaded, ids)
            apart = float((result - logits(trained, ids)).abs().max())
            assert apart < 1e-4, (base, name, "is read back otherwise", apart)
            moved = float((result - logits(plain, ids)).abs().max())
            assert moved > 0.02, (base, name, i, moved)
            tensors[f"{name}.{i}"] = result
        if plain.config.tie_word_embeddings:
            assert follows(loaded, plain) == tying(base, name), (base, name, follows(loaded, plain))
    models = {}
    for expression in SETS.get(base, []):
        models[expression] = sets.mixed(expression, ROOT / base, lambda: read(base), temporary / base)
        for i, ids in enumerate(rows):
            tensors[f"{expression}.{i}"] = result = logits(models[expression], ids)
            for member, _ in sets.parse(expression):
                apart = float((result - tensors[f"{member}.{i}"]).abs().max())
                assert apart > 1e-3, (base, expression, member, apart)
    index = {"rows": rows, "adapters": list(members), "sets": list(models)}
    write_json(ROOT / base / "adapted.json", index, indent=None)
    write_tensors(ROOT / base / "adapted.safetensors", tensors)
    if base in GENERATED:
        generation(base, models)
    print(base, len(members), "adapters,", len(models), "sets")


def generation(base, mixed):
    rows, gen = [], random.Random("decoder generation " + base)
    for name in GENERATED[base]:
        if name == "__base__":
            model = read(base)
        elif name in mixed:
            model = mixed[name]
        else:
            model = adapters.load(read(base), ROOT / base / "adapters" / name)
        found = tries = 0
        while found < 7:
            tries += 1
            ids = [gen.randrange(3, VOCAB) for _ in range(gen.choice([1, 2, 3, 5, 8, 11, 15, 19, 22, 26, 30]))]
            count = gen.randint(8, 16)
            greedy, margin = decoders.generate(model, ids, count)
            if found == 6 and tries < 20 and len(greedy) == count:
                continue  # the last of them ends early, if that is to be had
            if margin > 1e-3 and (len(set(greedy)) > 2 or found % 3 == 0 or len(greedy) < count):
                row = {"set": name, "ids": ids, "max_new_tokens": count, "greedy": greedy, "margin": round(margin, 6)}
                rows.append(row)
                found += 1
    early = sum(len(row["greedy"]) < row["max_new_tokens"] for row in rows)
    assert early >= 5, (base, early)
    decoders.write_rows(ROOT / base / "generation.json", rows)
    print(base, len(rows), "rows generated,", early, "end early")


def classified(base, members):
    expected = load_file(ROOT / base / "expected.safetensors")
    given = {key: expected[key] for key in ("input_ids", "attention_mask")}
    tensors = {}
    for name, (kind, config) in members.items():
        trained, loaded = train(base, name, kind, config, "SEQ_CLS", AutoModelForSequenceClassification)
        with torch.no_grad():
            tensors[name] = loaded(**given).logits
            assert torch.allclose(tensors[name], trained(**given).logits, atol=1e-5), (base, name)
        assert float((tensors[name] - expected["scores"]).abs().amax(1).min()) > 0.02, (base, name)
        assert (ROOT / base / "adapters" / name / "adapter_config.json").read_text().count('"score"'), (base, name)
    write_json(ROOT / base / "adapted.json", {"rows": [], "adapters": list(members), "sets": []}, indent=None)
    write_tensors(ROOT / base / "adapted.safetensors", tensors)


def main():
    refused()
    with tempfile.TemporaryDirectory() as temporary:
        for base, members in cases().items():
            adapted(base, members, Path(temporary))
    own = linears(*SEPARATE)
    classified("llama-seq", only(own, "lora", "all-linear", "dora", "loha", "oft", "ia3", "vera"))
    classified("gpt2-seq", only(conv(), "lora", "all-linear", "dora", "adalora", "ia3"))


if __name__ == "__main__":
    main()
