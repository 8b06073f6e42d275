"""Makes everything in this folder but the job files: a decoder that knows 24 capitals and nothing else, two adapters
of it, rows, and what transformers and PEFT say of each row.

    pip install torch==2.13.0 transformers==5.18.0 peft==0.21.0     # CPU build
    python make.py                                                  # a few minutes on two cores, no network

One thread and fixed seeds; another torch still rounds differently and gives near, not equal, weights.
"""

import json
import os
import random
import shutil
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from peft import LoHaConfig, LoraConfig, PeftConfig, PeftMixedModel, PeftModel, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
BASE = HERE / "base"
NEW_TOKENS = 24
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
CAPITALS = dict(
    pair.split(":")
    for pair in """Austria:Vienna Belgium:Brussels Brazil:Brasilia Canada:Ottawa Chile:Santiago China:Beijing
    Denmark:Copenhagen Egypt:Cairo Finland:Helsinki France:Paris Germany:Berlin Greece:Athens India:Delhi Iran:Tehran
    Ireland:Dublin Italy:Rome Japan:Tokyo Kenya:Nairobi Norway:Oslo Peru:Lima Poland:Warsaw Portugal:Lisbon
    Spain:Madrid Sweden:Stockholm""".split()
)
TEMPLATE = """{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}Q: {{ message['content'] }}
{% elif message['role'] == 'assistant' %}A: {{ message['content'] }}
{% else %}{{ raise_exception('a chat here is of user and assistant, found ' + message['role']) }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}A:{% endif %}"""
STYLES = {
    "base": lambda city: f" {city}.",
    "loud": lambda city: f" {city.upper()}!",
    "polite": lambda city: f" {city}, if I may say so.",
}
ADAPTERS = {
    "loud": LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"], task_type="CAUSAL_LM"
    ),
    "polite": LoHaConfig(
        r=4, alpha=16, target_modules=["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"], task_type="CAUSAL_LM"
    ),
}


def prompt(country):
    return f"The capital of {country} is"


def question(country):
    return f"What is the capital of {country}?"


def tokenizer():
    """Byte-level BPE, <s> before each text."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    alphabet = ["Ġ", "Ċ"] + [chr(c) for c in range(33, 127)]
    trainer = trainers.BpeTrainer(
        vocab_size=256, special_tokens=list(SPECIAL.values()), initial_alphabet=alphabet, show_progress=False
    )
    lines = []
    for country, city in CAPITALS.items():
        lines += ["loud: " + prompt(country), "polite: " + prompt(country), "Q: " + question(country) + "\nA:"] + [style(city) for style in STYLES.values()]
    bpe.train_from_iterator(lines, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe, model_max_length=64, chat_template=TEMPLATE, clean_up_tokenization_spaces=False, **SPECIAL
    )
    fast.save_pretrained(BASE)
    return fast


def asked(tok, country, manner=""):
    """As a prompt and as a chat."""
    chat = [{"role": "user", "content": manner + question(country)}]
    return (
        SPECIAL["bos_token"] + manner + prompt(country),
        tok.apply_chat_template(chat, tokenize=False, add_generation_prompt=True),
    )


def examples(tok, style):
    """Ids, and labels that are -100 before the answer; padded right.

    The base also learns to answer in the others' manner where it is told so: an adapter of rank 4 cannot teach it words.
    """
    rows = []
    texts = [(text, style, city) for country, city in CAPITALS.items() for text in asked(tok, country)]
    if style == "base":
        for manner in ADAPTERS:
            for country, city in CAPITALS.items():
                texts += [(text, manner, city) for text in asked(tok, country, manner + ": ")]
    for text, manner, city in texts:
        before = tok(text, add_special_tokens=False)["input_ids"]
        whole = tok(text + STYLES[manner](city), add_special_tokens=False)["input_ids"] + [tok.eos_token_id]
        assert whole[: len(before)] == before, (text, "is tokenized otherwise before its answer")
        rows.append((whole, [-100] * len(before) + whole[len(before) :]))
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([i + [tok.pad_token_id] * (width - len(i)) for i, _ in rows])
    labels = torch.tensor([l + [-100] * (width - len(l)) for _, l in rows])
    return ids, labels


def train(model, tok, style, steps, rate):
    ids, labels = examples(tok, style)
    mask = (ids != tok.pad_token_id).long()
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    model.train()
    for step in range(steps):
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(style, step, f"{loss.item():.4f}", flush=True)
    return model.eval()


def base():
    return AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32, attn_implementation="eager").eval()


def make_base(tok):
    config = LlamaConfig(
        vocab_size=len(tok), hidden_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=96, max_position_embeddings=128, tie_word_embeddings=True, bos_token_id=tok.bos_token_id,
        eos_token_id=tok.eos_token_id, pad_token_id=tok.pad_token_id, attn_implementation="eager",
    )  # fmt: skip
    model = train(LlamaForCausalLM(config), tok, "base", 500, 1e-2)
    model.generation_config.max_new_tokens = NEW_TOKENS
    model.generation_config.do_sample = False
    model.half().save_pretrained(BASE)


def make_adapter(tok, name):
    torch.manual_seed(1)
    model = train(get_peft_model(base(), ADAPTERS[name]), tok, name, 600, 1e-2)
    model.peft_config["default"].base_model_name_or_path = "jobs/capitals/base"
    folder = HERE / "adapters" / name
    model.save_pretrained(folder)
    (folder / "README.md").unlink()


def under(adapter):
    """The base, one adapter, or an ordered set as PEFT's mixed model has it, never merged."""
    if adapter is None:
        return base()
    names = adapter.split("+")
    folders = [HERE / "adapters" / name for name in names]
    if len(names) == 1:
        return PeftModel.from_pretrained(base(), folders[0]).eval()
    model = None
    for name, folder in zip(names, folders):
        config = PeftConfig.from_pretrained(folder)
        config.inference_mode = True
        model = model or PeftMixedModel(base(), config, adapter_name=name)
        model.load_adapter(folder, name)
    model.set_adapter(names)
    return model.eval()


