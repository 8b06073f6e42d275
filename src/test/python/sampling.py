"""What transformers makes of logits, and of generation_config.json, before it chooses a token.

All in fixtures/sampling.
cases.json: what a draw is asked for, one case a line. scores.safetensors: "logits" [n, v], n rows with and without ties;
"ids" [n, t], what each row has so far; for case I "probabilities.I" [n, v], softmax of the scores that generate's own list
of processors leaves, and -1 for what they remove.
generate.safetensors and generate.json: model.generate of a tiny GPT-2, greedy with processors: raw logits of every step
and the tokens.
settings.json: generation_config.json and config.json as they may be, and what generate takes from them.
keys.json: every key of a GenerationConfig, and what stands for null in it.
decoded.json: tokens and their text, from each tokenizer. llama/: a tokenizer that drops the first blank of a text and has
tokens for single bytes.
"""

import json
import random
import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from common import FIXTURES, fresh, generator, write_json, write_tensors

FOLDER = FIXTURES / "sampling"
VOCABULARY = 151

DRAWN = [
    {"top_k": 0},
    {},
    {"temperature": 0.7, "top_k": 0},
    {"temperature": 3.0, "top_k": 0},
    {"temperature": 0.05, "top_k": 0},
    {"top_k": 1},
    {"top_k": 5},
    {"top_k": 150},
    {"top_k": 151},
    {"top_k": 1000},
    {"top_k": 0, "top_p": 0.1},
    {"top_k": 0, "top_p": 0.5},
    {"top_k": 0, "top_p": 0.7},
    {"top_k": 0, "top_p": 0.9},
    {"top_k": 0, "top_p": 0.999},
    {"top_k": 0, "top_p": 1e-9},
    {"top_k": 0, "top_p": 1.0},
    {"top_k": 0, "min_p": 0.0},
    {"top_k": 0, "min_p": 0.05},
    {"top_k": 0, "min_p": 0.5},
    {"top_k": 0, "min_p": 1.0},
    {"top_k": 0, "repetition_penalty": 1.3},
    {"top_k": 0, "repetition_penalty": 0.8},
    {"top_k": 20, "top_p": 0.8},
    {"top_k": 20, "min_p": 0.1},
    {"top_k": 0, "top_p": 0.8, "min_p": 0.1},
    {"top_k": 0, "temperature": 1.7, "top_p": 0.8},
    {"top_k": 0, "temperature": 0.6, "min_p": 0.2},
    {"temperature": 0.8, "top_k": 30, "top_p": 0.95, "min_p": 0.02, "repetition_penalty": 1.2},
    {"temperature": 1.4, "top_k": 7, "top_p": 0.6, "min_p": 0.3, "repetition_penalty": 1.1},
    {"top_k": 0, "min_new_tokens": 3, "eos_token_id": [7, 9]},
    {"top_k": 10, "min_new_tokens": 3, "eos_token_id": 7, "repetition_penalty": 1.5},
]  # fmt: skip


def tiny():
    torch.manual_seed(3)
    config = GPT2Config(vocab_size=VOCABULARY, n_positions=64, n_embd=16, n_layer=2, n_head=2, eos_token_id=None)
    return GPT2LMHeadModel(config).eval()


def rows():
    """Logits of n rows: smooth ones, peaked ones, ones with many ties, equal ones, some that cannot be."""
    gen = generator("sampling")
    normal = torch.randn(14, VOCABULARY, generator=gen)
    logits = normal.clone()
    logits[2:4] *= 4
    logits[4] *= 12
    logits[5:7] = torch.round(logits[5:7] * 2) / 2
    logits[7] = torch.round(logits[7])
    logits[8] = 0.0
    logits[9] = torch.where(logits[9] > 0, 1.5, -1.5)
    logits[10, 10:] = -torch.inf
    logits[10, :10] = 2.0
    logits[11, :] = -torch.inf
    logits[11, 42] = -3.0
    logits[12] = logits[12] * 0.01 + 30
    logits[13] = torch.where(logits[13] > 1, 0.0, -0.0)
    ids = torch.randint(0, VOCABULARY, (14, 9), generator=gen)
    ids[:, 3] = ids[:, 0]
    ids[11, 0] = 42
    return logits, ids


def processed(model, params, logits, ids):
    config, _ = model._prepare_generation_config(None, do_sample=True, **params)
    model._prepare_special_tokens(config, device="cpu")
    processors = model._get_logits_processor(
        config, input_ids_seq_length=ids.shape[1] - 2, encoder_input_ids=ids, logits_processor=[], device="cpu"
    )
    # torch's order of equal numbers is another one on another CPU, so at top-p's border; a stable one is one of them
    with mock.patch("torch.sort", partial(torch.sort, stable=True)):
        scores = processors(ids, logits.clone())
    return torch.where(scores == -torch.inf, -1.0, torch.softmax(scores, dim=-1))


def scores():
    model = tiny()
    logits, ids = rows()
    tensors = {"logits": logits, "ids": ids.float()}
    for i, params in enumerate(DRAWN):
        tensors[f"probabilities.{i}"] = processed(model, params, logits, ids)
    write_tensors(FOLDER / "scores.safetensors", tensors)
    (FOLDER / "cases.json").write_text("[\n" + ",\n".join(json.dumps(params) for params in DRAWN) + "\n]\n")


