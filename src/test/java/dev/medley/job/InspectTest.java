package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.engine.AdapterSource;
import dev.medley.engine.DecoderFolder;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.SetManifest;
import dev.medley.engine.TextClassification;
import dev.medley.io.ArchiveFile;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
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
    assertThat(run.out().replaceAll("\\s+", ""))
        .contains("mixedset" + set + "base", "path" + adapters + "/lora" + "peft_type");
    List<String> lines = // without paths, of which long ones go on in the next line
        run.out().lines().filter(line -> !line.matches("(mixed set|  path|   ) .*")).toList();
    assertThat(lines)
        .containsExactly(
            "base model                   bert-sequence",
            "base fingerprint             "
                + SetManifest.fingerprint(
                    Storage.standard(), Fixtures.location("models/bert-sequence")),
            "member 1                     0.5*a",
            "  peft_type                  LORA",
            "  adapter_config.json        "
                + Sha256.of(adapters.resolve("lora/adapter_config.json")),
            "  adapter_model.safetensors  "
                + Sha256.of(adapters.resolve("lora/adapter_model.safetensors")),
            "member 2                     b",
            "  peft_type                  OFT",
            "  adapter_config.json        "
                + Sha256.of(adapters.resolve("oft/adapter_config.json")),
            "  adapter_model.safetensors  "
                + Sha256.of(adapters.resolve("oft/adapter_model.safetensors")));

    Path file = set.resolve("mixed_set.json");
    String text = Files.readString(file);
    Files.writeString(file, text.replaceFirst("\"sha256\" : \".{8}", "\"sha256\" : \"00000000"));
    CommandLineRun changed = CommandLineRun.of("inspect", set.toString());
    assertThat(changed.code()).isEqualTo(Medley.FAILED);
    assertThat(changed.out())
        .containsOnlyOnce("\n  adapter_model.safetensors  changed\n")
        .contains("\nMedley cannot load it:\n");
    assertThat(changed.out().replaceAll("\\s+", ""))
        .contains("lora/adapter_model.safetensors:sha256:expected00000000");

    Files.writeString(file, text.replace("0.5", "0"));
    CommandLineRun unusable = CommandLineRun.of("inspect", set.toString());
    assertThat(unusable.code()).isEqualTo(Medley.FAILED);
    assertThat(unusable.err())
        .contains("members[0]: adapter: expected weights of a size from 1.0E-6 to 1000000.0");
    Files.writeString(file, text.replace(adapters + "/lora", set.toString()));
    assertThat(CommandLineRun.of("inspect", set.toString()).out().replaceAll("\\s+", " "))
        .contains(set + ": expected an adapter, found a saved set (mixed_set.json); put");
  }

  /** Each by the file whose hash it is: an archive's own, an index's, labels beside an adapter. */
  @Test
  void filesOfMembersAreShownByWhatIsHashed(@TempDir Path folder) throws IOException {
    Path adapters = Fixtures.path("sets/bert/adapters");
    Path zip = ArchiveFile.ofFolder(folder.resolve("oft.zip"), adapters.resolve("oft"), "");
    Path head = Files.createDirectory(folder.resolve("head"));
    for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(adapters.resolve("head").resolve(name), head.resolve(name));
    }
    Files.writeString(head.resolve("config.json"), "{\"num_labels\": 3}");
    EngineSpec spec =
        EngineSpec.of(
            Fixtures.path("models/bert-sequence").toString(),
            TextClassification.AUTO,
            Map.of(
                "z", AdapterSource.of(zip.toString()),
                "h", AdapterSource.of(head.toString(), List.of("a", "b", "c"))));
    SetManifest.of(Storage.standard(), spec, "z+h").write(folder);

    CommandLineRun run = CommandLineRun.of("inspect", folder.toString());

    assertThat(run.code()).isEqualTo(Medley.OK);
    assertThat(
            run.out()
                .lines()
                .filter(line -> line.startsWith("  ") && !line.matches("  (path|   ) .*"))
                .map(line -> line.strip().replaceAll(" +", " ")))
        .containsExactly(
            "peft_type OFT",
            "adapter_config.json " + Sha256.of(adapters.resolve("oft/adapter_config.json")),
            "oft.zip " + Sha256.of(zip),
            "labels a, b, c",
            "peft_type LORA",
            "adapter_config.json " + Sha256.of(head.resolve("adapter_config.json")),
            "config.json " + Sha256.of(head.resolve("config.json")),
            "adapter_model.safetensors " + Sha256.of(head.resolve("adapter_model.safetensors")));
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
