package dev.medley.engine;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.Fixtures;
import dev.medley.adapter.Combination;
import dev.medley.engine.Prediction.Classification;
import dev.medley.engine.Prediction.LabelScore;
import dev.medley.engine.RowError.Code;
import dev.medley.io.ArchiveFile;
import dev.medley.io.Checkpoint;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.RemoteFileSystem;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows under ordered sets, from the adapter column to the prediction. */
class SetsTest {
  private static final List<String> MEMBERS =
      List.of("lora", "loha", "lokr", "oft", "oft2", "shira", "dora", "head", "norms", "table");

  private static final List<String> LABELS = List.of("x0", "x1", "x2", "x3", "x4");

  private static final EngineSpec SPEC = spec(MEMBERS);

  private static EngineSpec spec(List<String> members) {
    Map<String, AdapterSource> adapters = new LinkedHashMap<>();
    for (String name : members) {
      adapters.put(name, source("sets/bert/adapters/" + name));
    }
    for (String name : List.of("qv", "bias-all", "bias-lora-only", "head-2-labels")) {
      adapters.put(name, source("models/bert-sequence/adapters/" + name));
    }
    return EngineSpec.of(
        Fixtures.path("models/bert-sequence").toString(), TextClassification.AUTO, adapters);
  }

  private static AdapterSource source(String folder) {
    return AdapterSource.of(Fixtures.path(folder).toString());
  }

  private static Result run(Engine engine, String adapter) {
    return engine.run(List.of(Request.of("the quick brown dog", adapter))).get(0);
  }

  private static float[] scores(Result result) {
    assertThat(result.error()).isNull();
    List<LabelScore> scores = ((Classification) result.prediction()).scores();
    float[] numbers = new float[scores.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = scores.get(i).score();
    }
    return numbers;
  }

  private static void same(Result one, Result other) {
    assertClose(scores(one), scores(other), 1e-5);
  }

  private static void differ(Result one, Result other) {
    float[] a = scores(one);
    float[] b = scores(other);
    float most = 0;
    for (int i = 0; i < a.length; i++) {
      most = Math.max(most, Math.abs(a[i] - b[i]));
    }
    assertThat(most).isGreaterThan(1e-3f);
  }

