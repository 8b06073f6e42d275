package dev.medley.engine;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.Combination;
import dev.medley.adapter.Combination.MajoritySign;
import dev.medley.adapter.Combination.Type;
import dev.medley.engine.PeftModel.Disabled;
import dev.medley.engine.PeftModel.LayerStatus;
import dev.medley.engine.PeftModel.ModelStatus;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.LabelScore;
import dev.medley.engine.RowError.Code;
import dev.medley.engine.TextClassification.Function;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Architecture;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** PEFT's verbs against PEFT. */
class PeftModelTest {
  private static final Task LOGITS = new TextClassification(0, Function.NONE);
  private static final String BASE = Fixtures.path("models/bert-sequence").toString();
  private static final double TOLERANCE = 1e-5;
  private static final List<String> TEXTS =
      texts(json("verbs/expected.json").get("texts")).toList();

  private PeftModel model;

  @BeforeEach
  void load() {
    model = PeftModel.fromPretrained(BASE, LOGITS, folder("math"), "math");
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static String folder(String adapter) {
    return Fixtures.path("verbs/adapters/" + adapter).toString();
  }

  private static JsonNode json(String file) {
    try {
      return new ObjectMapper().readTree(Fixtures.path(file).toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Stream<String> texts(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).map(JsonNode::asText);
  }

  private void loadAll(String... names) {
    for (String name : names) {
      if (!model.peftConfig().containsKey(name)) {
        model.loadAdapter(folder(name), name);
      }
    }
  }

  private static float[] logits(List<Result> results) {
    List<Float> logits = new ArrayList<>();
    for (Result result : results) {
      assertThat(result.error()).isNull();
      for (LabelScore score : ((Classification) result.prediction()).scores()) {
        logits.add(score.score());
      }
    }
    float[] flat = new float[logits.size()];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = logits.get(i);
    }
    return flat;
  }

  /** Of all texts under a set. */
  private static float[] expected(String set) {
    try (NDManager owner = NDManager.newBaseManager()) {
      return Fixtures.expected("verbs", owner).get(set).toFloatArray();
    }
  }

  private void assertDoes(String set) {
    assertClose(logits(model.run(TEXTS)), expected(set), TOLERANCE);
  }

  static Stream<String> sets() {
    return texts(json("verbs/expected.json").get("sets")).filter(set -> !set.equals("__base__"));
  }

  @ParameterizedTest
  @MethodSource("sets")
  void activeAdaptersAreAppliedInTheirOrder(String set) {
    List<String> names = List.of(set.split("\\+"));
    loadAll(names.toArray(String[]::new));

    model.setAdapter(names);

    assertThat(model.activeAdapters()).isEqualTo(names);
    assertDoes(set);
  }

  @ParameterizedTest
  @MethodSource("sets")
  void mergedFolderIsAnOrdinaryModelThatDoesTheSame(String set, @TempDir Path folder) {
    List<String> names = List.of(set.split("\\+"));
    loadAll(names.toArray(String[]::new));
    model.setAdapter(names);

    model.mergeAndUnload(folder.resolve("merged"));

    EngineSpec merged = EngineSpec.of(folder.resolve("merged").toString(), LOGITS, Map.of());
    try (Engine engine = Engine.load(merged)) {
      List<Result> results = engine.run(TEXTS.stream().map(Request::of).toList());
      assertClose(logits(results), expected(set), TOLERANCE);
    }
    assertDoes(set); // nothing was unloaded
  }

  @Test
  void firstAdapterIsActiveAndLaterOnesAreNot() {
    assertThat(model.activeAdapters()).containsExactly("math");
    LoadResult result = model.loadAdapter(folder("polite"), "polite");
    assertThat(result).isEqualTo(new LoadResult(List.of(), List.of(), List.of()));
    assertThat(model.activeAdapters()).containsExactly("math");
    assertThat(model.peftConfig().keySet()).containsExactly("math", "polite");
    assertThat(model.peftConfig().get("polite").rank()).isEqualTo("4");
    assertDoes("math");
  }

  @Test
  void adapterWithoutANameIsCalledDefault() {
    try (PeftModel other = PeftModel.fromPretrained(BASE, LOGITS, folder("table"))) {
      assertThat(other.activeAdapters()).containsExactly("default");
      assertClose(logits(other.run(TEXTS)), expected("table"), TOLERANCE);
    }
  }

  @Test
  void noActiveAdapterIsTheBase() {
    model.setAdapter();
    assertThat(model.activeAdapters()).isEmpty();
    assertDoes("__base__");
    model.setAdapter("__base__");
    assertDoes("__base__");
  }

  @Test
  void activeAdapterMayBeScaled() {
    loadAll("polite");
    model.setAdapter("0.5*math", "polite");
    assertThat(model.activeAdapters()).containsExactly("0.5*math", "polite");
    float[] half = logits(model.run(TEXTS));
    model.addWeightedAdapter(
        List.of("math", "polite"), List.of(0.5, 1.0), "both", Combination.of(Type.CAT));
    model.setAdapter("both");
    assertClose(logits(model.run(TEXTS)), half, TOLERANCE);
  }

  @Test
  void eachTextMayNameItsOwnAdapters() {
    loadAll("polite");
    float[] rows =
        logits(
            model.run(
                List.of(TEXTS.get(0), TEXTS.get(1), TEXTS.get(2)),
                List.of("math+polite", "__base__", "math")));
    assertClose(part(rows, 0), part(expected("math+polite"), 0), TOLERANCE);
    assertClose(part(rows, 1), part(expected("__base__"), 1), TOLERANCE);
    assertClose(part(rows, 2), part(expected("math"), 2), TOLERANCE);
    assertThatThrownBy(() -> model.run(TEXTS, List.of("math")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("adapter_names: expected one for each of 3 texts, got 1");
    assertThatThrownBy(() -> model.run(TEXTS, List.of("math", "zz", "maths")))
        .hasMessage(
            "adapters [maths, zz] are not loaded, available are [math, polite]; did you mean math?");
  }

  private static float[] part(float[] logits, int row) {
    return new float[] {logits[3 * row], logits[3 * row + 1], logits[3 * row + 2]};
  }

  @Test
  void badTextChangesNoOther() {
    List<Result> results = model.run(List.of(TEXTS.get(0), "", TEXTS.get(2)));
    assertThat(results.get(1).error().code()).isEqualTo(Code.TEXT_EMPTY);
    assertClose(
        logits(List.of(results.get(0), results.get(2))),
        new float[] {
          expected("math")[0], expected("math")[1], expected("math")[2],
          expected("math")[6], expected("math")[7], expected("math")[8]
        },
        TOLERANCE);
  }

  /** PEFT enables everything when the inner one ends, and keeps the biases of bias=all. */
  @Test
  void disabledIsTheBaseUntilTheOutermostEnds() throws Exception {
    loadAll("biased");
    model.setAdapter("biased");
    try (Disabled outer = model.disableAdapter()) {
      try (Disabled inner = model.disableAdapter()) {
        assertDoes("__base__");
        closeTwice(inner);
      }
      assertThat(outer).isNotNull();
      assertDoes("__base__");
      assertThat(model.modelStatus().enabled()).isFalse();
      assertThat(model.activeAdapters()).containsExactly("biased");
      assertClose(
          logits(model.run(TEXTS, List.of("math", "math", "math"))),
          expected("__base__"),
          TOLERANCE);
    }
    assertDoes("biased");
  }

  private static void closeTwice(AutoCloseable disabled) throws Exception {
    disabled.close();
    disabled.close();
  }

  @Test
  void unknownNamesAreListedWithTheNearestAndNothingChanges(@TempDir Path folder) {
    loadAll("polite");
    assertThatThrownBy(() -> model.setAdapter("zebra", "Polit", "math"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "adapters [Polit, zebra] are not loaded, available are [math, polite];"
                + " did you mean polite?");
    assertThatThrownBy(() -> model.deleteAdapter("math", "zebra"))
        .hasMessage("adapters [zebra] are not loaded, available are [math, polite]");
    assertThatThrownBy(() -> model.mergeAndUnload(folder.resolve("x"), merge("zebra")))
        .hasMessage("adapters [zebra] are not loaded, available are [math, polite]");
    assertThat(folder).isEmptyDirectory();
    assertThat(model.activeAdapters()).containsExactly("math");
    assertDoes("math");
  }

  private static MergeOptions merge(String... names) {
    return MergeOptions.DEFAULT.adapterNames(List.of(names));
  }

  @Test
  void twoHeadsCannotBeActiveAtOnce() {
    loadAll("head", "head2");
    assertThatThrownBy(() -> model.setAdapter("head", "math", "head2"))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "head+math+head2: 2 problems:\n"
                + "  classifier.bias: both head and head2 bring it; a set takes it"
                + " from one member\n"
                + "  classifier.weight: both head and head2 bring it; a set takes it"
                + " from one member");
    assertThat(model.activeAdapters()).containsExactly("math");
    assertDoes("math");
  }

  @ParameterizedTest
  @CsvSource({
    "a.b, 'adapter name: expected one without a dot and slashes, since PEFT makes it the name of a module and of a folder, got"
        + " a.b'",
    "a+b, 'adapter name: expected one without +, * and outer blanks that is not __base__, got"
        + " \"a+b\"'",
    "__base__, 'adapter name: expected one without +, * and outer blanks that is not __base__, got"
        + " \"__base__\"'",
    "math, 'adapter name: there is an adapter math already; delete it first, or choose another"
        + " name'"
  })
  void nameThatCannotBeHadIsRefused(String name, String message) {
    assertThatThrownBy(() -> model.loadAdapter(folder("polite"), name))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
    assertThatThrownBy(() -> model.addWeightedAdapter(List.of("math"), List.of(1.0), name))
        .hasMessage(message);
    assertThat(model.peftConfig().keySet()).containsExactly("math");
  }

  @Test
  void nameThatIsPartOfAPrefixIsOnlyWarnedOf() {
    model.loadAdapter(folder("polite"), "lora");
    model.setAdapter("math", "lora");
    assertDoes("math+polite");
  }

  @Test
  void adapterThatDoesNotFitIsNotLoadedAndSaysWhatIsMissing() {
    String unfit = Fixtures.path("models/bert-sequence/refused/missing-key").toString();
    assertThatThrownBy(() -> model.loadAdapter(unfit, "unfit"))
        .isInstanceOfSatisfying(
            UnfitAdapterException.class,
            e -> {
              assertThat(e.loadResult().missingKeys())
                  .isNotEmpty()
                  .allMatch(key -> key.startsWith("base_model.model.bert.encoder"));
              assertThat(e.loadResult().unexpectedKeys()).isEmpty();
              assertThat(e).hasMessageContaining("expected a tensor").hasMessageContaining(unfit);
            });
    String extra = Fixtures.path("models/bert-sequence/refused/extra-key").toString();
    assertThatThrownBy(() -> model.loadAdapter(extra, "unfit"))
        .isInstanceOfSatisfying(
            UnfitAdapterException.class,
            e -> {
              assertThat(e.loadResult().missingKeys()).isEmpty();
              assertThat(e.loadResult().unexpectedKeys()).hasSize(1);
            });
    String broken = Fixtures.path("models/bert-sequence/refused/nan").toString();
    assertThatThrownBy(() -> model.loadAdapter(broken, "unfit"))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("expected finite numbers, found NaN or infinity");
    assertThat(model.peftConfig().keySet()).containsExactly("math");
    model.loadAdapter(folder("polite"), "unfit"); // the name is free
  }

  @Test
  void adapterThatCannotBeLoadedFirstLeavesNothingOpen() {
    String unfit = Fixtures.path("models/bert-sequence/refused/missing-key").toString();
    assertThatThrownBy(() -> PeftModel.fromPretrained(BASE, LOGITS, unfit))
        .isInstanceOf(UnfitAdapterException.class);
    EngineSpec spec = EngineSpec.of(BASE, LOGITS, Map.of("a", AdapterSource.of(unfit)));
    assertThatThrownBy(() -> PeftModel.fromPretrained(spec, unfit, "unfit", LoadOptions.DEFAULT))
        .hasMessage(
            "spec: expected no adapters and no sets, which are loaded by loadAdapter, found [a] and"
                + " []");
  }

  @Test
  void idleTensorsAreListed(@TempDir Path folder) {
    String headed = Fixtures.path("models/bert/adapters/headed-on-bare").toString();
    String bare = Fixtures.path("models/bert").toString();
    try (PeftModel embedder =
        PeftModel.fromPretrained(
            bare,
            FeatureExtraction.AUTO,
            Fixtures.path("models/bert/adapters/qv").toString(),
            "qv")) {
      LoadResult result = embedder.loadAdapter(headed, "headed");
      assertThat(result.idleKeys())
          .containsExactly(
              "base_model.model.classifier.bias", "base_model.model.classifier.weight");
      assertThatThrownBy(() -> embedder.mergeAndUnload(folder, merge("headed")))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "merge_and_unload: feature-extraction does not run the modules of"
                  + " base_model.model.classifier.bias, base_model.model.classifier.weight of"
                  + " headed, which the merged model would lack; load the base with the task that"
                  + " the adapter was trained for");
    }
  }

  @Test
  void optionsAreHonouredOrRefusedWithTheReason(@TempDir Path folder) throws IOException {
    Files.createDirectories(folder.resolve("below/it"));
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(Path.of(folder("polite"), file), folder.resolve("below/it").resolve(file));
    }
    LoadOptions honoured =
        LoadOptions.DEFAULT
            .subfolder("below/it/")
            .torchDevice("cpu:0")
            .autocastAdapterDtype(true)
            .lowCpuMemUsage(true)
            .isTrainable(false)
            .ephemeralGpuOffload(false);
    model.loadAdapter(folder.toString(), "polite", honoured);
    model.setAdapter("math", "polite");
    assertDoes("math+polite");

    LoadOptions refused =
        LoadOptions.DEFAULT
            .torchDevice("cuda")
            .isTrainable(true)
            .ephemeralGpuOffload(true)
            .revision("main");
    assertThatThrownBy(() -> model.loadAdapter("/a/b", "c", refused))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            """
            is_trainable: Medley scores and does not train; train with PEFT, leave it out
            torch_device: expected cpu, the device of the base, since an adapter lies where its \
            base does, got cuda
            ephemeral_gpu_offload: nothing is offloaded here: base and adapters lie on one device, \
            and DoRA's norms are taken there once; leave it out
            revision: only an adapter on the Hub (hf://org/name) has revisions, and /a/b is a \
            folder; give the folder of that revision""");
    assertThatThrownBy(
            () ->
                LoadOptions.DEFAULT
                    .autocastAdapterDtype(true)
                    .source("/a/b", ai.djl.Device.cpu(), Precision.BFLOAT16))
        .hasMessage(
            "autocast_adapter_dtype: an adapter runs in the precision of its base, here bfloat16,"
                + " and not in float32 beside it; load the base with float32, or leave it out");
    for (String out : List.of("..", "/", "/tmp", "a/../b", "a//b")) {
      assertThatThrownBy(() -> model.loadAdapter("/a/b", "c", LoadOptions.DEFAULT.subfolder(out)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "subfolder: expected a relative path below /a/b without empty, . or .. parts, found"
                  + " \"%s\"",
              out);
    }
    assertThat(
            LoadOptions.DEFAULT
                .subfolder("")
                .source("/a/b", ai.djl.Device.cpu(), Precision.FLOAT32)
                .uri())
        .isEqualTo("/a/b");
    LoadOptions onHub = LoadOptions.DEFAULT.revision("v2").subfolder("x");
    assertThat(onHub.source("hf://org/name", ai.djl.Device.cpu(), Precision.FLOAT32).uri())
        .isEqualTo("hf://org/name@v2/x");
    assertThatThrownBy(
            () -> onHub.source("hf://org/name@v1", ai.djl.Device.cpu(), Precision.FLOAT32))
        .hasMessage("revision: hf://org/name@v1 names one already; give one of the two");
  }

  @Test
  void deletedAdapterIsGoneAndTheOtherActiveOnesStay() {
    loadAll("polite", "table");
    model.setAdapter("polite", "table", "math");
    assertThat(model.deleteAdapter("polite", "table")).containsExactly("math");
    assertDoes("math");
    assertThat(model.peftConfig().keySet()).containsExactly("math");
    model.loadAdapter(folder("table"), "polite"); // the name is free, for another one as well
    model.setAdapter("polite");
    assertDoes("table");
  }

  /** PEFT takes sorted(remaining)[0]. */
  @Test
  void alphabeticallyFirstBecomesActiveWhenNoActiveOneIsLeft() {
    loadAll("polite");
    model.loadAdapter(folder("table"), "lists"); // after math was loaded, and before it in a list
    model.setAdapter("polite", "polite");
    assertThat(model.deleteAdapter("polite")).containsExactly("lists");
    assertDoes("table");
    assertThat(model.deleteAdapter("lists")).containsExactly("math");
    assertThat(model.deleteAdapter("math")).isEmpty();
    assertDoes("__base__");
    assertThatThrownBy(() -> model.setAdapter("math"))
        .hasMessage("adapters [math] are not loaded, available are []");
  }

  @Test
  void statusSaysWhatIsLoadedAndWhatOfItIsActive() {
    loadAll("table", "head");
    model.setAdapter("head", "2*math");
    assertThat(model.modelStatus())
        .isEqualTo(
            new ModelStatus(
                Architecture.BERT,
                Map.of("head", "LORA", "math", "LORA", "table", "LORA"),
                8,
                true,
                List.of("head", "2.0*math"),
                List.of("head", "math", "table"),
                "cpu"));
    assertThat(model.layerStatus())
        .contains(
            new LayerStatus(
                "embeddings.word_embeddings", Kind.EMBEDDING, true, List.of(), List.of("table")),
            new LayerStatus(
                "encoder.layer.1.attention.self.query",
                Kind.LINEAR,
                true,
                List.of("head", "2.0*math"),
                List.of("head", "math")),
            new LayerStatus("classifier", Kind.LINEAR, true, List.of("head"), List.of("head")))
        .hasSize(8);
  }

  @Test
  void nothingIsLeftInMemoryOrOnDisk() throws IOException {
    int arrays = arrays();
    Set<Path> folders = temporary();
    for (int i = 0; i < 3; i++) {
      loadAll("polite", "oft", "dora", "table", "pissa");
      model.setAdapter("math", "oft", "table", "dora", "pissa");
      model.run(TEXTS);
      model.addWeightedAdapter(
          List.of("math", "polite"),
          List.of(1.0, 2.0),
          "both",
          Combination.of(Type.DARE_TIES_SVD).density(0.5));
      model.mergeAndUnload(Files.createTempDirectory("merged"));
      assertThat(arrays()).isGreaterThan(arrays);
      model.setAdapter("math");
      model.deleteAdapter("both", "polite", "oft", "table", "dora", "pissa");
      assertThat(arrays()).isEqualTo(arrays);
    }
    assertThat(temporary()).isEqualTo(folders);
    model.addWeightedAdapter(List.of("math"), List.of(1.0), "both");
    assertThat(temporary()).hasSize(folders.size() + 1);
    model.close();
    assertThat(temporary()).isEqualTo(folders);
  }

  @Test
  void closedModelAnswersNothing(@TempDir Path folder) {
    model.close();
    model.close();
    List<ThrowingCallable> verbs =
        List.of(
            () -> model.run(TEXTS),
            () -> model.run(TEXTS, List.of("math", "math", "math")),
            () -> model.loadAdapter(folder("polite"), "polite"),
            () -> model.setAdapter("math"),
            () -> model.deleteAdapter("math"),
            () -> model.addWeightedAdapter(List.of("math"), List.of(1.0), "new"),
            () -> model.disableAdapter(),
            () -> model.activeAdapters(),
            () -> model.peftConfig(),
            () -> model.layerStatus(),
            () -> model.modelStatus(),
            () -> model.savePretrained(folder),
            () -> model.mergeAndUnload(folder));
    for (ThrowingCallable verb : verbs) {
      assertThatThrownBy(verb)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the model is closed");
    }
  }

  @Test
  void argumentsThatAreNullAreNamed(@TempDir Path folder) {
    Map<String, ThrowingCallable> calls = new LinkedHashMap<>();
    calls.put("path", () -> model.loadAdapter(null, "new"));
    calls.put("adapter name", () -> model.loadAdapter(folder("polite"), null));
    calls.put("options", () -> model.loadAdapter(folder("polite"), "new", null));
    calls.put("spec", () -> PeftModel.fromPretrained(null, "x", "y", LoadOptions.DEFAULT));
    calls.put("adapter names", () -> model.setAdapter((List<String>) null));
    calls.put("texts", () -> model.run(null));
    calls.put("adapter_names", () -> model.run(TEXTS, null));
    calls.put("folder", () -> model.mergeAndUnload(null));
    calls.put("progress", () -> MergeOptions.DEFAULT.progress(null));
    calls.put("labels", () -> LoadOptions.DEFAULT.labels("yes", null));
    List<Double> noWeight = Collections.singletonList(null);
    assertThatThrownBy(() -> model.addWeightedAdapter(List.of("math"), noWeight, "new"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("weights: expected one, got null");
    calls.put("weights", () -> model.addWeightedAdapter(List.of("math"), null, "new"));
    calls.forEach(
        (name, call) ->
            assertThatThrownBy(call)
                .as(name)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(name + ": expected one, got null"));
    assertThatThrownBy(() -> model.mergeAndUnload(folder.resolve("x"), null))
        .hasMessage("options: expected one, got null");
    assertThatThrownBy(() -> model.deleteAdapter((String) null))
        .hasMessage("adapter name: expected one, got null");
    assertThatThrownBy(() -> model.savePretrained(null))
        .hasMessage("folder: expected one, got null");
    assertThatThrownBy(() -> model.addWeightedAdapter(null, List.of(1.0), "new"))
        .hasMessage("adapter names: expected one, got null");
    assertThatThrownBy(() -> model.loadAdapter(" ", "new"))
        .hasMessage("expected a path or URI, found a blank one");
    assertThat(model.peftConfig()).containsOnlyKeys("math");
  }

  /** In a column they mean the base; a verb that was given one has a mistake in its caller. */
  @Test
  void blankIsTheNameOfNothing(@TempDir Path folder) {
    for (String blank : Arrays.asList("", " ", null)) {
      String shown = blank == null ? "null" : "\"" + blank + "\"";
      String message = "adapters [" + shown + "] are not loaded, available are [math]";
      assertThatThrownBy(() -> model.setAdapter(blank)).hasMessage(message);
      assertThatThrownBy(() -> model.setAdapter("math", blank)).hasMessage(message);
      MergeOptions options = MergeOptions.DEFAULT.adapterNames(Collections.singletonList(blank));
      assertThatThrownBy(() -> model.mergeAndUnload(folder.resolve("x"), options))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(message);
      assertThatThrownBy(() -> model.savePretrained(folder, blank)).hasMessage(message);
    }
    assertThat(model.activeAdapters()).containsExactly("math");
    assertThat(folder).isEmptyDirectory();
  }

  /** Of the base's manager and all managers below it. */
  private int arrays() {
    return model.nativeArrays();
  }

  private static Set<Path> temporary() throws IOException {
    try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      return Set.copyOf(
          files.filter(f -> f.getFileName().toString().startsWith("medley-adapter-")).toList());
    }
  }

  // Combinations

  static Stream<Arguments> calls() {
    return StreamSupport.stream(json("verbs/weighted.json").get("calls").spliterator(), false)
        .map(call -> Arguments.of(call.get("name").asText(), call));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("calls")
  void combinedAdapterIsThatOfPeft(String name, JsonNode call, @TempDir Path folder) {
    List<String> members = texts(call.get("adapters")).toList();
    loadAll(members.toArray(String[]::new));
    List<Double> weights = new ArrayList<>();
    call.get("weights").forEach(weight -> weights.add(weight.asDouble()));
    Combination how = combination(call);

    model.addWeightedAdapter(members, weights, "merged", how);

    assertThat(model.activeAdapters()).containsExactly("math");
    assertThat(model.peftConfig().get("merged").rank()).isEqualTo(call.get("r").asText());
    model.savePretrained(folder, "merged");
    try (NDManager owner = NDManager.newBaseManager()) {
      Expected actual = read(folder.resolve("merged"), owner);
      Expected expected = Fixtures.expected("verbs/weighted", name, owner);
      assertThat(actual.checkpoint().tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(expected.checkpoint().tensors().keySet());
      boolean svd = how.type().toString().endsWith("svd");
      for (String key : expected.checkpoint().tensors().keySet()) {
        if (!svd || how.svdClamp() != null) {
          assertClose(actual.get(key), expected.get(key), TOLERANCE);
        } else if (key.contains("A")) { // U and V have any sign
          assertClose(product(actual, key), product(expected, key), TOLERANCE);
        }
      }
      actual.checkpoint().close();
      expected.checkpoint().close();
    }
  }

  private static Combination combination(JsonNode call) {
    Combination how = Combination.of(Type.of(call.get("combination_type").asText()));
    if (call.has("density")) {
      how = how.density(call.get("density").asDouble());
    }
    if (call.has("svd_rank")) {
      how = how.svdRank(call.get("svd_rank").asInt());
    }
    if (call.has("svd_clamp")) {
      how = how.svdClamp(call.get("svd_clamp").asDouble());
    }
    if (call.has("majority_sign_method")) {
      how = how.majoritySign(MajoritySign.FREQUENCY);
    }
    boolean random = how.type().toString().startsWith("dare");
    return random ? how.seed(json("verbs/weighted.json").get("seed").asLong()) : how;
  }

  private static Expected read(Path folder, NDManager owner) {
    return new Expected(
        Checkpoint.open(Storage.standard(), Location.of(folder.toString()), "adapter_model"),
        owner);
  }

  /** b·a of the module whose a that key names. */
  private static NDArray product(Expected tensors, String a) {
    return tensors.get(a.replaceAll("_A(\\.weight)?$", "_B$1")).matMul(tensors.get(a));
  }

  /** PEFT lets the result inherit use_rslora from the first member, and is off by √r'. */
  @Test
  void rankStabilisedFirstMemberDoesNotScaleTheResult(@TempDir Path folder) {
    loadAll("root");
    Combination cat = Combination.of(Type.CAT);
    model.addWeightedAdapter(List.of("root", "math"), List.of(0.4, 0.7), "merged", cat);
    model.savePretrained(folder);
    try (NDManager owner = NDManager.newBaseManager()) {
      Expected actual = read(folder.resolve("merged"), owner);
      Expected swapped = Fixtures.expected("verbs/weighted", "rslora-second", owner);
      for (String key : swapped.checkpoint().tensors().keySet()) {
        if (key.contains("lora_A")) {
          assertClose(product(actual, key), product(swapped, key), TOLERANCE);
        }
      }
    }
    assertThat(model.peftConfig().get("merged").json()).contains("\"use_rslora\" : false");
  }

  @Test
  void concatenatedAdapterDoesWhatItsMembersDoTogether() {
    loadAll("polite", "table");
    model.addWeightedAdapter(
        List.of("polite", "table", "math"),
        List.of(1.0, 1.0, 1.0),
        "all",
        Combination.of(Type.CAT));
    model.setAdapter("all");
    assertDoes("polite+table+math");
  }

  /** PEFT gives such a result the base's own head. */
  @Test
  void headOfAMemberComesAlong() {
    loadAll("head");
    model.addWeightedAdapter(
        List.of("math", "head"), List.of(1.0, 1.0), "both", Combination.of(Type.CAT));
    model.setAdapter("both");
    assertDoes("head+math");
    assertThat(model.peftConfig().get("both").taskType()).isEqualTo("SEQ_CLS");
  }

  @Test
  void combinationIsSavedAndLoadedLikeAnyAdapter(@TempDir Path folder) {
    loadAll("polite");
    model.addWeightedAdapter(List.of("math", "polite"), List.of(0.6, 0.4), "both");
    model.setAdapter("both");
    float[] before = logits(model.run(TEXTS));
    model.savePretrained(folder, "both", "math");
    model.loadAdapter(folder.toString(), "again", LoadOptions.DEFAULT.subfolder("both"));
    model.setAdapter("again");
    assertClose(logits(model.run(TEXTS)), before, 0);
    assertThat(folder.resolve("math/adapter_model.safetensors")).exists();
  }

  @Test
  void adapterWhoseFileHasChangedIsNotSavedAsTheOneThatIsLoaded(@TempDir Path folder)
      throws IOException {
    Path own = Files.createDirectory(folder.resolve("own"));
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(Path.of(folder("polite"), file), own.resolve(file));
    }
    model.loadAdapter(own.toString(), "polite");
    Files.setLastModifiedTime(
        own.resolve("adapter_model.safetensors"), FileTime.from(Instant.EPOCH));
    assertThatThrownBy(() -> model.savePretrained(folder.resolve("saved"), "polite"))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            own + ": its weights have changed since they were loaded; load the adapter again");
  }

  @Test
  void labelsAreSavedWithTheAdapter(@TempDir Path folder) throws IOException {
    String two = Fixtures.path("models/bert-sequence/adapters/head-2-labels").toString();
    model.loadAdapter(two, "two", LoadOptions.DEFAULT.labels("yes", "no"));
    model.addWeightedAdapter(List.of("two"), List.of(1.0), "combined");
    model.savePretrained(folder, "two", "combined");
    for (String name : List.of("two", "combined")) {
      assertThat(json(folder.resolve(name + "/config.json")).toString())
          .isEqualTo(
              "{\"id2label\":{\"0\":\"yes\",\"1\":\"no\"},\"label2id\":{\"yes\":0,\"no\":1}}");
      model.loadAdapter(folder.resolve(name).toString(), name + "-again");
      model.setAdapter(name + "-again");
      assertThat(labels()).containsExactly("yes", "no");
    }
    // a document beside the adapter keeps what else it says
    Files.writeString(
        folder.resolve("two/config.json"),
        "{\"id2label\": {\"0\": \"a\", \"1\": \"b\"}, \"problem_type\": \"regression\"}");
    LoadOptions other = LoadOptions.DEFAULT.labels("up", "down");
    model.loadAdapter(folder.resolve("two").toString(), "other", other);
    model.savePretrained(folder, "other");
    assertThat(json(folder.resolve("other/config.json")).toString())
        .isEqualTo(
            "{\"id2label\":{\"0\":\"up\",\"1\":\"down\"},\"problem_type\":\"regression\","
                + "\"label2id\":{\"up\":0,\"down\":1}}");
  }

  private static JsonNode json(Path file) throws IOException {
    return new ObjectMapper().readTree(file.toFile());
  }

  private List<String> labels() {
    return ((Classification) model.run(TEXTS).get(0).prediction())
        .scores().stream().map(LabelScore::label).toList();
  }

  @Test
  void labelsOfAnEarlierAdapterDoNotStay(@TempDir Path folder) throws IOException {
    String two = Fixtures.path("models/bert-sequence/adapters/head-2-labels").toString();
    model.loadAdapter(two, "new", LoadOptions.DEFAULT.labels("yes", "no"));
    model.savePretrained(folder, "new");
    assertThat(folder.resolve("new/config.json")).exists();
    model.deleteAdapter("new");
    model.loadAdapter(two, "new");
    model.savePretrained(folder, "new");
    assertThat(folder.resolve("new/config.json")).doesNotExist();
    model.savePretrained(folder.resolve("new"), "math"); // below it, and beside nothing of its
    assertThat(folder.resolve("new/math/adapter_config.json")).exists();
  }

  @Test
  void configOfAModelIsNeitherOverwrittenNorTakenForTheAdapters(@TempDir Path folder)
      throws IOException {
    Path config = folder.resolve("config.json");
    String text = Files.readString(Path.of(BASE, "config.json"));
    Files.writeString(config, text);
    String two = Fixtures.path("models/bert-sequence/adapters/head-2-labels").toString();
    model.loadAdapter(two, "default", LoadOptions.DEFAULT.labels("yes", "no"));
    String message =
        folder
            + ": expected no config.json of a model, from which the adapter's labels would be read,"
            + " found one; save the adapter in a folder of its own";
    assertThatThrownBy(() -> model.savePretrained(folder, "math", "default"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
    assertThat(Files.list(folder)).containsExactly(config);
    Files.writeString(folder.resolve("adapter_config.json"), "{}"); // as PEFT saves beside a base
    Files.writeString(folder.resolve("model.safetensors"), "");
    assertThatThrownBy(() -> model.savePretrained(folder, "default")).hasMessage(message);
    assertThat(config).hasContent(text);
    Files.delete(folder.resolve("model.safetensors"));
    model.savePretrained(folder, "default");
    assertThat(json(config).get("id2label").toString()).isEqualTo("{\"0\":\"yes\",\"1\":\"no\"}");
  }

  @Test
  void adapterIsSavedWhereItCameFromAsItIs(@TempDir Path folder) throws IOException {
    model.savePretrained(folder, "math");
    Path own = folder.resolve("math");
    Files.copy(Path.of(BASE, "config.json"), own.resolve("config.json"));
    Files.writeString(own.resolve("model.safetensors"), "the base's own, beside its adapter");
    model.loadAdapter(own.toString(), "again");
    model.savePretrained(own, "math");
    model.deleteAdapter("math");
    model.loadAdapter(own.toString(), "default");
    model.savePretrained(own, "default");
    assertThat(own.resolve("config.json")).hasSameBinaryContentAs(Path.of(BASE, "config.json"));
    assertThat(own.resolve("model.safetensors")).hasContent("the base's own, beside its adapter");
  }

  @Test
  void shardedAdapterIsSavedWhole(@TempDir Path folder) throws IOException {
    Path shards = ShardedAdapter.of(Path.of(folder("polite")), folder.resolve("shards"));
    model.loadAdapter(shards.toString(), "sharded");
    Path saved = folder.resolve("saved");
    model.savePretrained(saved.resolve("x"), "math");
    Files.move(saved.resolve("x/math"), saved.resolve("sharded")); // a single file counts more
    model.savePretrained(saved, "sharded");
    List<String> files = new ArrayList<>(ShardedAdapter.WEIGHTS);
    files.add("adapter_config.json");
    assertThat(saved.resolve("sharded").toFile().list()).containsExactlyInAnyOrderElementsOf(files);
    model.loadAdapter(saved.resolve("sharded").toString(), "again");
    model.setAdapter("math", "again");
    assertDoes("math+polite");

    Path shard = shards.resolve(ShardedAdapter.WEIGHTS.get(1));
    Files.setLastModifiedTime(shard, FileTime.from(Instant.EPOCH));
    assertThatThrownBy(() -> model.savePretrained(saved, "sharded"))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            shards + ": its weights have changed since they were loaded; load the adapter again");
  }

  @ParameterizedTest
  @CsvSource({
    "dare_linear, linear",
    "dare_ties, ties",
    "dare_linear_svd, svd",
    "dare_ties_svd, ties_svd"
  })
  void everythingKeptIsNothingPruned(String random, String plain, @TempDir Path folder) {
    loadAll("polite");
    Combination all = Combination.of(Type.of(random)).density(1).seed(5);
    Combination none = Combination.of(Type.of(plain));
    combine("all", all);
    combine("none", plain.startsWith("ties") ? none.density(1) : none);
    model.savePretrained(folder, "all", "none");
    assertThat(folder.resolve("all/adapter_model.safetensors"))
        .hasSameBinaryContentAs(folder.resolve("none/adapter_model.safetensors"));
  }

  @Test
  void sameSeedIsTheSameChoice(@TempDir Path folder) throws IOException {
    loadAll("polite");
    Combination how = Combination.of(Type.DARE_TIES).density(0.5);
    combine("one", how.seed(1));
    combine("two", how.seed(1));
    combine("three", how.seed(2));
    model.savePretrained(folder, "one", "two", "three");
    String file = "adapter_model.safetensors";
    assertThat(folder.resolve("one").resolve(file))
        .hasSameBinaryContentAs(folder.resolve("two").resolve(file));
    assertThat(Files.mismatch(folder.resolve("one/" + file), folder.resolve("three/" + file)))
        .isNotNegative();
  }

  private void combine(String name, Combination how) {
    model.addWeightedAdapter(List.of("math", "polite"), List.of(0.7, 0.4), name, how);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "math,oft | cat | add_weighted_adapter: oft: expected LORA or IA3, found OFT, of which PEFT"
            + " combines none",
        "math,dora | cat | add_weighted_adapter: dora: use_dora: its magnitudes are of its own"
            + " change and not additive",
        "math,pissa | cat | add_weighted_adapter: pissa: PISSA also changes the base's weights,"
            + " which the result could not do",
        "math,shifted | cat | add_weighted_adapter: shifted: lora_bias: PEFT leaves it out of the"
            + " result",
        "math,biased | cat | add_weighted_adapter: biased: replaces biases or embeddings of the"
            + " base outside of modules_to_save; PEFT, too, has no place for them in the result",
        "head,head2 | cat | add_weighted_adapter: classifier: both head and head2 bring it in"
            + " modules_to_save, and PEFT combines no such modules",
        "math,wide | linear | add_weighted_adapter: linear needs members of one rank, found [4, 6]"
            + " for [math, wide]; cat and the svd types take any",
        "math,patterned | linear | add_weighted_adapter: linear needs members of one rank, found"
            + " [4, 2] at encoder.layer.0.attention.self.query by their rank_pattern; cat and the"
            + " svd types take any",
        "math,zebra | cat | adapters [zebra] are not loaded, available are [math]",
        "math,polite | ties | density: expected the share of the numbers that ties keeps, found"
            + " none",
      })
  void membersThatCannotBeCombinedAreRefused(String names, String type, String message) {
    List<String> members = List.of(names.split(","));
    if (!names.contains("zebra")) {
      loadAll(members.toArray(String[]::new));
    }
    Map<String, ?> before = new TreeMap<>(model.peftConfig());
    assertThatThrownBy(
            () ->
                model.addWeightedAdapter(
                    members, List.of(1.0, 1.0), "new", Combination.of(Type.of(type))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
    assertThat(model.peftConfig()).isEqualTo(before);
  }

  @Test
  void argumentsThatDoNotFitAreRefused() {
    loadAll("polite");
    List<String> two = List.of("math", "polite");
    assertThatThrownBy(() -> model.addWeightedAdapter(two, List.of(1.0), "new"))
        .hasMessage("weights: expected one for each of [math, polite], got [1.0]");
    assertThatThrownBy(() -> model.addWeightedAdapter(two, List.of(1.0, Double.NaN), "new"))
        .hasMessage("add_weighted_adapter: polite: expected a finite weight, got NaN");
    assertThatThrownBy(() -> model.addWeightedAdapter(List.of(), List.of(), "new"))
        .hasMessage("adapters: expected at least one, found none");
    assertThatThrownBy(() -> Type.of("dare"))
        .hasMessage(
            "combination_type: expected one of [cat, svd, linear, ties, ties_svd, dare_linear,"
                + " dare_ties, dare_linear_svd, dare_ties_svd, magnitude_prune,"
                + " magnitude_prune_svd], got dare");
    assertThatThrownBy(() -> Combination.of(Type.TIES).density(0))
        .hasMessage("density: expected a number above 0 and up to 1, got 0.0");
    assertThatThrownBy(() -> combine("new", Combination.of(Type.CAT).density(0.5)))
        .hasMessage("density: cat does not use it; leave out 0.5");
    assertThatThrownBy(() -> combine("new", Combination.of(Type.LINEAR).svdRank(3)))
        .hasMessage("svd_rank: linear does not use it; leave out 3");
  }

  // Merging

  @Test
  void adaptersToMergeMayBeNamed(@TempDir Path folder) {
    loadAll("polite", "table");
    List<Integer> progress = new ArrayList<>();
    model.mergeAndUnload(
        folder, merge("math", "polite").progress((done, all) -> progress.add(all - done)));
    try (Engine engine = Engine.load(EngineSpec.of(folder.toString(), LOGITS, Map.of()))) {
      List<Result> results = engine.run(TEXTS.stream().map(Request::of).toList());
      assertClose(logits(results), expected("math+polite"), TOLERANCE);
    }
    assertThat(progress).hasSizeGreaterThan(50).endsWith(2, 1, 0);
    assertThatThrownBy(() -> model.mergeAndUnload(folder))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(folder + ": expected a folder that is not there yet or is empty, found files");
  }

  @Test
  void emptyFolderBehindALinkIsFilled(@TempDir Path folder) throws IOException {
    Path empty = Files.createDirectory(folder.resolve("empty"));
    Path link = Files.createSymbolicLink(folder.resolve("link"), empty);
    model.mergeAndUnload(link);
    assertThat(link).isSymbolicLink();
    assertThat(empty.resolve("model.safetensors")).exists();
    Path nowhere = Files.createSymbolicLink(folder.resolve("nowhere"), folder.resolve("none"));
    assertThatThrownBy(() -> model.mergeAndUnload(nowhere))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith("not there yet or is empty, found a link that leads nowhere");
    assertThat(Files.list(folder)).containsExactlyInAnyOrder(empty, link, nowhere);
  }

  @Test
  void placeThatNothingCanBeWrittenToIsAnErrorWithTheReason(@TempDir Path folder)
      throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "kept");
    assertThatThrownBy(() -> model.mergeAndUnload(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(file + ": expected a folder that is not there yet or is empty, found a file");
    Path below = file.resolve("below");
    assertThatThrownBy(() -> model.mergeAndUnload(below))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageStartingWith(below + " could not be written: java.nio.file.")
        .hasMessageContaining("Not a directory");
    assertThatThrownBy(() -> model.savePretrained(below, "math"))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageStartingWith(below + " could not be written: java.nio.file.")
        .hasMessageContaining("Not a directory");
    assertThat(Files.list(folder)).containsExactly(file);
    assertThat(file).hasContent("kept");
  }

  /** What AutoTokenizer and AutoProcessor read. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "tokenizer.model",
        "spm.model",
        "sentencepiece.bpe.model",
        "spiece.model",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "added_tokens.json",
        "special_tokens_map.json",
        "preprocessor_config.json",
        "processor_config.json",
        "chat_template.json",
        "chat_template.jinja",
        "additional_chat_templates/rag.jinja",
        "generation_config.json"
      })
  void filesOfTokenizersAndProcessorsComeAlong(String name, @TempDir Path folder)
      throws IOException {
    Path base = folder.resolve("base");
    Files.createDirectories(base.resolve(name).getParent());
    for (String file : List.of("config.json", "model.safetensors", "tokenizer.json")) {
      Files.copy(Path.of(BASE, file), base.resolve(file));
    }
    Files.writeString(base.resolve(name), "{}");
    Files.writeString(base.resolve("README.md"), "of the base");
    Path merged = folder.resolve("merged");
    try (PeftModel other = PeftModel.fromPretrained(base.toString(), LOGITS, folder("math"))) {
      other.mergeAndUnload(merged);
    }
    assertThat(merged.resolve(name)).hasContent("{}");
    assertThat(merged.resolve("README.md")).doesNotExist();
  }

  @Test
  void labelsOfTheAdaptersHeadAreInTheMergedConfig(@TempDir Path folder) throws IOException {
    String two = Fixtures.path("models/bert-sequence/adapters/head-2-labels").toString();
    model.loadAdapter(two, "two", LoadOptions.DEFAULT.labels("yes", "no"));
    model.mergeAndUnload(folder, merge("two"));
    JsonNode config = new ObjectMapper().readTree(folder.resolve("config.json").toFile());
    assertThat(config.get("id2label").toString()).isEqualTo("{\"0\":\"yes\",\"1\":\"no\"}");
    assertThat(config.get("label2id").toString()).isEqualTo("{\"yes\":0,\"no\":1}");
    assertThat(folder.resolve("tokenizer.json"))
        .hasSameBinaryContentAs(Path.of(BASE, "tokenizer.json"));
    assertThat(folder.resolve("tokenizer_config.json")).exists();
  }

  @Test
  void headThatTheBaseLacksMakesAModelWithAHead(@TempDir Path folder) throws IOException {
    String bare = Fixtures.path("models/bert").toString();
    String headed = Fixtures.path("models/bert/adapters/headed-on-bare").toString();
    try (PeftModel sequence = PeftModel.fromPretrained(bare, LOGITS, headed)) {
      sequence.mergeAndUnload(folder);
      assertThatThrownBy(() -> sequence.mergeAndUnload(folder.resolve("x"), merge()))
          .hasMessage(
              "merge_and_unload: neither the base nor __base__ has classifier.weight,"
                  + " classifier.bias, which text-classification needs; load the base with"
                  + " feature-extraction");
    }
    JsonNode config = new ObjectMapper().readTree(folder.resolve("config.json").toFile());
    assertThat(config.get("architectures").toString())
        .isEqualTo("[\"BertForSequenceClassification\"]");
    assertThat(config.get("id2label").size()).isEqualTo(3);
    Storage storage = Storage.standard();
    assertThat(Checkpoint.headers(storage, Location.of(folder.toString()), "model").keySet())
        .contains("classifier.weight", "bert.encoder.layer.0.attention.self.query.weight")
        .noneMatch(name -> name.startsWith("encoder."));
  }

  /** Types, names and bytes of what no adapter changes are the base's. */
  @ParameterizedTest
  @ValueSource(strings = {"bert-bf16", "bert-f16", "bert-sharded", "bert-mlm"})
  void mergedFolderKeepsTheBasesTypesAndNames(String name, @TempDir Path folder) {
    String base = Fixtures.path("models/" + name).toString();
    boolean sharded = name.equals("bert-sharded"); // models/bert in parts
    String adapter =
        Fixtures.path(sharded ? "models/bert/adapters/qv" : "verbs/stored/" + name).toString();
    try (PeftModel embedder = PeftModel.fromPretrained(base, FeatureExtraction.AUTO, adapter)) {
      embedder.mergeAndUnload(folder);
    }
    Storage storage = Storage.standard();
    Map<String, String> merged = new TreeMap<>();
    Map<String, String> original = new TreeMap<>();
    Checkpoint.headers(storage, Location.of(folder.toString()), "model")
        .forEach((key, tensor) -> merged.put(key, tensor.type() + " " + tensor.bytes()));
    Checkpoint.headers(storage, Location.of(base), "model")
        .forEach((key, tensor) -> original.put(key, tensor.type() + " " + tensor.bytes()));
    assertThat(merged).isEqualTo(original);
    try (Checkpoint now = Checkpoint.open(storage, Location.of(folder.toString()), "model");
        Checkpoint before = Checkpoint.open(storage, Location.of(base), "model")) {
      int changed = 0;
      for (String key : merged.keySet()) {
        var a = now.tensors().get(key);
        var b = before.tensors().get(key);
        boolean same = now.slice(a, 0, (int) a.bytes()).equals(before.slice(b, 0, (int) b.bytes()));
        assertThat(same).as(key).isEqualTo(!key.matches(".*(query|value)\\.weight"));
        changed += same ? 0 : 1;
      }
      assertThat(changed).isPositive();
    }
  }

  @Test
  void mergedNumbersThatOverflowAreRefusedAndNothingIsWritten(@TempDir Path folder) {
    String base = Fixtures.path("models/bert-f16").toString();
    String adapter = Fixtures.path("verbs/stored/bert-f16").toString();
    try (PeftModel embedder =
        PeftModel.fromPretrained(base, FeatureExtraction.AUTO, adapter, "qv")) {
      Path merged = folder.resolve("merged");
      assertThatThrownBy(() -> embedder.mergeAndUnload(merged, merge("9e5*qv")))
          .isInstanceOf(LoadException.class)
          .hasMessage(
              "900000.0*qv: encoder.layer.0.attention.self.query.weight: merged with the base and"
                  + " stored as F16 it holds NaN or infinity; an adapter of the set is broken, or"
                  + " too large for the type that the base is stored in");
      assertThat(folder).isEmptyDirectory();
    }
  }

  @Test
  void mergingTellsNoManagerOfTheBaseOfItsArrays(@TempDir Path folder) {
    loadAll("table", "oft");
    model.setAdapter("math", "table", "oft");
    int arrays = arrays();
    model.mergeAndUnload(folder);
    assertThat(arrays()).isEqualTo(arrays);
  }

  @Test
  void labelsThatDoNotFitTheHeadAreRefused() {
    LoadOptions two = LoadOptions.DEFAULT.labels("no", "yes");
    String sevenLabels = Fixtures.path("models/bert-sequence/adapters/head-7-labels").toString();
    assertThatThrownBy(() -> model.loadAdapter(sevenLabels, "seven", two))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(
            "labels: expected 7, the rows of classifier.weight, found 2, [no, yes]");
    assertThat(model.peftConfig()).containsOnlyKeys("math");
  }

  @Test
  void savingAgainOverwrites(@TempDir Path folder) throws IOException {
    model.savePretrained(folder, "math");
    Path weights = folder.resolve("math/adapter_model.safetensors");
    byte[] first = Files.readAllBytes(weights);
    Files.write(weights, new byte[] {1});
    model.savePretrained(folder, "math");
    assertThat(Files.readAllBytes(weights)).isEqualTo(first);
  }

  @Test
  void nullNamesTheBase() {
    List<Result> base = model.run(List.of("a dog"), Collections.singletonList(null));
    assertClose(logits(base), logits(model.run(List.of("a dog"), List.of("__base__"))), 0);
  }

  @Test
  void savedSetIsLoadedMemberByMember(@TempDir Path set) {
    Map<String, AdapterSource> members =
        Map.of("a", AdapterSource.of(folder("math")), "b", AdapterSource.of(folder("polite")));
    SetManifest.of(Storage.standard(), EngineSpec.of(BASE, LOGITS, members), "0.5*a+b").write(set);
    loadAll("polite");
    model.setAdapter("0.5*math", "polite");
    float[] expected = logits(model.run(TEXTS));

    model.loadAdapter(set.toString(), "triage");
    model.setAdapter("triage");
    assertThat(model.activeAdapters()).containsExactly("0.5*triage/a", "triage/b");
    assertClose(logits(model.run(TEXTS)), expected, TOLERANCE);
    model.setAdapter("math");
    List<String> each = Collections.nCopies(TEXTS.size(), "triage");
    assertClose(logits(model.run(TEXTS, each)), expected, TOLERANCE);
    assertThatThrownBy(() -> model.loadAdapter(set.toString(), "triage"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("there is an adapter triage already");

    model.setAdapter("triage");
    assertThat(model.deleteAdapter("triage")).containsExactly("math");
    assertThat(model.peftConfig()).containsOnlyKeys("math", "polite");
    assertThatThrownBy(() -> model.setAdapter("triage"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[triage] are not loaded, available are [math, polite]");
  }

  private static SetManifest manifest(String expression) {
    Map<String, AdapterSource> members =
        Map.of(
            "a", AdapterSource.of(folder("math")),
            "b", AdapterSource.of(folder("oft")),
            "h", AdapterSource.of(folder("head")));
    return SetManifest.of(Storage.standard(), EngineSpec.of(BASE, LOGITS, members), expression);
  }

  @Test
  void savedSetIsSavedAgainByItsName(@TempDir Path folder) throws IOException {
    manifest("b+0.5*a+h+0.25*a").write(folder.resolve("set"));
    model.loadAdapter(folder.resolve("set").toString(), "triage");
    loadAll("polite");
    model.setAdapter("triage");
    float[] expected = logits(model.run(TEXTS));

    model.savePretrained(folder.resolve("named"), "triage");
    model.savePretrained(folder.resolve("all"));
    try (Stream<Path> files = Files.walk(folder.resolve("all"))) {
      assertThat(
              files.filter(Files::isRegularFile).map(f -> folder.resolve("all").relativize(f) + ""))
          .contains(
              "math/adapter_config.json",
              "polite/adapter_config.json",
              "triage/mixed_set.json",
              "triage/a/adapter_config.json",
              "triage/b/adapter_model.safetensors",
              "triage/h/adapter_model.safetensors");
    }
    assertThat(Files.list(folder.resolve("named"))).hasSize(1);
    Files.move(folder.resolve("named/triage"), folder.resolve("moved")); // it is complete
    for (String saved : List.of("moved", "all/triage")) {
      try (PeftModel other =
          PeftModel.fromPretrained(BASE, LOGITS, folder.resolve(saved).toString(), "t")) {
        assertThat(other.activeAdapters()).containsExactly("t/b", "0.5*t/a", "t/h", "0.25*t/a");
        assertClose(logits(other.run(TEXTS)), expected, 0);
      }
    }
    assertThatThrownBy(() -> model.savePretrained(folder.resolve("all"), "triage/a", "triag"))
        .hasMessageContaining("[triag] are not loaded")
        .hasMessageEndingWith("did you mean triage?");
    assertThatThrownBy(() -> model.addWeightedAdapter(List.of("triage"), List.of(1.0), "new"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "triage: expected an adapter, found a saved set of [triage/b, triage/a, triage/h,"
                + " triage/a]; name these");
  }

  @Test
  void setIsNotSavedWhereAnAdapterWouldBeLoadedInItsPlace(@TempDir Path folder) {
    manifest("a+b").write(folder.resolve("set"));
    model.savePretrained(folder.resolve("out"), "math");
    model.deleteAdapter("math");
    model.loadAdapter(folder.resolve("set").toString(), "math");
    assertThatThrownBy(() -> model.savePretrained(folder.resolve("out"), "math"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            folder.resolve("out/math")
                + ": expected no adapter where a set is saved, found adapter_config.json, which"
                + " would be loaded in the set's place; save the set elsewhere");
    assertThat(folder.resolve("out/math/a")).doesNotExist();
  }

  /** Whose weight could not be used, or whose last member could not. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 | expected weights of a size from 1.0E-6 to 1000000.0, found 0.0 in 0.0*h",
        "1e300 | expected weights of a size from 1.0E-6 to 1000000.0, found 1.0E300 in 1.0E300*h",
        "null | weight: expected a number, found null"
      })
  void setThatCannotBeUsedLeavesNothing(String weight, String message, @TempDir Path folder)
      throws IOException {
    manifest("b+0.5*a+h").write(folder);
    Path file = folder.resolve("mixed_set.json");
    String sound = Files.readString(file);
    Files.writeString(file, sound.replaceFirst("(?s)(\"h\",\\s+\"weight\" : )1.0", "$1" + weight));
    int arrays = arrays();
    assertThatThrownBy(() -> model.loadAdapter(folder.toString(), "s"))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("mixed_set.json members[2]: ")
        .hasMessageContaining(message);
    assertThat(model.peftConfig()).containsOnlyKeys("math");
    assertThat(arrays()).isEqualTo(arrays);
    Files.writeString(file, sound);
    model.loadAdapter(folder.toString(), "s"); // all names are free
  }

  /** Other weights may not fit, of which the file says less. */
  @Test
  void memberWhoseWeightsChangedIsRefusedByItsHash(@TempDir Path folder) throws IOException {
    manifest("a+b").write(folder.resolve("set"));
    model.loadAdapter(folder.resolve("set").toString(), "s");
    model.savePretrained(folder, "s");
    Path weights = folder.resolve("s/b/adapter_model.safetensors");
    Files.copy(
        Path.of(folder("table"), "adapter_model.safetensors"),
        weights,
        StandardCopyOption.REPLACE_EXISTING);
    int arrays = arrays();
    assertThatThrownBy(() -> model.loadAdapter(folder.resolve("s").toString(), "changed"))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith(weights + ": sha256: expected ")
        .hasMessageEndingWith("; the file has changed since the hash was taken");
    assertThat(arrays()).isEqualTo(arrays);
    assertThat(model.peftConfig()).containsOnlyKeys("math", "s/a", "s/b");
  }
}
