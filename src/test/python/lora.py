"""Whole models under adapters.

fixtures/models/NAME/adapters/CASE/: the folder PEFT saves, and expected.safetensors: the last hidden_states.L, and
logits or pooler_output where the model class returns them, for every row of NAME/expected.safetensors under it.
fixtures/models/NAME/refused/CASE/: folders that must not load.
fixtures/models/bert-sequence/mixed-batch.{safetensors,json}: one batch, an adapter name per row.
"""

import json

import torch
from peft import (
    AdaLoraConfig,
    BOFTConfig,
    IA3Config,
    KasaConfig,
    LNTuningConfig,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    OFTConfig,
    PeftModel,
    RoadConfig,
    ShiraConfig,
    TrainableTokensConfig,
    VeraConfig,
)
from safetensors.torch import load_file
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    DistilBertForSequenceClassification,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
    RobertaModel,
    XLMRobertaForTokenClassification,
)

import adapters
import models
from common import FIXTURES, forward, generator, write_json, write_tensors


def base(name, cls, **options):
    """The model of that folder, or another head over its encoder."""
    torch.manual_seed(0)
    model = cls.from_pretrained(
        FIXTURES / "models" / name, attn_implementation="eager", ignore_mismatched_sizes=True, **options
    )
    model.name_or_path = model.config.name_or_path = name
    return model


def given(name):
    tensors = load_file(FIXTURES / "models" / name / "expected.safetensors")
    return {key: tensors[key] for key in ("input_ids", "attention_mask", "token_type_ids") if key in tensors}


def results(output):
    last = len(output.hidden_states) - 1
    tensors = {f"hidden_states.{last}": output.hidden_states[-1]}
    for key in ("logits", "pooler_output"):
        if getattr(output, key, None) is not None:
            tensors[key] = output[key]
    return tensors


def case(name, case_name, cls, config, num_labels=None, start=None, edit=None, fit=None, kind=LoraConfig, **saved):
    """Trains, saves, edits, reads back, and keeps what the read one computes; fit(model) may add to that.

    start(model) may change the base before training.
    """
    folder = FIXTURES / "models" / name / "adapters" / case_name
    head = {} if num_labels is None else {"num_labels": num_labels}
    model = base(name, cls, **head)
    if start:
        start(model)
    trained = adapters.train(model, kind(**config), f"{name} {case_name}")
    adapters.save(trained, folder, **saved)
    if edit:
        edit(folder)
    loaded = adapters.load(base(name, cls, **head), folder, **saved)
    inputs = given(name)
    expected = results(forward(loaded, inputs))
    plain = results(forward(base(name, cls, **head), inputs))
    real = inputs["attention_mask"].bool()
    for key, tensor in expected.items():
        moved = (tensor - plain[key]).abs()
        moved = moved[real] if tensor.dim() == 3 else moved
        assert moved.flatten(1).amax(1).min() > 0.01, f"{folder}: some row's {key} does not feel the adapter"
        assert torch.allclose(tensor, results(forward(trained, inputs))[key], atol=1e-6), f"{folder}: {key}"
    if fit:
        expected.update(fit(loaded, inputs))
    write_tensors(folder / "expected.safetensors", expected)


