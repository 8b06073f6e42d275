package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.RowError.Code;
import dev.medley.io.LoadException;
import dev.medley.io.RemoteFileSystem;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterSourceTest {
  private static final String BASE = Fixtures.path("models/bert-sequence").toString();
  private static final String QV = BASE + "/adapters/qv";
  private static final String RIGHT =
      Sha256.of(Fixtures.path("models/bert-sequence/adapters/qv/adapter_model.safetensors"));
  private static final String WRONG = "0".repeat(64);

  private static EngineSpec spec(String sha256) {
    AdapterSource source = AdapterSource.of(QV).withSha256(sha256);
    return EngineSpec.of(BASE, TextClassification.AUTO, Map.of("qv", source));
  }

  private static String problem() {
    return QV
        + "/adapter_model.safetensors: sha256: expected "
        + WRONG
        + ", found "
        + RIGHT
        + "; the file has changed since the hash was taken";
  }

  @Test
  void validationNamesTheHashThatWasFound() {
    assertThat(Validation.of(spec(WRONG), Storage.standard()).adapters().get(0).problems())
        .containsExactly(problem());
    assertThat(Validation.of(spec(RIGHT), Storage.standard()).adapters().get(0).problems())
        .isEmpty();
  }

  @Test
  void weightsOfAnotherHashAreNeverLoaded() {
    List<Request> rows = List.of(Request.of("a dog", "qv"), Request.of("a dog"));
    try (Engine engine = Engine.load(spec(WRONG));
        Engine right = Engine.load(spec(RIGHT.toUpperCase(java.util.Locale.ROOT)))) {
      List<Result> results = engine.run(rows);
      assertThat(results.get(0))
          .isEqualTo(new Result(null, new RowError(Code.ADAPTER_UNFIT, "qv: " + problem())));
      assertThat(results.get(1).prediction()).isNotNull();
      assertThat(right.run(rows)).extracting(Result::error).containsOnlyNulls();
    }
  }

  @Test
  void remoteWeightsThatChangeAfterValidationAreRefused(@TempDir Path folder) throws Exception {
    RemoteFileSystem.reset();
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(Path.of(QV, file), folder.resolve(file));
    }
    Storage storage = new Storage(RemoteFileSystem.conf(), folder.resolve("cache"));
    AdapterSource source =
        AdapterSource.of(RemoteFileSystem.location(folder).uri()).resolve(storage);
    source.checkUnchanged(storage);
    Files.setLastModifiedTime(
        folder.resolve("adapter_model.safetensors"), FileTime.fromMillis(1_000_000));
    assertThatThrownBy(() -> source.checkUnchanged(storage))
        .isInstanceOf(LoadException.class)
        .hasMessageEndingWith(
            ": its weights have changed since it was validated; start the job again");
  }

  @Test
  void whatIsNoHashIsRefused() {
    assertThatThrownBy(() -> AdapterSource.of(QV).withSha256("abc"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("sha256: expected 64 hexadecimal digits, got abc");
  }
}
