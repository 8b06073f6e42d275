package dev.medley.engine;

import ai.djl.ndarray.NDArray;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.adapter.AdapterSet;
import dev.medley.adapter.BaseModules;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.BaseModules.Place;
import dev.medley.adapter.EmbeddingAdapter;
import dev.medley.adapter.LinearAdapter;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.SafetensorsWriter.Tensor;
import dev.medley.io.StoredType;
import dev.medley.io.TensorInfo;
import dev.medley.model.Head;
import dev.medley.model.Labels;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.TensorWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * A base and a set of adapters as one ordinary HF folder: what merging makes of the set, with the
 * set's head where it has one, under the base's own tensor names and in the base's own types. What
 * no adapter changes is copied as it is stored; the rest is made one tensor at a time.
 */
final class MergedModel {
  /**
   * Files beside the weights that belong to the model whatever its weights are: what transformers'
   * tokenizers and processors read, and sentence-transformers'.
   */
  private static final List<String> SIDE_FILES =
      List.of(
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "vocab.txt",
          "vocab.json",
          "merges.txt",
          "bpe.codes",
          "dict.txt",
          "entity_vocab.json",
          "normalizer.json",
          "sentencepiece.bpe.model",
          "sentencepiece.model",
          "spiece.model",
          "spm.model",
          "spm_char.model",
          "tokenizer.model",
          "tiktoken.model",
          "tekken.json",
          "preprocessor_config.json",
          "processor_config.json",
          "generation_config.json",
          "chat_template.jinja",
          "chat_template.json",
          "modules.json",
          "1_Pooling/config.json",
          "sentence_bert_config.json",
          "config_sentence_transformers.json");

  /** A folder of the same, for models with several templates. */
  private static final String TEMPLATES = "additional_chat_templates";

  private static final Set<StoredType> FLOATS =
      EnumSet.of(StoredType.F64, StoredType.F32, StoredType.BF16, StoredType.F16);

  private static final int PIECE = 8 << 20; // bytes

  private static final ObjectMapper MAPPER =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private final BaseModel base;
  private final Head head;
  private final AdapterSet set;
  private final Labels labels;
  private final MergeOptions.Progress progress;
  private final Map<String, Module> modules = new HashMap<>(); // by parameter
  private final boolean unties; // whether the set makes two tensors of a head that is its table

  /**
   * A model that is not written yet.
   *
   * @param labels of the set's own head, completed by the base's
   */
  MergedModel(
      BaseModel base, Head head, AdapterSet set, Labels labels, MergeOptions.Progress progress) {
    this.base = base;
    this.head = head;
    this.set = set;
    this.labels = labels;
    this.progress = progress;
    for (Module module : base.model().modules().all()) {
      modules.put(module.parameter("weight"), module);
      modules.put(module.parameter("bias"), module);
    }
    BaseModules all = base.model().modules();
    unties =
        all.isTied()
            && (isChanged(all.inputEmbeddings(), all.inputEmbeddings().parameter("weight"))
                || isChanged(all.outputEmbeddings(), all.outputEmbeddings().parameter("weight")));
  }

  /** Writes all files, or none. */
  void write(Path folder) {
    checkTie();
    checkBiases();
    Path unfinished = null;
    try {
      // behind a link lies the folder that is replaced, and the link stays
      Path target = Files.exists(folder) ? folder.toRealPath() : folder.toAbsolutePath();
      checkEmpty(folder, target);
      unfinished = target.resolveSibling("." + target.getFileName() + "." + UUID.randomUUID());
      Files.createDirectories(unfinished);
      base.checkUnchanged();
      try (Checkpoint checkpoint = Checkpoint.open(base.storage(), base.folder(), "model")) {
        writeTensors(checkpoint, unfinished.resolve("model.safetensors"));
        checkpoint.verifyWhole();
      }
      writeConfig(unfinished.resolve("config.json"));
      copySideFiles(unfinished);
      base.checkUnchanged();
      Files.deleteIfExists(target);
      Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw PeftModel.unwritable(folder, e);
    } finally {
      if (unfinished != null) {
        delete(unfinished);
      }
    }
  }

  private static void checkEmpty(Path folder, Path target) throws IOException {
    String found = "a file";
    if (!Files.exists(target)) {
      found = Files.isSymbolicLink(target) ? "a link that leads nowhere" : null;
    } else if (Files.isDirectory(target)) {
      try (Stream<Path> children = Files.list(target)) {
        found = children.findAny().isPresent() ? "files" : null;
      }
    }
    if (found != null) {
      throw new IllegalArgumentException(
          folder + ": expected a folder that is not there yet or is empty, found " + found);
    }
  }

