"""What PEFT's configs are made of.

peft_types.json: the name of every type of adapter. adapter_config_keys.json: for each type that Medley runs, every
field of its config class with its default, and the keys that PEFT writes.
"""

import dataclasses
import enum
import json
import tempfile
from pathlib import Path

from peft import PeftType
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

from common import FIXTURES, write_json

RUN = ["LORA", "LOHA", "LOKR", "OFT", "SHIRA", "ADALORA", "IA3", "ROAD", "VERA", "LN_TUNING", "TRAINABLE_TOKENS"]
REQUIRED = {"ADALORA": {"total_step": 100}}


def plain(value):
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return sorted(value) if isinstance(value, (set, frozenset)) else value


def keys(name):
    cls = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(name)]
    config = cls(**REQUIRED.get(name, {}))
    fields = {field.name: plain(getattr(config, field.name)) for field in dataclasses.fields(cls)}
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        written = json.loads((Path(folder) / "adapter_config.json").read_text())
    return {"fields": dict(sorted(fields.items())), "written": sorted(written)}


def main():
    write_json(FIXTURES / "peft_types.json", sorted(member.value for member in PeftType))
    write_json(FIXTURES / "adapter_config_keys.json", {name: keys(name) for name in RUN})


if __name__ == "__main__":
    main()
