"""PEFT's verbs: fixtures/verbs, over models/bert-sequence.

adapters/NAME/: members. expected.json: texts, and the sets of members whose logits for each text stand in
expected.safetensors under the set's name, such as oft+math; __base__ for the base alone. weighted.json: calls of
add_weighted_adapter; weighted/NAME.safetensors: the tensors of the adapter that the call makes. weighted_others.json:
the same over other bases, with members of others/BASE/ and paths of members from fixtures/. stored/NAME/: an adapter of
models/NAME, a base that is stored in another type or with another head. random.json: for each seed what torch draws one
after the other, of "bernoulli" the numbers, which depend on all before.
"""

import torch
from peft import IA3Config, LoHaConfig, LoraConfig, OFTConfig, PeftConfig, PeftMixedModel, PeftModel, get_peft_model_state_dict
from transformers import AutoTokenizer, BertForSequenceClassification, BertModel, GPT2LMHeadModel, RobertaModel

import adapters
import lora
from common import FIXTURES, fresh, write_json, write_tensors

FOLDER = FIXTURES / "verbs"
TEXTS = ["the quick brown fox", "hello", "a lazy dog jumps over the red fox 9 times!"]

MEMBERS = {
    "math": LoraConfig(r=4, lora_alpha=9, target_modules=["query", "value"]),
    "polite": LoraConfig(r=4, lora_alpha=3, target_modules=["query", "key"]),
    "terse": LoraConfig(
        r=4, lora_alpha=6, target_modules=["value", "key"], alpha_pattern={"layer.1.attention.self.key": 2}
    ),
    "wide": LoraConfig(r=6, lora_alpha=5, target_modules=["query", "dense"]),
    "patterned": LoraConfig(r=4, lora_alpha=5, target_modules=["query"], rank_pattern={"layer.0.attention.self.query": 2}),
    "root": LoraConfig(r=4, lora_alpha=3, use_rslora=True, target_modules=["query", "value"]),
    "table": LoraConfig(r=4, lora_alpha=5, target_modules=["word_embeddings", "value"]),
    "regex": LoraConfig(r=4, lora_alpha=7, target_modules=r".*\.layer\.(0|1)\..*\.(query|value)"),
    "regex2": LoraConfig(r=4, lora_alpha=2, target_modules=r".*\.layer\.(1|2)\..*\.value"),
    "head": LoraConfig(r=4, lora_alpha=5, task_type="SEQ_CLS", target_modules=["query"]),
    "head2": LoraConfig(r=4, lora_alpha=6, task_type="SEQ_CLS", target_modules=["value"]),
    "dora": LoraConfig(r=3, lora_alpha=5, use_dora=True, target_modules=["query", "value"]),
    "shifted": LoraConfig(r=4, lora_alpha=5, lora_bias=True, target_modules=["query"]),
    "biased": LoraConfig(r=4, lora_alpha=5, bias="all", target_modules=["query"]),
    "pissa": LoraConfig(r=4, lora_alpha=5, init_lora_weights="pissa", target_modules=["query"]),
    "oft": OFTConfig(oft_block_size=4, target_modules=["query", "value"]),
    "oft2": OFTConfig(oft_block_size=7, use_cayley_neumann=False, target_modules=["query", "key"]),
    "loha": LoHaConfig(r=2, alpha=3, target_modules=["query", "value"]),
}

SETS = [
    "math",
    "math+polite",
    "polite+table+math",
    "math+math",
    "oft+math",
    "math+oft",
    "loha+oft+math",
    "oft+loha+oft2",
    "math+oft+loha+oft2",
    "dora+math",
    "math+dora",
    "head+math",
    "math+head+oft",
    "shifted+oft",
]