  /** A head that is not run has no weight of its own, and would get the changed table's. */
  private void checkTie() {
    Module lmHead = base.model().modules().outputEmbeddings();
    if (unties
        && !lmHead.place().isRun()
        && !changesClass()
        && base.model().isOfClassWith(Head.CAUSAL_LM)) {
      throw new IllegalArgumentException(
          "merge_and_unload: "
              + set
              + " changes "
              + base.model().modules().inputEmbeddings().path()
              + ", which the base's "
              + lmHead.path()
              + " shares and this task does not run; load the base with a task that does, or, where"
              + " it is of no use, name a class without it in the architectures of config.json");
    }
  }

  /** A layer without a bias has no place for the one that {@code lora_bias} gives it. */
  private void checkBiases() {
    List<String> without =
        base.model().modules().all().stream()
            .filter(module -> !module.hasBias() && set.parameter(module.parameter("bias")) != null)
            .map(Module::path)
            .toList();
    if (!without.isEmpty()) {
      throw new IllegalArgumentException(
          "merge_and_unload: "
              + set
              + " has a bias for "
              + String.join(", ", without)
              + ", which have none in this base; PEFT, too, merges no lora_bias there");
    }
  }

  /** To one with the set's head. */
  private boolean changesClass() {
    return !base.model().absent().isEmpty();
  }