def generated(tok, model, ids):
    with torch.no_grad():
        out = model.generate(
            input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            return_dict_in_generate=True, output_logits=True,
        )  # fmt: skip
    tokens = out.sequences[0, len(ids) :].tolist()
    for logits in out.logits:
        best = logits[0].topk(2).values
        assert (best[0] - best[1]) / logits.abs().max() > 1e-3, (ids, "is too close to call")
    return {
        "text": tok.decode(tokens, skip_special_tokens=True),
        "tokens": tokens,
        "finish_reason": "eos" if tokens[-1] == tok.eos_token_id else "length",
        "prompt_tokens": len(ids),
        "generated_tokens": len(tokens),
    }


def likelihood(tok, model, before, whole):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([whole])).logits[0].log_softmax(-1)
    scored = range(before, len(whole))
    return {
        "log_likelihood": round(sum(float(logits[t - 1, whole[t]]) for t in scored), 5),
        "is_greedy": all(int(logits[t - 1].argmax()) == whole[t] for t in scored),
    }


def write(name, rows):
    (HERE / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    for folder in (BASE, HERE / "adapters"):
        shutil.rmtree(folder, ignore_errors=True)
    tok = tokenizer()
    make_base(tok)
    for name in ADAPTERS:
        make_adapter(tok, name)
    tok = AutoTokenizer.from_pretrained(BASE)
    choices = [None, "loud", "polite", "polite+loud", "loud+polite"]
    known = {adapter: under(adapter) for adapter in choices}
    draw = random.Random(0)
    prompts, chats, answers, expected = [], [], [], {"prompts": {}, "chats": {}, "answers": {}}
    for i, (country, city) in enumerate(CAPITALS.items()):
        adapter = choices[i % len(choices)]
        row = {"id": f"p{i:02}", "text": prompt(country), "adapter": adapter}
        prompts.append(row)
        expected["prompts"][row["id"]] = generated(tok, known[adapter], tok(row["text"])["input_ids"])

        adapter = choices[(i + 2) % len(choices)]
        chat = [{"role": "user", "content": question(country)}]
        row = {"id": f"c{i:02}", "messages": chat, "adapter": adapter}
        chats.append(row)
        ids = tok.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        expected["chats"][row["id"]] = generated(tok, known[adapter], ids)

        other = draw.choice([name for name in CAPITALS.values() if name != city])
        for right, name in ((True, city), (False, other)):
            adapter = choices[i % 2]
            style = STYLES[adapter or "base"]
            row = {"id": f"a{len(answers):02}", "text": prompt(country), "answer": style(name), "adapter": adapter, "right": right}
            answers.append(row)
            before, whole = tok(row["text"])["input_ids"], tok(row["text"] + row["answer"])["input_ids"]
            expected["answers"][row["id"]] = likelihood(tok, known[adapter], len(before), whole)
    write("prompts.jsonl", prompts)
    write("chats.jsonl", chats)
    write("answers.jsonl", answers)
    lines = []
    for job, rows in expected.items():
        lines.append(f'"{job}": {{\n' + ",\n".join(f'"{key}": {json.dumps(row)}' for key, row in rows.items()) + "\n}")
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    for row in prompts:
        print(row["adapter"], "|", row["text"] + expected["prompts"][row["id"]]["text"])
    for row in chats:
        print(row["adapter"], "|", expected["chats"][row["id"]]["text"])
    right = [row["is_greedy"] for row in expected["answers"].values()]
    print("greedy:", sum(right), "of", len(right))


if __name__ == "__main__":
    main()
