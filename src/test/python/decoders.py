"""Tiny decoders of every family and every rotary embedding, each an ordinary HF folder: fixtures/decoders/NAME/.

config.json, generation_config.json, model.safetensors: what save_pretrained writes. The tokenizer is one for all and
lies in decoders/tokenizer/. config.old.json, where there is one: the same config as transformers 4 wrote it
(rope_theta, rope_scaling, torch_dtype); transformers reads it to the very same logits. llama-old has only that, as its
config.json.

rows.json: [{"ids", "greedy", "margin"}, …]: a row's ids, the 12 tokens that generate(do_sample=False) adds, eos
disabled, to the row alone, and the smallest (top1 - top2) / max|logit| over those 12 steps, always above 1e-3.
Where the rotary embedding depends on the length of the text (dynamic, longrope) there is also "uncached": the 12
tokens if the whole text goes through the model at every step, as generate(use_cache=False) has it. Under dynamic a
cached key keeps the frequencies of the step it was made in. Under longrope (phi3-longrope, rows 2 and 3, which cross
original_max_position_embeddings while they generate) "greedy" is a defect of transformers 5.18: it drops the cache
where the frequencies change, but still passes on only the last token, so that from there on each token depends on
nothing but the one before it. There "uncached" is what transformers 4 said and what is meant.
expected.safetensors: logits.I [t, v] and hidden.I [t, h], the last hidden state after the final norm, of row I.

NAME-seq: rows.json [{"ids"}, …] and expected.safetensors with input_ids and attention_mask [n, t], the rows padded
right, and scores [n, labels].

Each row goes through a model of its own: the dynamic rotary embedding keeps the frequencies of the longest text it
has met until a text shorter than max_position_embeddings comes, and so would make a row depend on those before it.
"""

import copy
import json
import shutil

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from common import FIXTURES, fresh, generator, randomise, write_json, write_tensors
from tokenizers_ import CORPUS