  /** A folder with all that is in it, if it is there. */
  static void delete(Path folder) {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(folder + " could not be deleted", e);
    }
  }

  private void writeTensors(Checkpoint checkpoint, Path file) throws IOException {
    String prefix = base.model().modules().prefix() + ".";
    Map<String, TensorInfo> stored = checkpoint.tensors();
    boolean prefixed = stored.keySet().stream().anyMatch(name -> name.startsWith(prefix));
    // A bare model that gets a head becomes a model with one, where HF's names have the prefix.
    String added = prefixed || bringsHead() ? prefix : "";
    List<Tensor> tensors = new ArrayList<>();
    Set<String> done = new HashSet<>(); // parameters
    StoredType type = // of what the base lacks
        stored.values().stream()
            .map(TensorInfo::type)
            .filter(FLOATS::contains)
            .findFirst()
            .orElse(StoredType.F32);
    for (TensorInfo tensor : stored.values()) {
      String parameter = base.model().parameter(tensor.name());
      Module module = modules.get(parameter);
      if (changesClass() && (module == null || !module.place().isRun())) {
        continue; // a pooler or another task's head, which the new class lacks
      }
      done.add(parameter);
      boolean toPrefix = !prefixed && !isOfHead(parameter);
      String name = toPrefix ? added + tensor.name() : tensor.name();
      if (module != null && isChanged(module, parameter)) {
        tensors.add(merged(name, module, parameter, tensor.type()));
      } else {
        List<Long> shape = LongStream.of(tensor.shape()).boxed().toList();
        tensors.add(new Tensor(name, tensor.type(), shape, out -> copy(checkpoint, tensor, out)));
      }
    }
    for (Map.Entry<String, Module> entry : modules.entrySet()) {
      String parameter = entry.getKey();
      Module module = entry.getValue();
      boolean isUntied = unties && module == base.model().modules().outputEmbeddings();
      if (!done.contains(parameter)
          && module.place().isRun()
          && (isChanged(module, parameter) || isUntied && isWeight(module, parameter))) {
        String name = isOfHead(parameter) ? parameter : added + parameter;
        tensors.add(merged(name, module, parameter, type));
      }
    }
    // wider types first, as the format asks; names decide among what was added in no order
    tensors.sort(Comparator.comparing((Tensor t) -> -t.dtype().bytes()).thenComparing(Tensor::key));
    List<Tensor> counted = new ArrayList<>();
    for (Tensor tensor : tensors) {
      int number = counted.size() + 1;
      counted.add(
          new Tensor(
              tensor.key(),
              tensor.dtype(),
              tensor.shape(),
              out -> {
                tensor.content().writeTo(out);
                progress.written(number, tensors.size());
              }));
    }
    SafetensorsWriter.write(file, Map.of("format", "pt"), counted);
  }

  private boolean isOfHead(String parameter) {
    Module module = modules.get(parameter);
    return module == null
        ? parameter.startsWith("classifier.") || parameter.startsWith("pre_classifier.")
        : module.place().isHead();
  }

  private boolean bringsHead() {
    return unties && base.model().modules().outputEmbeddings().place().isRun()
        || modules.entrySet().stream()
            .anyMatch(e -> e.getValue().place() == Place.HEAD && set.parameter(e.getKey()) != null);
  }

  private boolean isChanged(Module module, String parameter) {
    return set.parameter(parameter) != null
        || isWeight(module, parameter)
            && (set.linear(module.path()) != null || set.embedding(module.path()) != null);
  }

  private static boolean isWeight(Module module, String parameter) {
    return parameter.equals(module.parameter("weight"));
  }

  private Tensor merged(String name, Module module, String parameter, StoredType type) {
    NDArray own = set.parameter(parameter);
    boolean isWeight = isWeight(module, parameter);
    boolean isTurned = isWeight && module.kind() == Kind.CONV1D; // stored as [in, out]
    NDArray plain = own == null ? module.weight() : own;
    List<Long> shape = new ArrayList<>(LongStream.of(plain.getShape().getShape()).boxed().toList());
    if (isTurned) {
      Collections.reverse(shape);
    }
    LinearAdapter linear = isWeight ? set.linear(module.path()) : null;
    EmbeddingAdapter table =
        isWeight && module.kind() == Kind.EMBEDDING ? set.embedding(module.path()) : null;
    return new Tensor(
        name,
        type,
        shape,
        out -> {
          if (linear == null && table == null) {
            write(parameter, plain, isTurned, type, out);
            return;
          }
          try (NDArray merged = linear == null ? table.merge(plain) : linear.merge(plain)) {
            write(parameter, merged, isTurned, type, out);
          }
        });
  }

  private void write(
      String parameter, NDArray array, boolean isTurned, StoredType type, OutputStream out)
      throws IOException {
    if (!isTurned) {
      write(parameter, array, type, out);
      return;
    }
    try (NDArray turned = Kernels.transpose(array)) {
      write(parameter, turned, type, out);
    }
  }

  private void write(String parameter, NDArray array, StoredType type, OutputStream out)
      throws IOException {
    if (!TensorWriter.isFiniteAs(array, type)) {
      throw new LoadException(
          set.toString(),
          parameter
              + ": merged with the base and stored as "
              + type
              + " it holds NaN or infinity; an adapter of the set is broken, or too large for the"
              + " type that the base is stored in");
    }
    TensorWriter.write(array, type, out);
  }

  private static void copy(Checkpoint checkpoint, TensorInfo tensor, OutputStream out)
      throws IOException {
    for (long at = 0; at < tensor.bytes(); at += PIECE) {
      int length = (int) Math.min(PIECE, tensor.bytes() - at);
      ByteBuffer slice = checkpoint.slice(tensor, at, length);
      byte[] piece = new byte[length];
      slice.get(piece);
      out.write(piece);
    }
  }

  private void writeConfig(Path file) throws IOException {
    Path own = base.storage().fetch(base.folder().resolve("config.json"));
    if (!bringsHead()) {
      Files.copy(own, file);
      return;
    }
    ObjectNode json = (ObjectNode) MAPPER.readTree(own.toFile());
    if (unties) {
      json.put("tie_word_embeddings", false);
    }
    if (json.path("architectures").isArray() && !json.get("architectures").isEmpty()) {
      String architecture = json.get("architectures").get(0).asText();
      ArrayNode classes = json.putArray("architectures");
      classes.add(head.in(architecture));
    }
    Optional<NDArray> outputs =
        modules.entrySet().stream()
            .filter(e -> e.getKey().equals(e.getValue().parameter("weight")))
            .filter(e -> e.getValue().isLabels())
            .map(e -> set.parameter(e.getKey()))
            .filter(weight -> weight != null)
            .findFirst();
    if (outputs.isPresent()) {
      List<String> names = labels.forOutputs((int) outputs.get().getShape().get(0));
      putLabels(json, names);
    }
    if (labels.problemType() != null) {
      json.put("problem_type", labels.problemType().name().toLowerCase(Locale.ROOT));
    }
    Files.writeString(file, MAPPER.writeValueAsString(json) + "\n");
  }

  /** As HF writes them. */
  static void putLabels(ObjectNode json, List<String> names) {
    json.remove(List.of("num_labels", "_num_labels"));
    ObjectNode byId = json.putObject("id2label");
    ObjectNode byLabel = json.putObject("label2id");
    for (int id = 0; id < names.size(); id++) {
      byId.put(Integer.toString(id), names.get(id));
      byLabel.put(names.get(id), id);
    }
  }

  private void copySideFiles(Path folder) throws IOException {
    List<String> names = new ArrayList<>(SIDE_FILES);
    if (base.storage().exists(base.folder().resolve(TEMPLATES))) {
      base.storage().list(base.folder().resolve(TEMPLATES)).stream()
          .filter(name -> name.endsWith(".jinja"))
          .forEach(name -> names.add(TEMPLATES + "/" + name));
    }
    for (String name : names) {
      Optional<Path> file = base.storage().fetchIfExists(base.folder().resolve(name));
      if (file.isPresent()) {
        Path copy = folder.resolve(name);
        Files.createDirectories(copy.getParent());
        Files.copy(file.get(), copy);
      }
    }
  }
}