def bert_sequence():
    def bert(case_name, config, **more):
        config = {"task_type": "SEQ_CLS", "r": 5, "lora_alpha": 11, **config}
        case("bert-sequence", case_name, BertForSequenceClassification, config, **more)

    def other(case_name, kind, config, **more):
        config = {"task_type": "SEQ_CLS", "target_modules": ["query", "value"], **config}
        case("bert-sequence", case_name, BertForSequenceClassification, config, kind=kind, **more)

    bert("qv", {"r": 3, "lora_alpha": 7})
    bert("all-linear", {"target_modules": "all-linear"})
    bert("all-linear-untyped", {"target_modules": "all-linear", "task_type": None})  # LoRA on the classifier, too
    bert("rslora", {"use_rslora": True, "target_modules": ["key", "value"]})
    bert(
        "rank-alpha-patterns",
        {
            "target_modules": ["query", "key", "value", "dense"],
            "rank_pattern": {
                "layer.1.attention.self.query": 3,
                r".*\.layer\.0\..*\.value": 7,
                "^bert.encoder.layer.2.attention.self.key": 2,
                "output.dense": 4,
            },
            # Sorted when saved: attention.output.dense is read before output.dense, whatever order it was trained in.
            "alpha_pattern": {"attention.output.dense": 3, "output.dense": 13, "query": 6},
        },
    )
    # A config written by hand is read in its own order: output.dense comes first, also for attention.output.dense.
    unsorted = {
        "rank_pattern": {"output.dense": 4, "attention.output.dense": 2},
        "alpha_pattern": {"output.dense": 13, "attention.output.dense": 3},
    }
    bert(
        "patterns-unsorted",
        {"target_modules": ["query", "dense"], **unsorted},
        edit=lambda folder: edit_config(folder, sort_keys=False, **unsorted),
    )
    bert("lora-bias", {"lora_bias": True, "target_modules": ["query", "dense"]})
    bert("bias-all", {"bias": "all"})
    bert("bias-lora-only", {"bias": "lora_only"})
    bert("embeddings", {"target_modules": ["word_embeddings", "position_embeddings"]})
    bert("some-layers", {"target_modules": ["query", "dense"], "layers_to_transform": [1]})
    bert("regex-targets", {"target_modules": r".*\.layer\.(0|2)\.(attention\.self\.(query|key)|output\.dense)"})
    bert("head-2-labels", {}, num_labels=2)
    bert("head-7-labels", {"target_modules": ["value"]}, num_labels=7)
    bert("pooler-saved", {"modules_to_save": ["pooler", "classifier"]})
    bert("layernorm-saved", {"modules_to_save": ["layer.1.output.LayerNorm", "embeddings.LayerNorm"]})
    bert("embeddings-saved", {"modules_to_save": ["word_embeddings"]})

    def resize(model):
        """New embeddings for the last words, as when a tokenizer was given words; then PEFT saves the table."""
        size = model.config.vocab_size
        model.resize_token_embeddings(size // 4)
        model.resize_token_embeddings(size)

    bert("resized", {}, start=resize, save_embedding_layers=True)
    resized_embeddings = {"target_modules": ["query", "word_embeddings"]}
    bert("resized-targeted", resized_embeddings, start=resize, save_embedding_layers=True)
    bert("resized-saved", {"modules_to_save": ["word_embeddings"]}, start=resize, save_embedding_layers=True)
    bert("dropout", {"lora_dropout": 0.25})
    bert("dora", {"use_dora": True, "target_modules": ["query", "dense"]})
    bert("dora-embeddings", {"use_dora": True, "target_modules": ["word_embeddings", "value"]})
    bert("pissa", {"init_lora_weights": "pissa"})
    bert("olora", {"init_lora_weights": "olora", "use_rslora": True})
    bert("kasa", {"kasa_config": KasaConfig()})
    bert("pissa-dora", {"init_lora_weights": "pissa", "use_dora": True})
    # PEFT itself saves false for a Linear; read as true it warns and goes on as if it were false.
    bert("fan-in-fan-out", {}, edit=lambda folder: edit_config(folder, fan_in_fan_out=True))
    other("loha-qv", LoHaConfig, {"r": 3, "alpha": 7})
    other("lokr-qv", LoKrConfig, {"r": 3, "alpha": 7, "decompose_factor": 3})
    other("oft-qv", OFTConfig, {"oft_block_size": 4})
    other("shira-qv", ShiraConfig, {"r": 3, "random_seed": 7})
    other("adalora-qv", AdaLoraConfig, {"init_r": 4, "target_r": 2, "lora_alpha": 23, "total_step": 100})
    feed_forward = {"target_modules": ["key", "value", "output.dense"], "feedforward_modules": ["output.dense"]}
    other("ia3-feed-forward", IA3Config, feed_forward)
    # Of the three denses only the pooler's has its output scaled.
    ends = {"target_modules": ["pooler.dense", "output.dense", "value"], "feedforward_modules": "bert.encoder.*dense"}
    other("ia3-regex", IA3Config, {**ends, "modules_to_save": ["word_embeddings"]})
    other("road-1", RoadConfig, {"group_size": 4})
    other("road-2", RoadConfig, {"group_size": 14, "variant": "road_2", "target_modules": ["key", "output.dense"]})
    other("road-4", RoadConfig, {"group_size": 2, "variant": "road_4"})
    # Intermediates are wider than the rest: vera_B has rows, and vera_A columns, that not every module takes.
    other("vera-dense", VeraConfig, {"r": 11, "target_modules": ["query", "dense"]})
    other("vera-bias", VeraConfig, {"r": 4, "bias": "vera_only"})
    other("ln-tuning", LNTuningConfig, {"target_modules": ["LayerNorm"]})
    mixed = ["output.LayerNorm", "layer.1.attention.self.query", "pooler.dense", "word_embeddings"]
    other("ln-tuning-any-module", LNTuningConfig, {"target_modules": mixed})
    table = {"target_modules": ["word_embeddings"]}
    other("ln-tuning-resized", LNTuningConfig, table, start=resize, save_embedding_layers=True)
    tokens = {"token_indices": [token for token in range(259, 0, -1) if token % 7 != 5]}
    other("trainable-tokens", TrainableTokensConfig, {"target_modules": None, **tokens})
    other("trainable-tokens-resized", TrainableTokensConfig, {**table, **tokens}, start=resize, save_embedding_layers=True)

    def with_base_head(bare, inputs):
        """The same adapter under the classifier of bert-sequence itself."""
        headed = base("bert-sequence", BertForSequenceClassification)
        with torch.no_grad():
            return {"logits": headed.classifier(forward(bare, inputs).pooler_output)}

    def bare(case_name, **config):
        config = {"task_type": "FEATURE_EXTRACTION", "r": 4, "lora_alpha": 9, **config}
        case("bert-sequence", case_name, BertModel, config, fit=with_base_head)

    bare("bare-on-headed")
    # What a bare model does not have is not the adapter's, whatever its config says of it.
    bare("bare-bias-all", bias="all")
    bare("bare-head-saved", modules_to_save=["classifier"])


def others():
    case("bert", "qv", BertModel, {"r": 3, "lora_alpha": 7})
    targets = ["query", "key", "value", "attention.output.dense"]
    feature = {"task_type": "FEATURE_EXTRACTION", "r": 6, "lora_alpha": 5, "target_modules": targets}
    case("bert", "feature", BertModel, feature)
    classify = {"task_type": "SEQ_CLS", "r": 5, "lora_alpha": 11}
    case("bert", "headed-on-bare", BertForSequenceClassification, classify, num_labels=3)
    # LoRA on heads, which a bare base does not have.
    untyped = {"r": 5, "lora_alpha": 11, "target_modules": ["value", "pooler.dense", "classifier"]}
    case("bert", "classifier-targeted", BertForSequenceClassification, untyped, num_labels=3)
    untyped = {"r": 5, "lora_alpha": 11, "target_modules": ["value", "classifier.out_proj"]}
    case("roberta", "classifier-targeted", RobertaForSequenceClassification, untyped, num_labels=3)
    tag = {"task_type": "TOKEN_CLS", "r": 5, "lora_alpha": 11}
    case("roberta", "token-head", RobertaForTokenClassification, tag, num_labels=3)
    case("bert-token", "token-head", BertForTokenClassification, tag, num_labels=3)
    case("roberta-sequence", "qv-head", RobertaForSequenceClassification, classify, num_labels=5)
    # A head of several layers: its redundant biases keep the adapter's name (classifier.modules_to_save.default.dense).
    case("roberta-sequence", "bias-all", RobertaForSequenceClassification, {**classify, "bias": "all"})

    def with_roberta_head(bare, inputs):
        headed = base("roberta-sequence", RobertaForSequenceClassification)
        with torch.no_grad():
            return {"logits": headed.classifier(forward(bare, inputs).last_hidden_state)}

    # The head, which is not there, has a dense of its own.
    dense = {"task_type": "FEATURE_EXTRACTION", "r": 4, "lora_alpha": 9, "target_modules": ["query", "dense"]}
    case("roberta-sequence", "bare-dense", RobertaModel, dense, fit=with_roberta_head)
    distil = {
        **classify,
        "target_modules": ["q_lin", "v_lin"],
        "modules_to_save": ["pre_classifier", "classifier"],
    }
    case("distilbert-sequence", "qlin-vlin-head", DistilBertForSequenceClassification, distil, num_labels=4)
    xlm = {**tag, "target_modules": ["query", "value"]}
    case("xlm-roberta-token", "head", XLMRobertaForTokenClassification, xlm, num_labels=3)


def edit_config(folder, sort_keys=True, **changes):
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, **changes}, indent=2, sort_keys=sort_keys))


