package dev.medley.job;

import com.fasterxml.jackson.databind.JsonNode;
import dev.medley.adapter.AdapterConfig;
import dev.medley.engine.EngineSpec;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.PinnedFile;
import dev.medley.engine.SetManifest;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.Validation;
import dev.medley.io.Checkpoint;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.io.StoredType;
import dev.medley.io.TensorInfo;
import dev.medley.model.Architecture;
import dev.medley.model.Head;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows what is in a folder, by its small files and the headers of its weights. */
@Command(
    name = "inspect",
    description =
        "Shows what is in the folder of a base model, an adapter or a saved set; loads no weights.")
final class Inspect implements Callable<Integer> {
  private static final String UNSET = "-";

  /** The longest label but for long names of archives and indexes. */
  private static final int LABEL = "  adapter_model.safetensors".length();

  @Parameters(paramLabel = "PATH", description = "Path or URI of a HuggingFace or PEFT folder.")
  private String path;

  @Spec private CommandSpec spec;

  private final Storage storage = Session.storage();
  private final Table table = new Table(LABEL, Table.WIDTH - LABEL - 2);
  private final Table byName = new Table(6, 20, Table.WIDTH - 30);
  private final List<String> problems = new ArrayList<>();

  @Override
  public Integer call() {
    Location folder = Location.of(path);
    if (SetManifest.isAt(storage, folder)) {
      set(folder);
    } else if (storage.exists(folder.resolve("adapter_config.json"))) {
      adapter(folder);
    } else if (storage.exists(folder.resolve("config.json"))) {
      base(folder);
    } else {
      String found = storage.exists(folder) ? "neither" : "no folder";
      throw new LoadException(
          folder.toString(),
          "expected a folder with config.json, adapter_config.json or "
              + SetManifest.FILE
              + ", found "
              + found);
    }
    PrintWriter out = spec.commandLine().getOut();
    out.print(table);
    out.print(byName);
    if (!problems.isEmpty()) {
      out.print("\nMedley cannot load it:\n");
      problems.forEach(problem -> out.print(Table.indented("  ", problem)));
    }
    out.flush();
    return problems.isEmpty() ? Medley.OK : Medley.FAILED;
  }

  private void base(Location folder) {
    line("base model", folder.toString());
    JsonObject config = JsonObject.read(storage.fetch(folder.resolve("config.json")));
    line("model_type", text(config, "model_type"));
    line("architectures", text(config, "architectures"));
    line("layers", text(config, "num_hidden_layers", "n_layers", "n_layer"));
    line("attention heads", text(config, "num_attention_heads", "n_heads", "n_head"));
    line("hidden size", text(config, "hidden_size", "dim", "n_embd"));
    line("vocabulary", text(config, "vocab_size"));
    line("positions", text(config, "max_position_embeddings", "n_positions"));
    labels(config);
    Collection<TensorInfo> tensors = tensors(folder, "model");
    storedTypes(tensors);
    line("tokenizer", storage.exists(folder.resolve("tokenizer.json")) ? "tokenizer.json" : "none");
    sentenceTransformers(folder);
    problems.addAll(generates(config) ? generation(folder) : problems(folder));
  }

  private List<String> problems(Location folder) {
    return Validation.of(EngineSpec.of(folder.uri(), FeatureExtraction.AUTO, Map.of()), storage)
        .problems();
  }

  /** Whether it is a decoder with the head that makes the next token. */
  private static boolean generates(JsonObject config) {
    String type = config.string("model_type", "");
    return config.strings("architectures").stream()
            .anyMatch(name -> Head.CAUSAL_LM.in(name).equals(name))
        && Arrays.stream(Architecture.values())
            .anyMatch(each -> each.has(Head.CAUSAL_LM) && each.modelTypes().contains(type));
  }

  /** What generation needs beside the model; its problems. */
  private List<String> generation(Location folder) {
    boolean settings = storage.exists(folder.resolve("generation_config.json"));
    line("generation", settings ? "generation_config.json" : "as config.json says");
    Location tokenizer = folder.resolve("tokenizer_config.json");
    String template = "none";
    if (storage.exists(folder.resolve("chat_template.jinja"))) {
      template = "chat_template.jinja";
    } else if (storage.exists(tokenizer)
        && JsonObject.read(storage, tokenizer).has("chat_template")) {
      template = "tokenizer_config.json";
    }
    line("chat template", template);
    EngineSpec spec = EngineSpec.of(folder.uri(), TextGeneration.AUTO, Map.of());
    return (template.equals("none")
            ? Validation.of(spec, storage)
            : Validation.ofChats(spec, storage))
        .problems();
  }

