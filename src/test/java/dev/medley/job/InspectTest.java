package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.engine.DecoderFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectTest {
  private static CommandLineRun inspect(String fixture) {
    return CommandLineRun.of("inspect", Fixtures.path(fixture).toString());
  }

  @Test
  void baseFolderShowsModelWeightsLabelsAndTokenizer() {
    CommandLineRun run = inspect("models/bert-sequence");
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out().lines().skip(1).filter(line -> !line.startsWith(" ")))
        .containsSequence(
            "model_type             bert",
            "architectures          [\"BertForSequenceClassification\"]",
            "layers                 3",
            "attention heads        4",
            "hidden size            28",
            "vocabulary             260",
            "positions              48",
            "labels                 negative, neutral, positive",
            "problem_type           -",
            "files of weights       1",
            "tensors                57",
            "dtypes                 F32=57",
            "size                   102.1 KiB",
            "tokenizer              tokenizer.json",
            "sentence-transformers  no files");
    assertThat(inspect("models/bert-sharded").out()).contains("files of weights       5\n");
    assertThat(inspect("models/distilbert").out()).containsPattern("layers +[1-9]\n");
  }

  @Test
  void decoderFolderShowsWhatGenerationNeeds(@TempDir Path folder) throws IOException {
    DecoderFolder.of("gpt2", folder);
    CommandLineRun run = CommandLineRun.of("inspect", folder.toString());
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out().lines().filter(line -> !line.startsWith(" ")))
        .containsSequence(
            "model_type             gpt2",
            "architectures          [\"GPT2LMHeadModel\"]",
            "layers                 2",
            "attention heads        5",
            "hidden size            25",
            "vocabulary             121",
            "positions              53")
        .containsSequence(
            "tokenizer              tokenizer.json",
            "sentence-transformers  no files",
            "generation             generation_config.json",
            "chat template          none");

    Files.writeString(
        folder.resolve("tokenizer_config.json"), "{\"chat_template\": \"{{ x | pprint }}\"}");
    Files.writeString(folder.resolve("generation_config.json"), "{\"num_beams\": 4}");
    CommandLineRun broken = CommandLineRun.of("inspect", folder.toString());
    assertThat(broken.code()).isEqualTo(Medley.FAILED);
    assertThat(broken.out().replaceAll("\\s+", " "))
        .contains("chat template tokenizer_config.json")
        .contains("Medley cannot load it:")
        .contains("chat_template: line 1: the filter pprint is not supported here")
        .contains("generation_config.json: num_beams: ");

    Files.delete(folder.resolve("tokenizer_config.json"));
    Files.delete(folder.resolve("generation_config.json"));
    assertThat(CommandLineRun.of("inspect", folder.toString()).out())
        .contains("generation             as config.json says\n");
    assertThat(inspect("decoders/llama-seq").out()).doesNotContain("chat template");
  }

  @Test
  void adapterFolderShowsConfigAndTensorsByName() {
    CommandLineRun run = inspect("models/bert-sequence/adapters/qv");
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out())
        .contains("peft_type         LORA\n", "target_modules    [\"query\",\"value\"]\n")
        .contains("task_type         SEQ_CLS\n", "bias              none\n")
        .containsPattern(
            "\n3 x  F32 \\[3, 28\\] +base_model.model.bert.encoder.layer.\\*.attention.self.query.lora_A")
        .doesNotContain("cannot load");
    assertThat(run.out().lines()).allMatch(line -> line.length() <= Table.WIDTH);
  }

  @Test
  void whatCannotBeLoadedIsShownWithAllProblems() {
    CommandLineRun pickle = inspect("models/bert-sequence/refused/pickle");
    assertThat(pickle.code()).isEqualTo(Medley.FAILED);
    assertThat(pickle.out())
        .contains("peft_type         LORA\n", "Medley cannot load it:\n", "Python pickle");
    CommandLineRun type = inspect("models/bert-sequence/refused/other-type");
    assertThat(type.code()).isEqualTo(Medley.FAILED);
    assertThat(type.out()).contains("peft_type: BOFT is not supported: it rotates inputs");
  }

  @Test
  void savedSetShowsItsMembersInOrder(@TempDir Path folder) throws IOException {
    Path adapters = Fixtures.path("sets/bert/adapters");
    Path conf = folder.resolve("job.conf");
    Files.writeString(
        conf,
        "medley { base = \"%s\", task = feature-extraction\n"
                .formatted(Fixtures.path("models/bert-sequence"))
            + "adapters { a = \"%s/lora\", b = \"%s/oft\" }\n".formatted(adapters, adapters)
            + "sets { both = [\"0.5*a\", \"b\"] }\n"
            + "input { format = json, path = rows, text = text, adapter = adapter }\n"
            + "output { format = json, path = out } }");
    Path set = folder.resolve("set");
    String[] save = {"save-set", conf.toString(), "--set", "both", "--to", set.toString()};
    assertThat(CommandLineRun.of(save))
        .isEqualTo(new CommandLineRun(Medley.OK, set + "/mixed_set.json\n", ""));

    CommandLineRun run = CommandLineRun.of("inspect", set.toString());
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(run.out().lines().map(line -> line.replaceAll(" +", " ").strip()).toList())
        .containsSubsequence(
            "mixed set " + set,
            "base model bert-sequence",
            "member 1 0.5*a",
            "peft_type LORA",
            "member 2 b",
            "peft_type OFT");
    assertThat(run.out()).containsPattern("base fingerprint +[0-9a-f]{64}\n");

    Path file = set.resolve("mixed_set.json");
    Files.writeString(
        file,
        Files.readString(file).replaceFirst("\"sha256\" : \".{8}", "\"sha256\" : \"00000000"));
    CommandLineRun changed = CommandLineRun.of("inspect", set.toString());
    assertThat(changed.code()).isEqualTo(Medley.FAILED);
    assertThat(changed.out()).contains("adapter_model.safetensors", "changed", "expected the hash");
  }

  @Test
  void folderOfNeitherKindIsAnError(@TempDir Path folder) {
    CommandLineRun empty = CommandLineRun.of("inspect", folder.toString());
    assertThat(empty)
        .isEqualTo(
            new CommandLineRun(
                Medley.FAILED,
                "",
                "medley inspect failed: "
                    + folder
                    + ": expected a folder with config.json, adapter_config.json or mixed_set.json,"
                    + " found neither\n"));
    assertThat(CommandLineRun.of("inspect", folder + "/none").err()).endsWith("found no folder\n");
  }
}