def edit_tensors(change):
    def edit(folder):
        path = folder / "adapter_model.safetensors"
        tensors = load_file(path)
        change(tensors)
        write_tensors(path, tensors)

    return edit


def refused():
    query = "base_model.model.bert.encoder.layer.{}.attention.self.query.lora_{}.weight"

    def bad(
        case_name,
        config=LoraConfig,
        edit=lambda folder: None,
        model=None,
        name="bert-sequence",
        cls=BertForSequenceClassification,
        **options,
    ):
        folder = FIXTURES / "models" / name / "refused" / case_name
        model = model or base(name, cls)
        options = {"task_type": "SEQ_CLS", **({"r": 3} if config is LoraConfig else {}), **options}
        adapters.save(adapters.train(model, config(**options), "refused " + case_name), folder)
        edit(folder)

    def wrong_rank(tensors):
        tensors[query.format(1, "A")] = torch.cat([tensors[query.format(1, "A")]] * 2)[:4].clone()

    def nan(tensors):
        tensors[query.format(2, "B")][1, 1] = float("nan")

    def elsewhere(tensors):
        for key in list(tensors):
            moved = key.replace("bert.encoder.layer", "model.layers")
            moved = moved.replace("attention.self.query", "self_attn.q_proj")
            moved = moved.replace("attention.self.value", "self_attn.v_proj")
            tensors[moved] = tensors.pop(key)
        for key in [key for key in tensors if "classifier" in key]:
            del tensors[key]

    def nothing_matched(folder):
        edit_tensors(elsewhere)(folder)
        edit_config(folder, target_modules=["q_proj", "v_proj"], modules_to_save=None, task_type="CAUSAL_LM")

    def pickle(folder):
        (folder / "adapter_model.safetensors").unlink()
        (folder / "adapter_model.bin").write_bytes(b"\x80\x02}q\x00.")  # an empty dict

    config = BertConfig(
        vocab_size=60,
        hidden_size=20,
        num_attention_heads=4,
        num_hidden_layers=3,
        intermediate_size=23,
        max_position_embeddings=16,
        num_labels=3,
    )
    other_base = BertForSequenceClassification(config)
    other_base.name_or_path = other_base.config.name_or_path = "another-bert"

    bad("pissa-niter", edit=lambda folder: edit_config(folder, init_lora_weights="pissa_niter_4"))
    bad("wrong-rank", edit=edit_tensors(wrong_rank))
    bad("other-base", model=other_base)
    bad("extra-key", edit=edit_tensors(lambda t: t.update({query.format(9, "A"): t[query.format(0, "A")].clone()})))
    bad("missing-key", edit=edit_tensors(lambda t: t.pop(query.format(1, "B"))))
    bad("other-type", config=BOFTConfig, boft_block_size=4, target_modules=["query", "value"])
    bad("unknown-config-key", edit=lambda folder: edit_config(folder, use_sparkle=True))
    bad("pickle", edit=pickle)
    bad("nothing-matched", edit=nothing_matched)
    bad("alora", alora_invocation_tokens=[17, 4])
    bare = query.replace("bert.", "")
    bad("bare-missing-key", cls=BertModel, task_type=None, edit=edit_tensors(lambda t: t.pop(bare.format(1, "B"))))
    bad("nan", edit=edit_tensors(nan))
    # PEFT loads these without a word: the other task's head has the same name and, here, the same shape.
    bad("token-head", cls=BertForTokenClassification, task_type="TOKEN_CLS")
    bad("sequence-head", name="bert-token", task_type="SEQ_CLS")
    typed = {"target_modules": "all-linear", "task_type": None}
    bad("sequence-head-targeted", name="bert-token", edit=lambda f: edit_config(f, task_type="SEQ_CLS"), **typed)
    bad("classifier-alone", name="bert", task_type=None, target_modules=["classifier"])