# name: adapters, weights, options. Random ones come with the seed that stands before the call.
WEIGHTED = {
    "cat": (["math", "wide", "patterned"], [0.7, -0.4, 1.5], {"combination_type": "cat"}),
    "cat-table": (["table", "math"], [0.7, 2.0], {"combination_type": "cat"}),
    "svd": (["math", "wide"], [0.7, -0.4], {"combination_type": "svd"}),
    "svd-rank": (["math", "wide"], [0.7, 0.4], {"combination_type": "svd", "svd_rank": 3}),
    "svd-table": (["table", "math"], [0.7, 0.4], {"combination_type": "svd", "svd_rank": 3}),
    "svd-clamp": (["math", "polite"], [0.7, 0.4], {"combination_type": "svd", "svd_clamp": 0.9}),
    "linear": (["math", "polite", "terse"], [0.7, -0.4, 1.2], {"combination_type": "linear"}),
    "linear-table": (["table", "math"], [0.7, -2.0], {"combination_type": "linear"}),
    "single": (["math"], [-0.6], {"combination_type": "ties", "density": 0.1}),
    "regex": (["regex", "regex2"], [0.6, 0.5], {"combination_type": "linear"}),
    "ties": (["math", "polite", "terse"], [0.7, -0.4, 1.2], {"combination_type": "ties", "density": 0.3}),
    "ties-frequency": (
        ["math", "polite", "terse"],
        [0.7, 0.4, 1.2],
        {"combination_type": "ties", "density": 0.6, "majority_sign_method": "frequency"},
    ),
    "ties-svd": (["math", "wide"], [0.7, 0.4], {"combination_type": "ties_svd", "density": 0.5}),
    "dare-linear": (["math", "polite"], [0.7, 0.4], {"combination_type": "dare_linear", "density": 0.6}),
    "dare-ties": (["math", "polite", "terse"], [0.7, 0.4, 1.1], {"combination_type": "dare_ties", "density": 0.7}),
    "dare-table": (["table", "math"], [0.7, 0.4], {"combination_type": "dare_linear", "density": 0.8}),
    "dare-linear-svd": (["math", "wide"], [0.7, 0.4], {"combination_type": "dare_linear_svd", "density": 0.6}),
    "dare-ties-svd": (["math", "wide", "table"], [0.7, 0.4, 0.9], {"combination_type": "dare_ties_svd", "density": 0.6}),
    "magnitude-prune": (["math", "polite"], [0.7, -0.4], {"combination_type": "magnitude_prune", "density": 0.4}),
    "magnitude-prune-svd": (
        ["math", "wide"],
        [0.7, -0.4],
        {"combination_type": "magnitude_prune_svd", "density": 0.4, "svd_rank": 2},
    ),
    # PEFT lets the result inherit use_rslora from the first member; root is never first here.
    "rslora-second": (["math", "root"], [0.7, 0.4], {"combination_type": "cat"}),
}
SEED = 20_211