GREEDY = [
    {"max_new_tokens": 12},
    {"max_new_tokens": 12, "repetition_penalty": 1.3},
    {"max_new_tokens": 12, "repetition_penalty": 0.7},
    {"max_new_tokens": 12, "temperature": 0.5, "top_k": 3},
    {"max_length": 13},
    {"max_new_tokens": 12, "eos": 0},
    {"max_new_tokens": 12, "eos": 0, "min_new_tokens": 6},
    {"max_new_tokens": 12, "eos": 3, "repetition_penalty": 1.2},
    {"max_new_tokens": 12, "eos": 3, "min_new_tokens": 6, "repetition_penalty": 1.2},
]


def generate():
    model = tiny()
    for parameter in model.parameters():
        parameter.data.mul_(4)
    prompt = torch.tensor([[5, 17, 17, 140, 2]])
    plain = model.generate(prompt, max_new_tokens=12, do_sample=False, repetition_penalty=1.2, pad_token_id=0)[0, 5:]
    tensors, cases = {}, []
    for i, params in enumerate(GREEDY):
        params = dict(params)
        if "eos" in params:  # a token that greedy comes to
            params["eos_token_id"] = [150, int(plain[params.pop("eos")])]
        result = model.generate(
            prompt, do_sample=False, pad_token_id=0, return_dict_in_generate=True, output_logits=True, **params
        )
        tensors[f"logits.{i}"] = torch.cat(result.logits)
        cases.append({"generation_config": params, "tokens": result.sequences[0, 5:].tolist()})
    write_tensors(FOLDER / "generate.safetensors", tensors)
    lines = ",\n".join(json.dumps(case) for case in cases)
    (FOLDER / "generate.json").write_text(f'{{"prompt": {prompt[0].tolist()}, "cases": [\n{lines}\n]}}\n')


SETTINGS = [
    (None, {}),
    (None, {"eos_token_id": 5}),
    (None, {"eos_token_id": [5, 6], "do_sample": True, "top_k": 7, "temperature": 0.5, "max_length": 9}),
    (None, {"repetition_penalty": 1.5, "top_p": 0.5, "min_length": 0, "num_beams": 1, "typical_p": 1.0}),
    (None, {"task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}}),
    ({}, {"eos_token_id": 5}),
    ({"do_sample": True}, {}),
    ({"do_sample": True, "top_k": None, "temperature": None}, {}),
    ({"do_sample": True, "top_k": 0}, {}),
    ({"do_sample": True, "top_k": 20, "top_p": 0.8, "temperature": 0.7, "repetition_penalty": 1.05}, {}),
    ({"do_sample": True, "min_p": 0.1, "eos_token_id": [1, 2]}, {}),
    ({"do_sample": False, "temperature": 0.7, "eos_token_id": 2}, {}),
    ({"max_new_tokens": 30}, {}),
    ({"max_length": 40}, {"max_length": 50}),
    ({"max_length": 40, "max_new_tokens": 30}, {}),
]


def settings():
    cases = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny().save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text())
        for file, keys in SETTINGS:
            write_json(folder / "config.json", config | keys)
            (folder / "generation_config.json").unlink(missing_ok=True)
            if file is not None:
                write_json(folder / "generation_config.json", file)
            model = AutoModelForCausalLM.from_pretrained(folder)
            found, _ = model._prepare_generation_config(None)
            names = ("do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "eos_token_id")
            expected = {key: getattr(found, key) for key in names + ("max_new_tokens",)}
            expected["max_length"] = model.generation_config.max_length  # without generate's own default, 20 more
            cases.append({"generation_config": file, "config": keys, "expected": expected})
    lines = ",\n".join(json.dumps(case) for case in cases)
    (FOLDER / "settings.json").write_text(f"[\n{lines}\n]\n")


def keys():
    known = GenerationConfig().to_dict() | GenerationConfig._get_default_generation_params()
    write_json(FOLDER / "keys.json", {key: known[key] for key in sorted(known)})


def llama():
    """Llama 2's kind: blanks as U+2581, single bytes as tokens, a decoder that drops the first blank."""
    special = ["<unk>", "<s>", "</s>"]
    words = ["\u2581the", "\u2581fox", "\u2581", "###", "\n\n", "User", "\u2581User", ":", "e", "r", "\u00e9", "\u4e2d", ".\n"]
    vocab = {piece: i for i, piece in enumerate(special + [f"<0x{i:02X}>" for i in range(256)] + words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    folder = fresh(FOLDER / "llama")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)


def decoded():
    draw = random.Random(5)
    result = {}
    for name in ("sampling/llama", "models/roberta", "models/xlm-roberta-token", "models/bert", "models/camembert"):
        tokenizer = AutoTokenizer.from_pretrained(FIXTURES / name)
        size = len(tokenizer)
        drawn = [draw.choices(range(size), k=n) for n in [0, 1, 1, 1, 2, 2, 3, 3, 5, 8, 13, 21, 34] for _ in range(3)]
        for text in ("The fox \u4e2d \U0001f600 \u00e9t\u00e9.", " don't  they ? \n\nUser: ok , no .", "\u043b\u0438\u0441\u0430"):
            ids = tokenizer(text)["input_ids"]
            drawn += [ids] + [ids[i:j] for i in range(3) for j in range(i + 1, len(ids), 3)]
        result[name] = [
            {"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)}
            for ids in drawn
        ]
    lines = ",\n".join(
        f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]" for name, cases in result.items()
    )
    (FOLDER / "decoded.json").write_text("{\n" + lines + "\n}\n")


def main():
    fresh(FOLDER)
    scores()
    generate()
    settings()
    keys()
    llama()
    decoded()


if __name__ == "__main__":
    main()