def mixed_batch():
    rows = [
        "qv", "__base__", "rank-alpha-patterns", "qv", "all-linear", "lora-bias", "__base__", "some-layers",
        "rslora", "all-linear", "regex-targets", "dropout", "rank-alpha-patterns", "__base__", "qv",
    ]  # fmt: skip
    names = sorted(set(rows) - {"__base__"})
    lengths = [7, 2, 12, 5, 17, 3, 9, 8, 1, 14, 6, 11, 4, 13, 10]
    folder = FIXTURES / "models" / "bert-sequence"
    model = PeftModel.from_pretrained(
        base("bert-sequence", BertForSequenceClassification), folder / "adapters" / names[0], adapter_name=names[0]
    )
    for name in names[1:]:
        result = model.load_adapter(folder / "adapters" / name, adapter_name=name)
        assert not result.missing_keys and not result.unexpected_keys, name
    inputs = models.inputs(model.config, generator("mixed batch"), lengths)
    output = forward(model, {**inputs, "adapter_names": rows})
    for name in sorted(set(rows)):  # a row in the mixed batch is the row under its adapter alone
        model.eval()
        if name == "__base__":
            with model.disable_adapter():
                alone = forward(model, inputs)
        else:
            model.set_adapter(name)
            alone = forward(model, inputs)
        mine = torch.tensor([row == name for row in rows])
        assert torch.allclose(output.logits[mine], alone.logits[mine], atol=1e-5), name
    write_tensors(folder / "mixed-batch.safetensors", {**inputs, **results(output)})
    write_json(folder / "mixed-batch.json", {"adapter_names": rows})


def main():
    bert_sequence()
    others()
    refused()
    mixed_batch()


if __name__ == "__main__":
    main()