ROOT = FIXTURES / "decoders"
VOCAB = 121
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
TOKENS = {"vocab_size": VOCAB, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
LENGTHS = [7, 1, 13, 4, 27]
NEW_TOKENS = 12


def tokenizer():
    """Byte-level BPE over printable ASCII, <s> before each text. Other bytes are not in the vocabulary."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)])
    alphabet = ["Ġ", "Ċ"] + [chr(c) for c in range(33, 127)]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB, special_tokens=list(SPECIAL.values()), initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator([line for line in CORPUS if line.isascii()], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=bpe, model_max_length=64, **SPECIAL)
    assert len(fast) == VOCAB
    folder = fresh(ROOT / "tokenizer")
    fast.save_pretrained(folder)


def write_rows(path, rows):
    """JSON, a line for each row."""
    path.write_text("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")


def read(name, auto=AutoModelForCausalLM, **changes):
    """The model of that folder, or what it would be if its config said something else."""
    folder = ROOT / name
    config = AutoConfig.from_pretrained(folder)
    for key, value in changes.items():
        assert hasattr(config, key), key
        setattr(config, key, value)
    model, report = auto.from_pretrained(
        folder, config=config, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    lost = {key: report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if report[key]}
    assert not lost, (name, lost)
    model.name_or_path = model.config.name_or_path = name
    return model.eval()


def build(name, config, auto, std):
    """The model with random weights: norms around what leaves x as it is, biases around 0, no two layers alike."""
    config.name_or_path = name
    torch.manual_seed(0)
    model = auto.from_config(config)
    gen = generator("decoder " + name)
    tables = [(key, p) for key, p in model.named_parameters() if any(t in key for t in ("embed_tokens", "wte", "wpe"))]
    heads = [(key, p) for key, p in model.named_parameters() if key in ("lm_head.weight", "score.weight")]
    known = {id(p) for _, p in tables + heads}
    rest = [(key.replace("ln_", "norm_"), p) for key, p in model.named_parameters() if id(p) not in known]
    randomise(rest, gen, std)
    randomise(tables, gen, 0.5)
    randomise(heads, gen, 0.6)
    if config.model_type.startswith("gemma"):  # RMSNorm multiplies by 1 + weight there
        with torch.no_grad():
            for key, p in rest:
                if "norm" in key:
                    p.sub_(1)
    model.tie_weights()
    folder = fresh(ROOT / name)
    model.save_pretrained(folder)


def generate(model, ids, count=NEW_TOKENS):
    """New tokens, and the smallest relative distance of a chosen one from the next best."""
    inputs = torch.tensor([ids])
    with torch.no_grad():
        output = model.generate(
            input_ids=inputs,
            attention_mask=torch.ones_like(inputs),
            do_sample=False,
            max_new_tokens=count,
            pad_token_id=TOKENS["pad_token_id"],
            return_dict_in_generate=True,
            output_logits=True,
        )
    return output.sequences[0, len(ids) :].tolist(), min(margin(logits[0]) for logits in output.logits)


def margin(logits):
    best = logits.topk(2).values
    return float((best[0] - best[1]) / logits.abs().max())


def uncached(model, ids):
    """The same with the whole text at every step; None where it is too close to call."""
    ids, start = list(ids), len(ids)
    while len(ids) < start + NEW_TOKENS:
        last = logits(model, ids)[-1]
        if margin(last) < 1e-3:
            return None
        ids.append(int(last.argmax()))
    return ids[start:]


def hidden(model, ids):
    with torch.no_grad():
        return copy.deepcopy(model.base_model)(input_ids=torch.tensor([ids])).last_hidden_state[0]


def logits(model, ids):
    with torch.no_grad():
        return copy.deepcopy(model)(input_ids=torch.tensor([ids])).logits[0]


def draw(model, gen, length, whole=False, wanted=lambda row: True):
    """A row of that length whose next tokens are beyond doubt. Every other one begins with <s>."""
    for attempt in range(60):
        ids = torch.randint(3, VOCAB, (length,), generator=gen).tolist()
        if length > 1 and length % 2 == 0 or length == 1 and attempt == 0:
            ids[0] = TOKENS["bos_token_id"]
        endless = copy.deepcopy(model)
        endless.generation_config.eos_token_id = None
        greedy, least = generate(endless, ids)
        row = {"ids": ids, "greedy": greedy, "margin": round(least, 6)}
        if whole:
            row["uncached"] = uncached(model, ids)
            if row["uncached"] is None:
                continue
        if least > 1e-3 and len(set(greedy)) > min(2, attempt // 20) and wanted(row):
            return row
    raise AssertionError(f"no row of {length} whose tokens are beyond doubt")


def expect(name, lengths=LENGTHS, whole=False, feels=()):
    """Rows and what is expected of them. feels: changes of the config, each of which must move the logits."""
    model, gen = read(name), generator("decoder rows " + name)
    rows = [draw(model, gen, length, whole) for length in lengths]
    tensors = {}
    for i, row in enumerate(rows):
        tensors[f"logits.{i}"] = logits(model, row["ids"])
        tensors[f"hidden.{i}"] = hidden(model, row["ids"])
    longest = max(range(len(rows)), key=lambda i: len(rows[i]["ids"]))
    for change in feels:
        moved = (logits(read(name, **change), rows[longest]["ids"]) - tensors[f"logits.{longest}"]).abs().max()
        assert moved > (0.02 if "activation_function" not in change else 1e-3), (name, change, moved)
    spread = tensors[f"logits.{longest}"].std(0).mean()
    assert spread > 0.3, (name, spread)
    reverse = rows[longest]["ids"][:-1][::-1] + rows[longest]["ids"][-1:]
    moved = (logits(model, reverse)[-1] - tensors[f"logits.{longest}"][-1]).abs().max()
    assert moved > 0.1, (name, "does not feel positions", moved)
    write_rows(ROOT / name / "rows.json", rows)
    write_tensors(ROOT / name / "expected.safetensors", tensors)
    return rows, tensors


def old(name, **changes):
    """config.old.json: the config as transformers 4 wrote it. changes: keys to set, or to drop where None."""
    folder = ROOT / name
    config = json.loads((folder / "config.json").read_text())
    rope = config.pop("rope_parameters")
    if "rope_theta" in rope:
        config["rope_theta"] = rope.pop("rope_theta")
        if "partial_rotary_factor" in rope and config["model_type"] == "phi3":
            config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
        kind = rope.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind, **rope}
        if kind == "llama3":  # came later than "type"
            config["rope_scaling"] = {"rope_type": kind, **rope}
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    config.pop("layer_types", None)
    for key, value in changes.items():
        if value is None:
            config.pop(key, None)
        else:
            config[key] = value
    write_json(folder / "config.old.json", dict(sorted(config.items())))
    expected = read(name)
    kept = (folder / "config.json").read_bytes()
    shutil.copy(folder / "config.old.json", folder / "config.json")
    ids = json.loads((folder / "rows.json").read_text())[-1]["ids"]
    assert torch.equal(logits(read(name), ids), logits(expected, ids)), f"{name}: the old config says something else"
    (folder / "config.json").write_bytes(kept)


def model(name, config, std=0.35, **expectations):
    build(name, config, AutoModelForCausalLM, std)
    rows = expect(name, **expectations)
    if hasattr(config, "rope_parameters") and config.model_type != "gemma3_text":
        old(name)
    return rows


def gpt2():
    sizes = {"n_embd": 25, "n_head": 5, "n_layer": 2, "n_positions": 53, **TOKENS}
    assert GPT2Config().activation_function == "gelu_new"
    model("gpt2", GPT2Config(**sizes), feels=[{"scale_attn_weights": False}, {"activation_function": "gelu"}])
    inner = {**sizes, "n_embd": 21, "n_head": 3, "n_layer": 3, "n_inner": 37}
    config = GPT2Config(**inner, scale_attn_by_inverse_layer_idx=True, layer_norm_epsilon=1e-3)
    off = [{"scale_attn_by_inverse_layer_idx": False}, {"layer_norm_epsilon": 1e-5}]
    model("gpt2-inner", config, feels=off)


def llama():
    sizes = {
        "hidden_size": 24,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
        "intermediate_size": 41,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        **TOKENS,
    }
    small = {**sizes, "num_key_value_heads": 3, "intermediate_size": 37}
    wide = {**sizes, "hidden_size": 28, "num_attention_heads": 4, "intermediate_size": 33, "head_dim": 8}
    plain = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}

    def rope(kind, theta=10000.0, **more):
        return {"rope_type": kind, "rope_theta": theta, **more}

    model("llama", LlamaConfig(**sizes), feels=[{"rms_norm_eps": 0.1}])
    model("llama-bias", LlamaConfig(**small, attention_bias=True, mlp_bias=True, tie_word_embeddings=True))
    config = LlamaConfig(**{**small, "hidden_size": 30, "head_dim": 8}, rope_parameters=rope("default", 500.0))
    model("llama-headdim", config, feels=[plain])
    model("llama-linear", LlamaConfig(**small, rope_parameters=rope("linear", factor=2.5)), feels=[plain])
    # Rows on both sides of 16 and on it; all but the shortest cross it while they generate.
    lengths = [7, 1, 16, 17, 25, 4]
    dynamic = LlamaConfig(**{**wide, "max_position_embeddings": 16}, rope_parameters=rope("dynamic", factor=3.0))
    model("llama-dynamic", dynamic, lengths=lengths, whole=True, feels=[plain])
    # Wavelengths 6.3, 19.9, 62.8 and 199: one below 16, two between, one above 64.
    bands = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    config = LlamaConfig(**{**wide, "max_position_embeddings": 512}, rope_parameters=rope("llama3", 100.0, **bands))
    model("llama3", config, feels=[{"rope_parameters": rope("default", 100.0)}])
    yarn = rope("yarn", factor=4.0, original_max_position_embeddings=64)
    config = LlamaConfig(**{**wide, "max_position_embeddings": 256}, rope_parameters=yarn)
    scaled = {**yarn, "attention_factor": 1.0}
    model("llama-yarn", config, feels=[plain, {"rope_parameters": scaled}])
    betas = {"beta_fast": 4.0, "beta_slow": 0.5, "mscale": 0.8, "mscale_all_dim": 0.3, "truncate": False}
    yarn = rope("yarn", 1000.0, factor=4.0, original_max_position_embeddings=32, **betas)
    config = LlamaConfig(**{**wide, "head_dim": 12, "max_position_embeddings": 128}, rope_parameters=yarn)
    without = [{k: v for k, v in yarn.items() if not k.startswith(prefix)} for prefix in ("beta", "mscale", "truncate")]
    model("llama-yarn-mscale", config, feels=[{"rope_parameters": other} for other in without])

    name = "llama-old"
    config = LlamaConfig(**sizes, rope_parameters=rope("linear", 5000.0, factor=4.0), attention_bias=True)
    build(name, config, AutoModelForCausalLM, 0.35)
    expect(name, lengths=[7, 1, 13, 4, 21])
    old(name, head_dim=None, pad_token_id=None)
    (ROOT / name / "config.old.json").replace(ROOT / name / "config.json")
    expect(name, lengths=[7, 1, 13, 4, 21])


def mistral():
    sizes = {
        "hidden_size": 24,
        "num_attention_heads": 6,
        "num_key_value_heads": 3,
        "num_hidden_layers": 3,
        "head_dim": 6,
        "intermediate_size": 31,
        "max_position_embeddings": 64,
        **TOKENS,
    }
    model("mistral", MistralConfig(**sizes, sliding_window=5), feels=[{"sliding_window": w} for w in (None, 4, 6)])
    full = {**sizes, "hidden_size": 20, "num_attention_heads": 5, "num_key_value_heads": 1, "num_hidden_layers": 2}
    full.pop("head_dim")
    model("mistral-full", MistralConfig(**full, sliding_window=None))


def qwen():
    sizes = {
        "hidden_size": 24,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
        "intermediate_size": 37,
        "max_position_embeddings": 64,
        **TOKENS,
    }
    model("qwen2", Qwen2Config(**sizes, tie_word_embeddings=True))
    sliding = {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}
    config = Qwen2Config(**{**sizes, "num_hidden_layers": 3}, **sliding)
    assert config.layer_types == ["full_attention", "sliding_attention", "sliding_attention"]
    kinds = [["full_attention"] * 3, ["sliding_attention"] * 3]
    windows = [{"sliding_window": 5}, {"sliding_window": 3}]
    model("qwen2-sliding", config, feels=[*({"layer_types": k} for k in kinds), *windows])
    rope = {"rope_type": "default", "rope_theta": 1000.0}
    config = Qwen3Config(**{**sizes, "hidden_size": 30}, head_dim=8, rope_parameters=rope)
    model("qwen3", config)


def gemma():
    sizes = {
        "hidden_size": 24,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 3,
        "head_dim": 8,
        "intermediate_size": 35,
        "max_position_embeddings": 64,
        "query_pre_attn_scalar": 5,
        **TOKENS,
    }
    caps = {"attn_logit_softcapping": 3.0, "final_logit_softcapping": 7.0}
    config = Gemma2Config(**sizes, **caps, sliding_window=5)
    assert config.layer_types == ["sliding_attention", "full_attention", "sliding_attention"]
    feels = [{"query_pre_attn_scalar": 8}, {"sliding_window": 6}, {"sliding_window": 4}]
    feels += [{key: None} for key in caps] + [{"layer_types": ["full_attention"] * 3}]
    model("gemma2", config, feels=feels)

    rope = {
        "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        "full_attention": {"rope_type": "linear", "rope_theta": 2000.0, "factor": 3.0},
    }
    sizes.update(num_hidden_layers=4, intermediate_size=25)
    config = Gemma3TextConfig(**sizes, sliding_window=5, sliding_window_pattern=3, rope_parameters=rope)
    assert config.layer_types == ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    feels = [{"query_pre_attn_scalar": 8}, {"sliding_window": 6}, {"layer_types": ["sliding_attention"] * 4}]
    same = {"rope_type": "default", "rope_theta": 100.0}
    feels += [{"rope_parameters": {**rope, kind: {**rope[kind], "rope_theta": 10000.0}}} for kind in rope]
    feels += [{"rope_parameters": {**rope, "full_attention": {"rope_type": "default", "rope_theta": 2000.0}}}]
    feels += [{"rope_parameters": {kind: same for kind in rope}}]
    model("gemma3_text", config, feels=feels)
    frequencies = {"rope_theta": 2000.0, "rope_local_base_freq": 100.0}
    scaling = {"rope_type": "linear", "factor": 3.0}
    old("gemma3_text", **frequencies, rope_scaling=scaling, sliding_window_pattern=3, _sliding_window_pattern=None)


def phi():
    grouped = {
        "hidden_size": 24,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
        "intermediate_size": 37,
        "max_position_embeddings": 64,
        **TOKENS,
    }
    wide = {**grouped, "hidden_size": 30, "num_attention_heads": 5, "num_key_value_heads": 1}
    windows = [{"sliding_window": w} for w in (None, 5, 7)]
    model("phi3", Phi3Config(**wide, sliding_window=6), feels=windows)

    factors = {"short_factor": [1.0, 1.3, 1.9], "long_factor": [2.1, 3.7, 6.3]}
    longrope = {"rope_type": "longrope", "rope_theta": 10000.0, **factors}
    config = Phi3Config(**grouped, original_max_position_embeddings=18, rope_parameters=longrope)
    swapped = {"short_factor": factors["long_factor"], "long_factor": factors["short_factor"]}
    rope = config.rope_parameters
    feels = [{"rope_parameters": {**rope, **swapped}}, {"rope_parameters": {**rope, "attention_factor": 1.0}}]
    # 4 and 1 stay short, 19 and 25 are long from the start, 13 crosses, 18 is short and crosses at once.
    rows, _ = model("phi3-longrope", config, lengths=[4, 1, 13, 18, 19, 25], whole=True, feels=feels)
    partial = {"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.5}
    config = Phi3Config(**{**grouped, "hidden_size": 32, "intermediate_size": 31}, rope_parameters=partial)
    model("phi3-partial", config, feels=[{"rope_parameters": {**partial, "partial_rotary_factor": 1.0}}])


def sequence(name, config, lengths=(7, 3, 15, 1, 10, 6)):
    """Scores at the last token that is not the pad token, whatever the mask says of it."""
    config.id2label = dict(enumerate(("negative", "neutral", "positive")))
    config.label2id = {label: i for i, label in config.id2label.items()}
    build(name, config, AutoModelForSequenceClassification, 0.35)
    model, gen = read(name, AutoModelForSequenceClassification), generator("decoder rows " + name)
    pad = TOKENS["pad_token_id"]
    n, t = len(lengths), max(lengths)
    mask = (torch.arange(t)[None] < torch.tensor(lengths)[:, None]).long()
    tensors = {"attention_mask": mask, "scores": torch.zeros(n, 3)}
    with torch.no_grad():
        while len(set(tensors["scores"].argmax(-1).tolist())) < 3 or min(map(margin, tensors["scores"])) < 0.02:
            ids = torch.where(mask == 1, torch.randint(3, VOCAB, (n, t), generator=gen), pad)
            ids[0, 4] = pad  # inside a text
            ids[4, 9] = pad  # a text that ends in one: its score is read one before
            tensors.update(input_ids=ids, scores=copy.deepcopy(model)(input_ids=ids, attention_mask=mask).logits)
        for i, length in enumerate(lengths):
            alone = copy.deepcopy(model)(input_ids=ids[i : i + 1, :length]).logits[0]
            assert torch.allclose(alone, tensors["scores"][i], atol=1e-5), (name, i)
    rows = [{"ids": ids[i, :length].tolist()} for i, length in enumerate(lengths)]
    write_rows(ROOT / name / "rows.json", rows)
    write_tensors(ROOT / name / "expected.safetensors", tensors)


def sequences():
    sizes = {"hidden_size": 24, "num_attention_heads": 6, "num_hidden_layers": 2, "max_position_embeddings": 64}
    small = {**sizes, "intermediate_size": 33, **TOKENS}
    sequence("llama-seq", LlamaConfig(**small, num_key_value_heads=3))
    sequence("qwen2-seq", Qwen2Config(**small, num_key_value_heads=2))
    sequence("gpt2-seq", GPT2Config(n_embd=25, n_head=5, n_layer=2, n_positions=40, **TOKENS))


def main():
    tokenizer()
    gpt2()
    llama()
    mistral()
    qwen()
    gemma()
    phi()
    sequences()


if __name__ == "__main__":
    main()
