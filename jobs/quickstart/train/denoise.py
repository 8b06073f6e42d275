"""Trains `typos`, `chat` and `leet` with PEFT, after the adapters of train.py, whose weights it needs:

    python denoise.py --base FOLDER --data FOLDER [adapter ...]

Distillation without labels: the hidden states of a noised text under the adapter become those of the clean text without
it. That is asked of the base alone and, in turn, of the base with each of TASKS merged into its weights, so that a task's
head finds in a noised text what it found in a clean one. The adapters bring no head and stand beside any that does.
"""

import argparse
import os
import random
import time

import torch
from peft import LoHaConfig, LoKrConfig, OFTConfig, PeftModel, get_peft_model
from torch.nn import functional
from transformers import AutoModel

import data
import noise
import train

TASKS = ["tickets", "spam", "language", None]  # None: the base alone, on passages of `era`
TEXTS = 768  # of each, from the side that it is trained on
CHARACTERS = 90  # of a text before it is noised
CLEAN = 0.2  # of the rows stay clean: an adapter leaves them alone
LINEAR = ["query", "key", "value", "output.dense", "intermediate.dense"]

# name: (configuration, dtype on disk, steps, learning rate)
RECIPES = {
    "typos": (
        LoHaConfig(r=4, alpha=8, target_modules=LINEAR, layers_to_transform=[0, 1, 2], layers_pattern="layer"),
        torch.float16, 300, 1e-2,
    ),
    "chat": (
        LoKrConfig(r=16, alpha=32, decompose_factor=4, target_modules=LINEAR),
        torch.float16, 300, 1e-2,
    ),
    "leet": (OFTConfig(oft_block_size=16, target_modules=LINEAR), torch.float16, 300, 2e-3),
}  # fmt: skip


class Teacher:
    """A task's model (or the base) and what it makes of clean texts: `first` [n, h], `mean` [n, h], `logits` [n, labels]."""

    @torch.no_grad()
    def __init__(self, task, args, tokens, rng):
        labels, rows, _ = getattr(data, task or "era")(args.data)
        self.texts = sorted((data._cut(text, CHARACTERS) for text, _ in rng.sample(rows, TEXTS)), key=len)
        if task:
            model = PeftModel.from_pretrained(train.base_model(task, args.base, labels), os.path.join(train.ADAPTERS, task))
            model = model.merge_and_unload().eval()
            self.encoder, self.classifier = model.bert, model.classifier
        else:
            self.encoder, self.classifier = AutoModel.from_pretrained(args.base, add_pooling_layer=False).eval(), None
        seen = []
        for start in range(0, TEXTS, 32):
            ids, mask = train.batch([tokens.encode(text) for text in self.texts[start : start + 32]])
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            seen.append((hidden[:, 0], train.mean_pool(hidden, mask), self.head(hidden)))
        self.first, self.mean, self.logits = (torch.cat(part) for part in zip(*seen))

    def head(self, hidden):
        return self.classifier(self.encoder.pooler(hidden)) if self.classifier else hidden.new_zeros(len(hidden), 1)

    def lend_weights(self, model):
        """Puts this teacher's weights under the adapter; an OFT adapter then stands around the task's change."""
        own = dict(self.encoder.named_modules())
        for name, module in model.base_model.model.named_modules():
            if name.endswith(".base_layer"):
                module.weight.data = own[name.removesuffix(".base_layer")].weight.data

    def loss(self, model, kind, at, tokens, rng):
        noised = [t if rng.random() < CLEAN else noise.noised(kind, t, rng) for t in (self.texts[i] for i in at)]
        ids, mask = train.batch([tokens.encode(text) for text in noised])
        self.lend_weights(model)
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        spread = (self.first[at] - self.first.mean(0)).square().sum()
        first = (hidden[:, 0] - self.first[at]).square().sum() / spread
        mean = 1 - (train.mean_pool(hidden, mask) * self.mean[at]).sum(-1).mean()
        logits, wanted = self.head(hidden).log_softmax(-1), self.logits[at].softmax(-1)
        return first + mean + functional.kl_div(logits, wanted, reduction="batchmean")


def denoise(name, args):
    config, dtype, steps, rate = RECIPES[name]
    config.task_type = "FEATURE_EXTRACTION"
    torch.manual_seed(data.SEED)
    rng = random.Random(data.SEED)
    tokens = train.tokenizer(args.base)
    teachers = [Teacher(task, args, tokens, rng) for task in TASKS]
    model = get_peft_model(AutoModel.from_pretrained(args.base, add_pooling_layer=False), config)
    model.print_trainable_parameters()
    model.eval()  # the adapters have no dropout, and the base's own would only blur what is aimed at
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.1)
    started, losses = time.time(), []
    for step in range(1, steps + 1):
        start = rng.randrange(TEXTS - 95)  # 32 of 96 neighbours of like length
        at = sorted(rng.sample(range(start, start + 96), 32))
        loss = teachers[step % len(teachers)].loss(model, name, at, tokens, rng)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % 20 == 0:
            mean = sum(losses[-20:]) / 20
            print(f"{name}: step {step}/{steps}, loss {mean:.4f}, {time.time() - started:.0f} s", flush=True)
    train.save(name, model, dtype, [])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for adapter in args.names or RECIPES:
        denoise(adapter, args)