  @Test
  void rowsOfDifferentSetsShareABatchAndAreWhatEachIsAlone() {
    List<String> sets =
        List.of(
            "lora",
            "loha+oft",
            "oft+loha",
            "__base__",
            "0.5*lora",
            "oft+oft2",
            "oft2+oft",
            "dora",
            "lora+dora",
            "dora+lora",
            "head+shira",
            "norms+table",
            "lokr+oft+shira",
            "2*lora");
    String[] words = {"the", "dog", "runs", "over", "a", "quick", "brown", "fox"};
    Random random = new Random(11);
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 90; i++) {
      StringBuilder text = new StringBuilder("a");
      for (int n = random.nextInt(9); n > 0; n--) {
        text.append(' ').append(words[random.nextInt(words.length)]);
      }
      requests.add(Request.of(text.toString(), sets.get(i % sets.size())));
    }
    try (Engine engine = Engine.load(SPEC)) {
      List<Result> together = engine.run(requests);
      for (int i = 0; i < requests.size(); i++) {
        same(together.get(i), engine.run(List.of(requests.get(i))).get(0));
      }
      for (int i = 0; i < sets.size(); i++) {
        for (int j = 0; j < i; j++) {
          differ(run(engine, sets.get(i)), run(engine, sets.get(j)));
        }
      }
    }
  }

  @Test
  void columnMayHoldAnArrayOrANamedSet() {
    Map<String, List<String>> named =
        Map.of("both", List.of("loha", "oft"), "soft", List.of("0.5*lora", "loha"));
    try (Engine engine = Engine.load(SPEC.withSets(named))) {
      Result both = run(engine, "loha+oft");
      same(run(engine, "both"), both);
      same(
          engine.run(List.of(new Request("the quick brown dog", List.of("loha", "oft")))).get(0),
          both);
      same(run(engine, "both+dora"), run(engine, "loha+oft+dora"));
      same(run(engine, "soft"), run(engine, "0.5*lora+loha"));
      same(run(engine, "2*soft"), run(engine, "lora+2*loha"));
      assertThat(run(engine, "bohh").error())
          .isEqualTo(
              new RowError(
                  Code.ADAPTER_UNKNOWN, "adapter: no adapter is named bohh; did you mean both?"));
      assertThat(engine.adapterLoads()).isEqualTo(4);
    }
  }

  @Test
  void halfAnAdapterTwiceIsTheWhole() {
    try (Engine engine = Engine.load(SPEC)) {
      same(run(engine, "0.5*lora+0.5*lora"), run(engine, "lora"));
      same(run(engine, "3*lora+-2*lora"), run(engine, "lora"));
    }
  }

  @Test
  void setsThatCannotBePutTogetherAreErrorsOfTheirRowsAlone() {
    try (Engine engine = Engine.load(SPEC)) {
      assertThat(run(engine, "head+lora+head-2-labels").error())
          .isEqualTo(
              new RowError(
                  Code.ADAPTER_UNFIT,
                  "head+lora+head-2-labels: 2 problems:\n"
                      + "  classifier.bias: both head and head-2-labels bring it; a set takes it"
                      + " from one member\n"
                      + "  classifier.weight: both head and head-2-labels bring it; a set takes it"
                      + " from one member"));
      assertThat(run(engine, "0.5*oft").error().message())
          .isEqualTo(
              "0.5*oft: 0.5*oft: what OFT does under this config cannot be scaled apart from the"
                  + " base's output; use the adapter whole");
      assertThat(run(engine, "bias-all+bias-lora-only").error().message())
          .contains(
              "bias: both bias-all and bias-lora-only replace the base's biases; PEFT, too, takes"
                  + " one adapter with bias in a set");
      assertThat(run(engine, "lora+nobody").error().code()).isEqualTo(Code.ADAPTER_UNKNOWN);
      assertThat(run(engine, "lora").error()).isNull();
    }
  }

  /** A head in two parts: its labels are those of the member that brings the layer of labels. */
  @Test
  void labelsAreOfTheMemberThatBringsTheirLayer(@TempDir Path folder) throws IOException {
    AdapterSource out =
        half(folder.resolve("out"), "classifier.out_proj", "classifier.dense", LABELS);
    AdapterSource dense =
        half(folder.resolve("dense"), "classifier.dense", "classifier.out_proj", List.of());
    String base = Fixtures.path("models/roberta-sequence").toString();
    Map<String, AdapterSource> adapters = Map.of("out", out, "dense", dense);
    try (Engine engine = Engine.load(EngineSpec.of(base, SPEC.task(), adapters))) {
      for (String set : List.of("out+dense", "dense+out")) {
        assertThat(labels(run(engine, set))).isEqualTo(LABELS);
      }
    }
    for (List<String> members : List.of(List.of("out", "dense"), List.of("dense", "out"))) {
      try (PeftModel model = PeftModel.fromPretrained(base, SPEC.task(), out.uri(), "out")) {
        model.deleteAdapter("out");
        model.loadAdapter(
            out.uri(), "out", LoadOptions.DEFAULT.labels(LABELS.toArray(String[]::new)));
        model.loadAdapter(dense.uri(), "dense", LoadOptions.DEFAULT);
        model.addWeightedAdapter(
            members, List.of(1.0, 1.0), "both", Combination.of(Combination.Type.LINEAR));
        model.setAdapter("both");
        assertThat(labels(model.run(List.of("a dog")).get(0))).isEqualTo(LABELS);
      }
    }
  }

  private static List<String> labels(Result result) {
    assertThat(result.error()).isNull();
    return ((Classification) result.prediction()).scores().stream().map(LabelScore::label).toList();
  }

  /** An adapter with one layer of its head and without the other. */
  private static AdapterSource half(Path folder, String saved, String without, List<String> labels)
      throws IOException {
    Location whole = Fixtures.location("models/roberta-sequence/adapters/qv-head");
    Files.createDirectories(folder);
    ObjectNode config =
        (ObjectNode)
            new ObjectMapper().readTree(whole.resolve("adapter_config.json").path().toFile());
    config.putArray("modules_to_save").add(saved);
    config.putNull("task_type"); // for which PEFT would ask for the whole head
    Files.writeString(folder.resolve("adapter_config.json"), config.toString());
    copyWithout(whole, "adapter_model", without, folder);
    return AdapterSource.of(folder.toString(), labels);
  }

  /** Copies a file of weights, but for those whose names have something in them. */
  private static void copyWithout(Location from, String stem, String without, Path folder)
      throws IOException {
    try (Checkpoint file = Checkpoint.open(Storage.standard(), from, stem)) {
      List<SafetensorsWriter.Tensor> kept = new ArrayList<>();
      for (TensorInfo tensor : file.tensors().values()) {
        if (!tensor.name().contains(without)) {
          byte[] bytes = new byte[(int) tensor.bytes()];
          file.slice(tensor, 0, bytes.length).get(bytes);
          List<Long> shape = LongStream.of(tensor.shape()).boxed().toList();
          kept.add(
              new SafetensorsWriter.Tensor(
                  tensor.name(), tensor.type(), shape, into -> into.write(bytes)));
        }
      }
      SafetensorsWriter.write(folder.resolve(stem + ".safetensors"), Map.of("format", "pt"), kept);
    }
  }

  /** Finite numbers, and a matrix without an inverse: libtorch, like PEFT, cannot go on. */
  @Test
  void numbersThatNobodyCanUseAreAnErrorOfTheirRowsAlone(@TempDir Path folder) throws IOException {
    Path sound = Fixtures.path("sets/bert/adapters/oft2"); // an exact Cayley transform
    Files.copy(sound.resolve("adapter_config.json"), folder.resolve("adapter_config.json"));
    byte[] file = Files.readAllBytes(sound.resolve("adapter_model.safetensors"));
    int header = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getInt() + 8;
    ByteBuffer numbers = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = header; at < file.length; at += 4) {
      numbers.putFloat(at, 1e19f);
    }
    Files.write(folder.resolve("adapter_model.safetensors"), file);
    Map<String, AdapterSource> adapters =
        Map.of(
            "huge", AdapterSource.of(folder.toString()), "oft", source("sets/bert/adapters/oft"));
    try (Engine engine = Engine.load(EngineSpec.of(SPEC.base(), SPEC.task(), adapters))) {
      List<Result> results =
          engine.run(
              List.of(
                  Request.of("a dog", "oft"),
                  Request.of("a dog", "huge"),
                  Request.of("a dog", "oft+huge")));
      assertThat(results.get(0).error()).isNull();
      for (Result result : results.subList(1, 3)) {
        assertThat(result.error().code()).isEqualTo(Code.ADAPTER_UNFIT);
        assertThat(result.error().message())
            .startsWith("huge: ")
            .contains("libtorch cannot work with its numbers");
      }
    }
  }

  /** Biases count wherever their member stands; PEFT drops them where it is not the first. */
  @Test
  void biasCountsInAnyPlace() {
    try (Engine engine = Engine.load(SPEC)) {
      same(run(engine, "lora+bias-lora-only"), run(engine, "bias-lora-only+lora"));
      differ(run(engine, "lora+bias-lora-only"), run(engine, "lora+qv"));
    }
  }

  /** One member's head and one member's biases count, for the rows of that set only. */
  @Test
  void whatOneMemberBringsIsTheSets() {
    try (Engine engine = Engine.load(SPEC)) {
      Result base = run(engine, "__base__");
      assertThat(scores(run(engine, "lora+head-2-labels"))).hasSize(2);
      assertThat(scores(run(engine, "head-2-labels+lora"))).hasSize(2);
      differ(run(engine, "lora+bias-all"), run(engine, "lora+qv"));
      assertThat(scores(run(engine, "lora"))).hasSize(3);
      same(run(engine, "__base__"), base);
    }
  }

  @Test
  void savedSetStandsWhereAnAdapterDoes(@TempDir Path folder) {
    Storage storage = Storage.standard();
    SetManifest.of(storage, SPEC, "0.5*lora+oft+head").write(folder);
    Map<String, AdapterSource> adapters =
        Map.of(
            "triage",
            AdapterSource.of(folder.toString()),
            "dora",
            source("sets/bert/adapters/dora"));
    EngineSpec saved = EngineSpec.of(SPEC.base(), SPEC.task(), adapters);
    try (Engine engine = Engine.load(SPEC);
        Engine other = Engine.load(saved)) {
      same(run(other, "triage"), run(engine, "0.5*lora+oft+head"));
      same(run(other, "triage+dora"), run(engine, "0.5*lora+oft+head+dora"));
      same(run(other, "triage/oft"), run(engine, "oft"));
    }
    SetManifest read =
        SetManifest.read(storage, dev.medley.io.Location.of(folder + "/mixed_set.json"));
    assertThat(read.members())
        .extracting(SetManifest.Member::name)
        .containsExactly("lora", "oft", "head");
    assertThat(read.members())
        .extracting(SetManifest.Member::weight)
        .containsExactly(0.5, 1.0, 1.0);
    assertThat(read.base()).isEqualTo("bert-sequence");
    assertThat(read.fingerprint()).matches("[0-9a-f]{64}");
  }

  /** As rows may ask for it: alone, the others could score nothing on a base without a head. */
  @Test
  void setThatHasAHeadIsSavedWhereItsBaseHasNone(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    Path base = Files.createDirectory(folder.resolve("base"));
    for (String name : List.of("config.json", "tokenizer.json", "tokenizer_config.json")) {
      Files.copy(Path.of(SPEC.base()).resolve(name), base.resolve(name));
    }
    copyWithout(Location.of(SPEC.base()), "model", "classifier.", base);
    EngineSpec headless =
        EngineSpec.of(
            base.toString(),
            TextClassification.AUTO,
            Map.of(
                "lora", source("sets/bert/adapters/lora"),
                "oft", source("sets/bert/adapters/oft"),
                "head", source("sets/bert/adapters/head")));
    SetManifest.of(storage, headless, "0.5*lora+head").write(folder);
    Map<String, AdapterSource> saved = Map.of("triage", AdapterSource.of(folder.toString()));
    EngineSpec spec = EngineSpec.of(headless.base(), headless.task(), saved);
    try (Engine engine = Engine.load(headless);
        Engine other = Engine.load(spec)) {
      assertThat(run(engine, "0.5*lora+head").error()).isNull();
      same(run(other, "triage"), run(engine, "0.5*lora+head"));
    }
    try (Engine failing = Engine.load(spec.with(EngineSpec.OnError.FAIL))) {
      assertThat(run(failing, "triage").error()).isNull();
    }
    EngineSpec named = headless.withSets(Map.of("bare", List.of("lora", "oft")));
    assertThatThrownBy(() -> Engine.load(named))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("set bare: classifier.weight: neither the base nor a member has it");
    assertThatThrownBy(() -> SetManifest.of(storage, headless, "lora+oft"))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("classifier.weight: neither the base nor this adapter has it");
  }

  @Test
  void savedSetWhoseFilesChangedIsRefused(@TempDir Path folder) throws IOException {
    Path adapter = Files.createDirectories(folder.resolve("set/lora"));
    Path original = Fixtures.path("sets/bert/adapters/lora");
    for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(original.resolve(name), adapter.resolve(name));
    }
    Storage storage = Storage.standard();
    EngineSpec spec =
        EngineSpec.of(
            SPEC.base(), SPEC.task(), Map.of("lora", AdapterSource.of(adapter.toString())));
    SetManifest.of(storage, spec, "lora").write(folder.resolve("set"));
    Path moved = Files.move(folder.resolve("set"), folder.resolve("moved")); // members go with it
    EngineSpec saved =
        EngineSpec.of(SPEC.base(), SPEC.task(), Map.of("s", AdapterSource.of(moved.toString())));
    assertThat(Validation.of(saved, storage).problems()).isEmpty();

    Path config = moved.resolve("lora/adapter_config.json");
    String text = Files.readString(config);
    Files.writeString(config, text.replace("\"lora_alpha\": 11", "\"lora_alpha\": 12"));
    assertThat(Validation.of(saved, storage).problems())
        .singleElement()
        .asString()
        .startsWith("set s: " + config + ": config_sha256: expected ")
        .endsWith("; the file has changed since the set was saved");

    Files.writeString(config, text);
    Files.copy(
        Fixtures.path("sets/bert/adapters/head").resolve("adapter_model.safetensors"),
        moved.resolve("lora/adapter_model.safetensors"),
        java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    assertThat(Validation.of(saved, storage).adapters().get(0).problems())
        .anyMatch(problem -> problem.contains("sha256: expected "));
  }

  /** A saved set is a set like any other: in named sets, in further saved ones, and in a row. */
  @Test
  void savedSetMayStandInOthers(@TempDir Path folder) {
    Storage storage = Storage.standard();
    SetManifest.of(storage, SPEC, "0.5*lora+loha").write(folder.resolve("soft"));
    Map<String, AdapterSource> adapters =
        Map.of(
            "soft", AdapterSource.of(folder.resolve("soft").toString()),
            "oft", source("sets/bert/adapters/oft"));
    EngineSpec spec =
        EngineSpec.of(SPEC.base(), SPEC.task(), adapters)
            .withSets(
                Map.of("both", List.of("2*soft", "oft"), "all", List.of("both", "soft/lora")));
    SetManifest.of(storage, spec, "all").write(folder.resolve("all"));
    EngineSpec again =
        EngineSpec.of(
            SPEC.base(),
            SPEC.task(),
            Map.of("s", AdapterSource.of(folder.resolve("all").toString())));
    try (Engine engine = Engine.load(SPEC);
        Engine nested = Engine.load(spec);
        Engine saved = Engine.load(again)) {
      Result expected = run(engine, "lora+2*loha+oft+lora");
      same(run(nested, "all"), expected);
      same(run(nested, "2*soft+oft+soft/lora"), expected);
      same(run(saved, "s"), expected);
    }
  }

  @Test
  void namesThatWouldHideAnotherAreRefused(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    SetManifest.of(storage, SPEC, "lora+loha").write(folder);
    AdapterSource set = AdapterSource.of(folder.toString());
    Map<String, AdapterSource> hiding = Map.of("s", set, "s/lora", SPEC.adapters().get("oft"));
    EngineSpec spec = EngineSpec.of(SPEC.base(), SPEC.task(), Map.of("s", set));
    assertThat(Validation.of(EngineSpec.of(SPEC.base(), SPEC.task(), hiding), storage).problems())
        .containsExactly("set s: another adapter is named s/lora");
    assertThat(Validation.of(spec.withSets(Map.of("s", List.of("s/lora"))), storage).problems())
        .containsExactly("set s: another set has the same name");
    EngineSpec pinned = spec.with(SPEC.base(), Map.of("s", set.withSha256("0".repeat(64))));
    assertThat(Validation.of(pinned, storage).problems())
        .containsExactly(
            "set s: sha256: expected one of an archive alone, since a saved set has those of its"
                + " members; leave it out");
    AdapterSource labelled = AdapterSource.of(folder.toString(), List.of("yes", "no"));
    assertThat(Validation.of(spec.with(SPEC.base(), Map.of("s", labelled)), storage).problems())
        .containsExactly("set s: labels: a saved set has those of its members; leave them out");
    EngineSpec around = SPEC.withSets(Map.of("a", List.of("b"), "b", List.of("lora", "a")));
    assertThat(Validation.of(around, storage).problems())
        .singleElement()
        .asString()
        .endsWith(" contains itself");

    edit(folder, json -> ((ObjectNode) json.get("members").get(1)).put("name", "lora"));
    assertThat(Validation.of(spec, storage).problems())
        .containsExactly("set s: another adapter is named s/lora");
  }

  @Test
  void adapterOutOfReachIsAnErrorOfItsRowsAlone() {
    Map<String, AdapterSource> adapters =
        Map.of(
            "far", AdapterSource.of("nosuchfs://host/far"),
            "near", source("sets/bert/adapters/lora"));
    EngineSpec spec = EngineSpec.of(SPEC.base(), SPEC.task(), adapters);
    Validation validation = Validation.of(spec, Storage.standard());
    assertThat(validation.problems()).isEmpty();
    assertThat(validation.adapters())
        .filteredOn(adapter -> !adapter.problems().isEmpty())
        .singleElement()
        .satisfies(adapter -> assertThat(adapter.name()).isEqualTo("far"));
    try (Engine engine = Engine.load(spec)) {
      assertThat(run(engine, "far").error().code()).isEqualTo(Code.ADAPTER_UNFIT);
      assertThat(run(engine, "near").error()).isNull();
    }
  }

  @Test
  void baseOutOfReachIsAProblemBesideASavedSet(@TempDir Path folder) {
    Storage storage = Storage.standard();
    SetManifest.of(storage, SPEC, "lora+loha").write(folder);
    Map<String, AdapterSource> set = Map.of("s", AdapterSource.of(folder.toString()));
    EngineSpec far = EngineSpec.of("nosuchfs://host/base", SPEC.task(), set);
    assertThat(Validation.of(far, storage).problems())
        .isNotEmpty()
        .allMatch(problem -> problem.contains("nosuchfs://host/base"));
  }

  /** Also by an engine that nobody validated: its rows would be the base's. */
  @Test
  void setOfNothingIsRefused() {
    try (BaseModel base =
        BaseModel.load(
            Storage.standard(),
            Fixtures.location("models/bert-sequence"),
            SPEC.task().head(),
            Device.cpu(),
            SPEC.dtype())) {
      for (List<String> members : List.of(List.<String>of(), List.of("__base__"))) {
        EngineSpec spec = SPEC.withSets(Map.of("nothing", members, "around", List.of("nothing")));
        assertThatThrownBy(() -> Engine.on(base, Storage.standard(), spec))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageEndingWith(": expected at least one adapter, found none");
      }
    }
  }

  @Test
  void setThatCannotBeUsedIsNotSaved() {
    for (String set : List.of("head+head-2-labels", "0.5*oft", "lora+nobody")) {
      assertThatThrownBy(() -> SetManifest.of(Storage.standard(), SPEC, set))
          .isInstanceOf(LoadException.class)
          .hasMessageStartingWith("set " + set + ": ");
    }
  }

  /** A member may lie in the set's own folder. */
  @Test
  void memberBesideTheManifestIsFound(@TempDir Path folder) throws IOException {
    Path original = Fixtures.path("sets/bert/adapters/lora");
    for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(original.resolve(name), folder.resolve(name));
    }
    EngineSpec spec =
        EngineSpec.of(SPEC.base(), SPEC.task(), Map.of("m", AdapterSource.of(folder.toString())));
    SetManifest.of(Storage.standard(), spec, "0.5*m").write(folder);
    AdapterSource file = AdapterSource.of(folder.resolve(SetManifest.FILE).toString());
    try (Engine engine = Engine.load(SPEC);
        Engine saved = Engine.load(EngineSpec.of(SPEC.base(), SPEC.task(), Map.of("s", file)))) {
      same(run(saved, "s"), run(engine, "0.5*lora"));
    }
    assertThat(Files.list(folder)).hasSize(3);
  }

  /** A set out of a bucket reads no file of this machine. */
  @Test
  void setFromFarAwayNamesNothingOnThisMachine(@TempDir Path folder) throws IOException {
    RemoteFileSystem.reset();
    Storage far = new Storage(RemoteFileSystem.conf(), folder.resolve("cache"));
    SetManifest manifest = SetManifest.of(far, SPEC, "lora+oft");
    manifest.write(folder.resolve("set"));
    Location remote = RemoteFileSystem.location(folder.resolve("set"));
    String path = manifest.members().get(0).source().uri();
    assertThatThrownBy(() -> SetManifest.read(far, remote))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(
            "path: expected a place beside the set or a URI, since the set is not on this machine,"
                + " found "
                + path);
  }

  @Test
  void weightsOfNextToNothingAreErrors() {
    try (Engine engine = Engine.load(SPEC.withSets(Map.of("tenth", List.of("1e-5*lora"))))) {
      assertThat(run(engine, "1e-50*lora").error())
          .isEqualTo(
              new RowError(
                  Code.ADAPTER_SYNTAX,
                  "adapter: expected weights of a size from 1.0E-6 to 1000000.0, found 1.0E-50 in"
                      + " 1e-50*lora"));
      assertThat(run(engine, "0.01*tenth").error().code()).isEqualTo(Code.ADAPTER_SYNTAX);
    }
  }

  @Test
  void savedSetOfAnotherBaseIsRefused(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    SetManifest.of(storage, SPEC, "lora+oft").write(folder);
    edit(folder, json -> ((ObjectNode) json.get("base")).put("fingerprint", "0".repeat(64)));
    EngineSpec saved =
        EngineSpec.of(SPEC.base(), SPEC.task(), Map.of("s", AdapterSource.of(folder.toString())));
    assertThat(Validation.of(saved, storage).problems())
        .singleElement()
        .asString()
        .startsWith("set s: was put together for the base bert-sequence with fingerprint 000")
        .endsWith("; save it again over this base");

    edit(folder, json -> json.put("colour", "red"));
    assertThat(Validation.of(saved, storage).problems())
        .singleElement()
        .asString()
        .contains("mixed_set.json", "colour");
  }

  private static Path copied(String adapter, Path folder) throws IOException {
    Files.createDirectories(folder);
    for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(Fixtures.path(adapter).resolve(name), folder.resolve(name));
    }
    return folder;
  }

  private static EngineSpec saved(Path set) {
    Map<String, AdapterSource> adapters = Map.of("s", AdapterSource.of(set.toString()));
    return EngineSpec.of(SPEC.base(), SPEC.task(), adapters);
  }

  /** Names that were exchanged would exchange what rows are told. */
  @Test
  void labelsOfAMemberArePinned(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    Path head = copied("models/bert-sequence/adapters/head-2-labels", folder.resolve("head"));
    EngineSpec spec =
        EngineSpec.of(SPEC.base(), SPEC.task(), Map.of("head", AdapterSource.of(head.toString())));
    Path config = head.resolve("config.json");
    String text = "{\"id2label\": {\"0\": \"no\", \"1\": \"yes\"}}";

    Files.writeString(config, text);
    SetManifest.of(storage, spec, "head").write(folder);
    assertThat(Validation.of(saved(folder), storage).problems()).isEmpty();
    try (Engine engine = Engine.load(saved(folder))) {
      assertThat(labels(run(engine, "s"))).containsExactly("no", "yes");
    }
    Files.writeString(config, "{\"id2label\": {\"0\": \"yes\", \"1\": \"no\"}}");
    assertThat(Validation.of(saved(folder), storage).problems())
        .singleElement()
        .asString()
        .startsWith("set s: " + config + ": labels_sha256: expected " + Sha256.of(text) + ", found")
        .endsWith("; the file has changed since the set was saved");
    assertThatThrownBy(
            () -> PeftModel.fromPretrained(SPEC.base(), SPEC.task(), folder.toString(), "s"))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("labels_sha256: expected ");
    Files.delete(config);
    assertThat(Validation.of(saved(folder), storage).problems())
        .containsExactly(
            "set s: "
                + config
                + ": labels_sha256: expected "
                + Sha256.of(text)
                + ", found no such file; the file has changed since the set was saved");

    SetManifest.of(storage, spec, "head").write(folder);
    assertThat(Validation.of(saved(folder), storage).problems()).isEmpty();
    Files.writeString(config, text); // as of a set that was saved before labels were pinned
    assertThat(Validation.of(saved(folder), storage).problems())
        .containsExactly(
            "set s: "
                + config
                + ": labels_sha256: expected no such file, found "
                + Sha256.of(text)
                + "; the file has changed since the set was saved");
  }

  @Test
  void weightThatNoColumnCouldGiveIsRefused(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    SetManifest.of(storage, SPEC, "lora+oft").write(folder);
    String where = "set s: " + folder.resolve("mixed_set.json") + " members[0]: ";
    for (double weight : new double[] {0, 1e300, 1e-7}) {
      edit(folder, json -> ((ObjectNode) json.get("members").get(0)).put("weight", weight));
      assertThat(Validation.of(saved(folder), storage).problems())
          .containsExactly(
              where
                  + "adapter: expected weights of a size from 1.0E-6 to 1000000.0, found "
                  + weight
                  + " in "
                  + weight
                  + "*lora");
    }
    edit(folder, json -> ((ObjectNode) json.get("members").get(0)).putNull("weight"));
    assertThat(Validation.of(saved(folder), storage).problems())
        .containsExactly(where + "weight: expected a number, found null");
    edit(folder, json -> ((ObjectNode) json.get("members").get(0)).put("weight", -0.5));
    assertThat(Validation.of(saved(folder), storage).problems()).isEmpty();
    edit(folder, json -> json.remove("format"));
    assertThat(Validation.of(saved(folder), storage).problems())
        .containsExactly(
            "set s: "
                + folder.resolve("mixed_set.json")
                + ": format: expected medley-mixed-set, version 1, found none, version 1");
  }

  /** Which is where its files would go when it is saved elsewhere. */
  @Test
  void nameOfAMemberStaysBelowTheSet(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    SetManifest.of(storage, SPEC, "lora+oft").write(folder);
    for (String name : List.of("../x", "/x", "x/../../y", "..", "a\\b", "x/")) {
      edit(folder, json -> ((ObjectNode) json.get("members").get(0)).put("name", name));
      assertThat(Validation.of(saved(folder), storage).problems())
          .containsExactly(
              "set s: "
                  + folder.resolve("mixed_set.json")
                  + " members[0]: name: expected one that may name a folder, found "
                  + name);
    }
    Map<String, AdapterSource> out = Map.of("../x", source("sets/bert/adapters/lora"));
    EngineSpec spec = EngineSpec.of(SPEC.base(), SPEC.task(), out);
    assertThatThrownBy(() -> SetManifest.of(storage, spec, "../x"))
        .hasMessage("set ../x: name: expected one that may name a folder, found ../x");
  }

  @Test
  void memberThatIsASavedSetIsCalledOne(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    SetManifest.of(storage, SPEC, "lora+oft").write(folder.resolve("one"));
    SetManifest.of(storage, SPEC, "lora+oft").write(folder.resolve("other"));
    for (String path : List.of(folder.resolve("one").toString(), ".")) {
      edit(
          folder.resolve("other"),
          json -> ((ObjectNode) json.get("members").get(1)).put("path", path));
      String where = path.equals(".") ? folder.resolve("other").toString() : path;
      assertThat(Validation.of(saved(folder.resolve("other")), storage).problems())
          .containsExactly(
              "set s: "
                  + where
                  + ": expected an adapter, found a saved set (mixed_set.json); put the members of"
                  + " that set in its place");
    }
  }

  @Test
  void shardedMemberIsPinnedByAllOfItsFiles(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    Path shards =
        ShardedAdapter.of(Fixtures.path("sets/bert/adapters/lora"), folder.resolve("sharded"));
    EngineSpec spec =
        EngineSpec.of(
            SPEC.base(), SPEC.task(), Map.of("sharded", AdapterSource.of(shards.toString())));
    SetManifest.of(storage, spec, "0.5*sharded").write(folder);
    try (Engine engine = Engine.load(SPEC);
        Engine other = Engine.load(saved(folder))) {
      same(run(other, "s"), run(engine, "0.5*lora"));
    }
    for (String name : ShardedAdapter.WEIGHTS) {
      Path file = shards.resolve(name);
      byte[] bytes = Files.readAllBytes(file);
      byte[] other = bytes.clone();
      other[other.length - 1] =
          (byte) (name.endsWith(".json") ? '\n' : other[other.length - 1] ^ 1);
      Files.write(file, name.endsWith(".json") ? (new String(bytes) + "\n").getBytes() : other);
      assertThat(Validation.of(saved(folder), storage).adapters().get(0).problems())
          .as(name)
          .anyMatch(
              problem ->
                  problem.startsWith(
                      shards.resolve("adapter_model.safetensors.index.json") + ": sha256: "));
      Files.write(file, bytes);
    }
    assertThat(Validation.of(saved(folder), storage).adapters().get(0).problems()).isEmpty();
  }

  /** Before anything in it is looked at. */
  @Test
  void hashPinsTheArchiveOfASet(@TempDir Path folder) throws IOException {
    Storage storage = Storage.standard();
    copied("sets/bert/adapters/lora", folder.resolve("set/lora"));
    EngineSpec spec =
        EngineSpec.of(
            SPEC.base(),
            SPEC.task(),
            Map.of("lora", AdapterSource.of(folder.resolve("set/lora").toString())));
    SetManifest.of(storage, spec, "0.5*lora").write(folder.resolve("set"));
    Path zip = ArchiveFile.ofFolder(folder.resolve("set.zip"), folder.resolve("set"), "");
    AdapterSource archive = AdapterSource.of(zip.toString());
    EngineSpec pinned = spec.with(SPEC.base(), Map.of("s", archive.withSha256(Sha256.of(zip))));
    assertThat(Validation.of(pinned, storage).problems()).isEmpty();
    try (Engine engine = Engine.load(SPEC);
        Engine other = Engine.load(pinned)) {
      same(run(other, "s"), run(engine, "0.5*lora"));
    }
    EngineSpec wrong = spec.with(SPEC.base(), Map.of("s", archive.withSha256("0".repeat(64))));
    Validation validation = Validation.of(wrong, storage);
    assertThat(validation.problems()).isEmpty();
    assertThat(validation.adapters())
        .singleElement()
        .satisfies(
            check ->
                assertThat(check.problems())
                    .containsExactly(
                        zip
                            + ": sha256: expected "
                            + "0".repeat(64)
                            + ", found "
                            + Sha256.of(zip)
                            + "; the file has changed since the hash was taken"));
  }

  private static void edit(Path folder, Consumer<ObjectNode> change) throws IOException {
    Path file = folder.resolve(SetManifest.FILE);
    ObjectNode json = (ObjectNode) new ObjectMapper().readTree(file.toFile());
    change.accept(json);
    Files.writeString(file, json.toString());
  }

  @Test
  void namedSetsAreCheckedBeforeAnyWeightIsRead() {
    Map<String, List<String>> named = new LinkedHashMap<>();
    named.put("two-heads", List.of("head", "head-2-labels"));
    named.put("half-oft", List.of("0.5*oft"));
    named.put("unknown", List.of("lora", "nobody"));
    named.put("qv", List.of("lora"));
    named.put("empty", List.of());
    named.put("fine", List.of("lora", "oft", "0.3*loha"));
    assertThat(Validation.of(SPEC.withSets(named), Storage.standard()).problems())
        .containsExactlyInAnyOrder(
            "set two-heads: classifier.bias: both head and head-2-labels bring it; a set takes it"
                + " from one member",
            "set two-heads: classifier.weight: both head and head-2-labels bring it; a set takes it"
                + " from one member",
            "set half-oft: 0.5*oft: what OFT does under this config cannot be scaled apart from"
                + " the base's output; use the adapter whole",
            "set unknown: no adapter is named nobody",
            "set qv: an adapter has the same name",
            "set empty: expected at least one adapter, found none");
  }
}