# Bases by their folders, with the class that the members were trained on.
OTHER_BASES = {
    "models/bert": BertModel,
    "models/bert-sequence": BertForSequenceClassification,
    "models/roberta": RobertaModel,
    "decoders/gpt2": GPT2LMHeadModel,
}
OTHER_MEMBERS = {
    "models/bert": {
        "all": LoraConfig(r=4, lora_alpha=3, target_modules="all-linear"),
        "all2": LoraConfig(r=4, lora_alpha=7, target_modules="all-linear", alpha_pattern={"pooler.dense": 2}),
        "pooler": LoraConfig(r=4, lora_alpha=5, target_modules=["query"], modules_to_save=["pooler"]),
        "types": LoraConfig(r=4, lora_alpha=5, target_modules=["query", "token_type_embeddings"]),
        "types2": LoraConfig(r=4, lora_alpha=2, target_modules=["token_type_embeddings", "value"]),
    },
    "models/bert-sequence": {
        **{
            str(init).lower(): LoraConfig(
                r=6, lora_alpha=5, init_lora_weights=init, target_modules=["query", "word_embeddings"]
            )
            for init in (False, "gaussian", "eva", "orthogonal", "mica")
        },
        "ia3": IA3Config(target_modules=["key", "value", "output.dense"], feedforward_modules=["output.dense"]),
        "ia3-2": IA3Config(target_modules=["key", "intermediate.dense"], feedforward_modules=[]),
        "ia3-3": IA3Config(target_modules=r".*layer\.1.*(value|output\.dense)", feedforward_modules=r".*output\.dense"),
        "ia3-4": IA3Config(target_modules=r".*layer\.0.*(key|output\.dense)", feedforward_modules=r".*output\.dense"),
        "ia3-out": IA3Config(target_modules=["output.dense"], feedforward_modules=[]),
        "ia3-head": IA3Config(task_type="SEQ_CLS", target_modules=["value"], feedforward_modules=[]),
    },
    "models/roberta": {
        # r numbers for the one token type: an odd number of them
        "types": LoraConfig(r=3, lora_alpha=5, target_modules=["token_type_embeddings", "query"]),
        "types2": LoraConfig(r=3, lora_alpha=2, target_modules=["token_type_embeddings"]),
    },
    "decoders/gpt2": {
        "conv": LoraConfig(r=3, lora_alpha=5, fan_in_fan_out=True, target_modules=["c_attn", "c_proj"]),
        "conv2": LoraConfig(r=3, lora_alpha=2, fan_in_fan_out=True, target_modules=["c_attn", "c_fc"]),
        "ia3": IA3Config(target_modules=["c_attn", "mlp.c_proj"], feedforward_modules=["mlp.c_proj"]),
        "ia3-2": IA3Config(target_modules=["c_attn", "c_fc"], feedforward_modules=[]),
    },
}
DARE = {"combination_type": "dare_linear", "density": 0.6}
OTHERS = {
    "idle-cat": ("models/bert", ["all", "all2"], [0.7, -0.4], {"combination_type": "cat"}),
    "idle-dare-linear": ("models/bert", ["all", "all2"], [0.7, 0.4], DARE),
    "idle-dare-ties-svd": (
        "models/bert",
        ["all2", "all"],
        [0.7, 0.4],
        {"combination_type": "dare_ties_svd", "density": 0.6},
    ),
    "idle-head": ("models/bert", ["models/bert/adapters/classifier-targeted"] * 2, [0.7, 0.4], DARE),
    "table-of-8": ("models/bert", ["types", "types2"], [0.7, 0.4], DARE),
    "table-of-3": ("models/roberta", ["types", "types2"], [0.7, 0.4], DARE),
    **{
        f"init-{init}": ("models/bert-sequence", [init, "verbs/adapters/wide"], [0.7, 0.4], DARE)
        for init in ("false", "gaussian", "eva", "orthogonal", "mica")
    },
    "conv-dare-linear": ("decoders/gpt2", ["conv", "conv2"], [0.7, 0.4], DARE),
    "conv-dare-linear-svd": (
        "decoders/gpt2",
        ["conv", "conv2"],
        [0.7, -0.4],
        {"combination_type": "dare_linear_svd", "density": 0.6},
    ),
    "conv-dare-ties-svd": (
        "decoders/gpt2",
        ["conv", "conv2"],
        [0.7, 0.4],
        {"combination_type": "dare_ties_svd", "density": 0.6},
    ),
    "ia3": ("models/bert-sequence", ["ia3", "ia3-2"], [0.7, -0.4], {}),
    "ia3-regex": ("models/bert-sequence", ["ia3-3", "ia3-4"], [0.5, 0.75], {}),
    "ia3-alone": ("models/bert-sequence", ["ia3-2"], [1.5], {}),
    "ia3-conv": ("decoders/gpt2", ["ia3", "ia3-2"], [0.7, 0.4], {}),
}

# Of each seed the draws one after the other: (what, how many numbers).
DRAWS = {
    1: [("bernoulli", 40), ("uniform", 15), ("bernoulli", 40)],
    2: [("normal", 8), ("bernoulli", 40), ("normal", 15), ("bernoulli", 40), ("normal", 2), ("bernoulli", 40)],
    3: [("normal", 3), ("bernoulli", 9), ("normal", 3), ("bernoulli", 40), ("normal", 1), ("bernoulli", 40)],
    4: [("normal", 3), ("normal", 16), ("bernoulli", 40), ("normal", 17), ("bernoulli", 40), ("normal", 1)]
    + [("bernoulli", 40), ("normal", 0), ("normal", 1), ("bernoulli", 700)],
    2**40 + 5: [("normal", 31), ("bernoulli", 40)],
    -1: [("uniform", 1), ("bernoulli", 40)],
}


def base():
    return lora.base("bert-sequence", BertForSequenceClassification)


def logits(model):
    tokenizer = AutoTokenizer.from_pretrained(FIXTURES / "models" / "bert-sequence")
    with torch.no_grad():
        return torch.cat([model.eval()(**tokenizer(text, return_tensors="pt")).logits for text in TEXTS])


def mixed(members):
    """All of one set, added and activated in its order; a member that stands twice is added once."""
    names, model = {}, None
    for member in members:
        if member in names:
            continue
        name = names[member] = f"m{len(names)}"
        source = FOLDER / "adapters" / member
        config = PeftConfig.from_pretrained(source)
        config.inference_mode = True
        if model is None:
            model = PeftMixedModel(base(), config, adapter_name=name)
        result = model.load_adapter(source, name)
        missing = [key for key in result.missing_keys if f".{name}" in key]
        assert not missing and not result.unexpected_keys, (members, missing, result.unexpected_keys)
    model.set_adapter([names[member] for member in members])
    return model