  /** Members innermost first, and whether their files are still those that were put together. */
  private void set(Location folder) {
    SetManifest manifest = SetManifest.read(storage, folder);
    line("mixed set", folder.toString());
    line("base model", manifest.base());
    line("base fingerprint", manifest.fingerprint());
    int place = 0;
    for (SetManifest.Member member : manifest.members()) {
      Location adapter = Location.of(member.source().uri());
      line(
          "member " + ++place, (member.weight() == 1 ? "" : member.weight() + "*") + member.name());
      line("  path", adapter.toString());
      if (!member.source().labels().isEmpty()) {
        line("  labels", String.join(", ", member.source().labels()));
      }
      try {
        List<PinnedFile> files = member.files(storage);
        Location config = files.get(0).file();
        line("  peft_type", text(JsonObject.read(storage, config), "peft_type"));
        files.forEach(this::pinned);
      } catch (LoadException e) {
        problems.add(e.getMessage());
      }
    }
  }

  private void pinned(PinnedFile file) {
    if (file.hasChanged()) {
      line("  " + file.file().name(), "changed");
      problems.add(file.problem());
    } else if (file.expected() != null) {
      line("  " + file.file().name(), file.expected());
    }
  }

  private void adapter(Location folder) {
    line("adapter", folder.toString());
    Location file = folder.resolve("adapter_config.json");
    JsonObject config = JsonObject.read(storage.fetch(file), file.toString());
    line("peft_type", text(config, "peft_type"));
    line("rank", text(config, "r"));
    line("alpha", text(config, "lora_alpha", "alpha"));
    line("rank_pattern", text(config, "rank_pattern"));
    line("alpha_pattern", text(config, "alpha_pattern"));
    line("target_modules", text(config, "target_modules"));
    line("modules_to_save", text(config, "modules_to_save"));
    line("bias", text(config, "bias"));
    line("task_type", text(config, "task_type"));
    line("base model", text(config, "base_model_name_or_path"));
    if (storage.exists(folder.resolve("config.json"))) {
      labels(JsonObject.read(storage.fetch(folder.resolve("config.json"))));
    }
    Collection<TensorInfo> tensors = tensors(folder, "adapter_model");
    storedTypes(tensors);
    groups(tensors);
    try {
      AdapterConfig.parse(Files.readString(storage.fetch(file)), file.toString());
    } catch (LoadException e) {
      problems.add(e.getMessage());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Of the checkpoint; none and a problem where it has none that can be read. */
  private Collection<TensorInfo> tensors(Location folder, String stem) {
    try {
      return Checkpoint.headers(storage, folder, stem).values();
    } catch (LoadException e) {
      problems.add(e.getMessage());
      return List.of();
    }
  }

  private void storedTypes(Collection<TensorInfo> tensors) {
    Map<StoredType, Integer> types = new TreeMap<>();
    tensors.forEach(tensor -> types.merge(tensor.type(), 1, Integer::sum));
    long files = tensors.stream().map(TensorInfo::file).distinct().count();
    line("files of weights", Long.toString(files));
    line("tensors", Integer.toString(tensors.size()));
    line("dtypes", types.isEmpty() ? UNSET : types.toString().replaceAll("[{}]", ""));
    line("size", Table.bytes(tensors.stream().mapToLong(TensorInfo::bytes).sum()));
  }

  /** Names that differ in numbers only are one line, with their shape and how many there are. */
  private void groups(Collection<TensorInfo> tensors) {
    Map<List<String>, Integer> groups = new LinkedHashMap<>();
    for (TensorInfo tensor : tensors) {
      String name = tensor.name().replaceAll("(?<=\\.)[0-9]+(?=\\.)", "*");
      String shape = tensor.type() + " " + Arrays.toString(tensor.shape());
      groups.merge(List.of(shape, name), 1, Integer::sum);
    }
    groups.forEach((group, n) -> byName.row(n + " x", group.get(0), group.get(1)));
  }

  private void labels(JsonObject config) {
    Map<String, String> names = new TreeMap<>(Inspect::byNumber);
    names.putAll(config.stringMap("id2label"));
    line(
        "labels", names.isEmpty() ? text(config, "num_labels") : String.join(", ", names.values()));
    line("problem_type", text(config, "problem_type"));
  }

  private static int byNumber(String a, String b) {
    return a.length() == b.length() ? a.compareTo(b) : Integer.compare(a.length(), b.length());
  }

  private void sentenceTransformers(Location folder) {
    List<String> files =
        List.of("modules.json", "sentence_bert_config.json", "1_Pooling/config.json");
    List<String> there =
        files.stream().filter(file -> storage.exists(folder.resolve(file))).toList();
    line("sentence-transformers", there.isEmpty() ? "no files" : String.join(", ", there));
  }

  private void line(String what, String value) {
    table.row(what, value);
  }

  /** The first of these keys that is set. */
  private static String text(JsonObject config, String... keys) {
    for (String key : keys) {
      JsonNode value = config.node(key);
      if (value != null && !(value.isContainerNode() && value.isEmpty())) {
        return value.isTextual() ? value.textValue() : value.toString();
      }
    }
    return UNSET;
  }
}
