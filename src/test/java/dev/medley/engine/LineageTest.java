package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.engine.EngineSpec.Extra;
import dev.medley.engine.Lineage.Member;
import dev.medley.engine.Merging.Mode;
import dev.medley.engine.Prediction.Generation;
import dev.medley.engine.RowError.Code;
import dev.medley.io.Location;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LineageTest {
  private static final Path BASE = Fixtures.path("models/bert-sequence");
  private static final Path MEMBERS = Fixtures.path("sets/bert/adapters");
  private static final String FINGERPRINT =
      SetManifest.fingerprint(Storage.standard(), Location.of(BASE.toString()));

  private static EngineSpec spec() {
    Map<String, AdapterSource> adapters = new LinkedHashMap<>();
    for (String name : List.of("lora", "oft", "loha")) {
      adapters.put(name, AdapterSource.of(MEMBERS.resolve(name).toString()));
    }
    return EngineSpec.of(BASE.toString(), TextClassification.AUTO, adapters)
        .withSets(Map.of("both", List.of("0.5*lora", "oft")))
        .with(Extra.LINEAGE);
  }

  /** By the files themselves. */
  private static Member member(String name, double weight) {
    Path folder = MEMBERS.resolve(name);
    return new Member(
        name,
        weight,
        Sha256.of(folder.resolve("adapter_model.safetensors")),
        Sha256.of(folder.resolve("adapter_config.json")));
  }

  private static List<Lineage> lineages(EngineSpec spec, Request... requests) {
    try (Engine engine = Engine.load(spec)) {
      return engine.run(List.of(requests)).stream().map(Result::lineage).toList();
    }
  }

  @Test
  void rowsSayWhichBytesMadeThemHowAndOnWhat() {
    EngineSpec spec = spec().with(Merging.AUTO.with(Mode.NEVER));
    String text = "a lazy dog"; // 9 tokens, two special ones among them
    List<Lineage> lineages =
        lineages(
            spec,
            Request.of(text),
            Request.of(text, "lora"),
            Request.of(text, "both"),
            Request.of(text, " 5e-1 * lora+oft"),
            new Request(text, List.of("oft", "0.5*lora")));
    String version = Version.OF_THIS_LIBRARY;
    assertThat(version).matches("[0-9]+\\.[0-9]+\\.[0-9]+.*");
    List<Member> both = List.of(member("lora", 0.5), member("oft", 1));
    Lineage mixed =
        new Lineage(FINGERPRINT, "0.5*lora+oft", both, version, "added", "cpu", 9, false);
    assertThat(lineages)
        .containsExactly(
            new Lineage(FINGERPRINT, "__base__", List.of(), version, "base", "cpu", 9, false),
            new Lineage(
                FINGERPRINT, "lora", List.of(member("lora", 1)), version, "added", "cpu", 9, false),
            mixed,
            mixed,
            new Lineage(
                FINGERPRINT,
                "oft+0.5*lora",
                List.of(member("oft", 1), member("lora", 0.5)),
                version,
                "added",
                "cpu",
                9,
                false));
  }

  /** One row fits no run of several batches, six rows in batches of two do where memory does. */
  @ParameterizedTest
  @CsvSource({
    "NEVER, 536870912, 6, added",
    "RUN, 536870912, 6, merged",
    "RUN, 536870912, 1, scratch",
    "RUN, 0, 6, scratch",
    "LAYER, 536870912, 6, scratch"
  })
  void modeIsTheOneThatTheBatchHad(Mode asked, long memory, int rows, String mode) {
    EngineSpec spec =
        spec().with(new Merging(asked, memory)).with(new Batching(2, 4096, 64, 0, true));
    Request[] requests = new Request[rows];
    Arrays.fill(requests, Request.of("a lazy dog", "both"));
    assertThat(lineages(spec, requests)).extracting(Lineage::mode).containsOnly(mode);
  }

  @Test
  void rowsInErrorSayWhatIsKnown() {
    EngineSpec spec = spec().with(new Batching(8, 999, 64, 4, true));
    String unfit = BASE.resolve("refused/wrong-rank").toString();
    Map<String, AdapterSource> adapters = new LinkedHashMap<>(spec.adapters());
    adapters.put("unfit", AdapterSource.of(unfit));
    List<Result> results;
    try (Engine engine = Engine.load(spec.with(spec.base(), adapters))) {
      results =
          engine.run(
              List.of(
                  Request.of("a lazy dog", "lora"),
                  Request.of(null, "both"),
                  Request.of("a dog", "lara"),
                  Request.of("a dog", "lora+"),
                  Request.of("a dog", "unfit"),
                  Request.failed(new RowError(Code.TEXT_NULL, "so it is"))));
    }
    Lineage cut = results.get(0).lineage();
    assertThat(results.get(0).error().code()).isEqualTo(Code.TEXT_TRUNCATED);
    assertThat(cut.truncated()).isTrue();
    assertThat(cut.tokens()).isEqualTo(4);
    List<Lineage> failed =
        results.subList(1, results.size()).stream().map(Result::lineage).toList();
    assertThat(results.subList(1, results.size())).noneMatch(r -> r.prediction() != null);
    assertThat(failed)
        .extracting(Lineage::adapterSet)
        .containsExactly("0.5*lora+oft", "lara", null, "unfit", null);
    assertThat(failed)
        .allSatisfy(
            each -> {
              assertThat(each.base()).isEqualTo(FINGERPRINT);
              assertThat(each.version()).isEqualTo(Version.OF_THIS_LIBRARY);
              assertThat(each.device()).isEqualTo("cpu");
              assertThat(each.adapters()).isNull();
              assertThat(each.mode()).isNull();
              assertThat(each.tokens()).isNull();
            });
    assertThat(failed).extracting(Lineage::truncated).containsExactly(null, null, null, true, null);
  }

  @Test
  void continuationsSayWhatTheModelWasGivenAndMade(@TempDir Path folder) {
    DecoderFolder.of("llama", folder);
    EngineSpec spec =
        EngineSpec.of(
                folder.toString(),
                TextGeneration.AUTO.withMaxNewTokens(5),
                DecoderFolder.adapters("llama"))
            .with(Extra.LINEAGE);
    List<Request> requests = new ArrayList<>();
    for (String adapter : List.of("", "lora", "oft+lora", "none")) {
      requests.add(Request.of("t20 t30 t40", adapter));
    }
    List<Result> results;
    try (Engine engine = Engine.load(spec)) {
      results = engine.run(requests);
    }
    for (Result result : results.subList(0, 3)) {
      Generation made = (Generation) result.prediction();
      assertThat(result.lineage().tokens())
          .isEqualTo(made.promptTokens() + made.generatedTokens())
          .isGreaterThan(3);
    }
    assertThat(results)
        .extracting(result -> result.lineage().mode())
        .containsExactly("base", "added", "added", null);
    assertThat(results.get(2).lineage().adapters())
        .extracting(Member::name)
        .containsExactly("oft", "lora");
    assertThat(results.get(2).lineage().adapters().get(1).sha256())
        .isEqualTo(
            Sha256.of(Fixtures.path("decoders/llama/adapters/lora/adapter_model.safetensors")));
    assertThat(results.get(3).lineage().adapterSet()).isEqualTo("none");
  }

  @Test
  void whoDoesNotAskForItGetsNoneAndNothingIsHashed() {
    EngineSpec asked = spec();
    EngineSpec plain =
        EngineSpec.of(asked.base(), asked.task(), asked.adapters()).withSets(asked.sets());
    try (Engine engine = Engine.load(plain)) {
      assertThat(engine.run(List.of(Request.of("a dog", "both"))).get(0).lineage()).isNull();
      try (AdapterStore.Lease lease = engine.store().lease(AdapterRef.of("lora"))) {
        assertThat(lease.content()).isEmpty();
      }
    }
  }
}