def weighted(name, members, weights, options):
    folder = FOLDER / "adapters"
    model = PeftModel.from_pretrained(base(), folder / members[0], adapter_name=members[0])
    for member in members[1:]:
        model.load_adapter(folder / member, member)
    torch.manual_seed(SEED)
    model.add_weighted_adapter(members, weights, "merged", **options)
    config = model.peft_config["merged"]
    tensors = get_peft_model_state_dict(model, adapter_name="merged")
    write_tensors(FOLDER / "weighted" / f"{name}.safetensors", tensors)
    return {"name": name, "adapters": members, "weights": weights, **options, "r": config.r}


def other_base(name):
    torch.manual_seed(0)
    model = OTHER_BASES[name].from_pretrained(FIXTURES / name, attn_implementation="eager")
    model.name_or_path = model.config.name_or_path = name.split("/")[1]
    return model


def weighted_other(name, base, members, weights, options):
    model = None
    for member in dict.fromkeys(members):
        path = FIXTURES / member if "/" in member else FOLDER / "others" / base.split("/")[1] / member
        if model is None and member.endswith("classifier-targeted"):
            headed = BertForSequenceClassification.from_pretrained(FIXTURES / base, num_labels=3)
            model = PeftModel.from_pretrained(headed, path, adapter_name="m0")
        elif model is None:
            model = PeftModel.from_pretrained(other_base(base), path, adapter_name="m0")
        else:
            model.load_adapter(path, f"m{len(model.peft_config)}")
    names = {member: f"m{i}" for i, member in enumerate(dict.fromkeys(members))}
    torch.manual_seed(SEED)
    model.add_weighted_adapter([names[member] for member in members], weights, "merged", **options)
    tensors = get_peft_model_state_dict(model, adapter_name="merged")
    write_tensors(FOLDER / "weighted" / f"{name}.safetensors", tensors)
    return {"name": name, "base": base, "adapters": members, "weights": weights, **options}


def draws(seed, steps):
    torch.manual_seed(seed)
    drawn = []
    for what, length in steps:
        if what == "bernoulli":
            ones = torch.bernoulli(torch.full((length,), 0.5)).int().tolist()
            drawn.append({"bernoulli": "".join(map(str, ones))})
        else:
            getattr(torch.empty(length), f"{what}_")()
            drawn.append({what: length})
    return {"seed": seed, "draws": drawn}


def main():
    fresh(FOLDER)
    for name, config in MEMBERS.items():
        adapters.save(adapters.train(base(), config, f"verbs {name}"), FOLDER / "adapters" / name)
    for name in ("bert-bf16", "bert-f16", "bert-mlm"):
        model = lora.base(name, BertModel, dtype=torch.float32)
        config = LoraConfig(r=2, lora_alpha=5, target_modules=["query", "value"])
        adapters.save(adapters.train(model, config, f"verbs {name}"), FOLDER / "stored" / name)
    tensors = {"__base__": logits(base())}
    for expression in SETS:
        tensors[expression] = logits(mixed(expression.split("+")))
    for name in ("table", "oft", "head", "dora", "biased", "pissa"):
        tensors[name] = logits(PeftModel.from_pretrained(base(), FOLDER / "adapters" / name))
    write_tensors(FOLDER / "expected.safetensors", tensors)
    write_json(FOLDER / "expected.json", {"texts": TEXTS, "sets": sorted(tensors)})
    calls = [weighted(name, *call) for name, call in WEIGHTED.items()]
    write_json(FOLDER / "weighted.json", {"seed": SEED, "calls": calls})
    for name, members in OTHER_MEMBERS.items():
        short = name.split("/")[1]
        for member, config in members.items():
            trained = adapters.train(other_base(name), config, f"verbs {short} {member}")
            adapters.save(trained, FOLDER / "others" / short / member)
    calls = [weighted_other(name, *call) for name, call in OTHERS.items()]
    write_json(FOLDER / "weighted_others.json", {"seed": SEED, "calls": calls})
    write_json(FOLDER / "random.json", [draws(seed, steps) for seed, steps in DRAWS.items()])


if __name__ == "__main__":
    main()
