package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import dev.medley.engine.RowError.Code;
import dev.medley.io.ArchiveFile;
import dev.medley.io.LoadException;
import dev.medley.io.RemoteFileSystem;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import java.io.IOException;
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

  private static AdapterSource archive(Path file, String top) throws IOException {
    return AdapterSource.of(ArchiveFile.ofFolder(file, Path.of(QV), top).toString());
  }

  @Test
  void archiveIsAnAdapter(@TempDir Path folder) throws IOException {
    EngineSpec spec =
        EngineSpec.of(
            BASE,
            TextClassification.AUTO,
            Map.of(
                "folder", AdapterSource.of(QV),
                "zip", archive(folder.resolve("a.zip"), ""),
                "tar.gz", archive(folder.resolve("a.tar.gz"), "./"),
                "tgz", archive(folder.resolve("a.tgz"), "qv/")));
    try (Engine engine = Engine.load(spec)) {
      List<Result> expected = engine.run(List.of(Request.of("a dog", "folder")));
      assertThat(expected.get(0).prediction()).isNotNull();
      for (String name : List.of("zip", "tar.gz", "tgz")) {
        assertThat(engine.run(List.of(Request.of("a dog", name)))).isEqualTo(expected);
      }
    }
  }

  /** What it holds is looked at by nobody before its hash is known to be right. */
  @Test
  void hashOfAnArchiveIsTheArchives(@TempDir Path folder) throws IOException {
    AdapterSource zip = archive(folder.resolve("a.zip"), "");
    Path cache = folder.resolve("cache");
    Storage storage = new Storage(RemoteFileSystem.conf(), cache);
    assertThat(zip.hash(storage)).isEqualTo(Sha256.of(folder.resolve("a.zip")));
    assertThat(AdapterSource.of(QV).hash(storage)).isEqualTo(RIGHT);
    EngineSpec spec =
        EngineSpec.of(BASE, TextClassification.AUTO, Map.of("zip", zip.withSha256(RIGHT)));
    assertThat(Validation.of(spec, storage).adapters().get(0).problems())
        .containsExactly(
            zip.uri()
                + ": sha256: expected "
                + RIGHT
                + ", found "
                + zip.hash(storage)
                + "; the file has changed since the hash was taken");
    spec = spec.with(BASE, Map.of("zip", zip.withSha256(zip.hash(storage))));
    assertThat(Validation.of(spec, storage).adapters().get(0).problems()).isEmpty();
  }

  @Test
  void archiveThatChangesAfterValidationIsRefused(@TempDir Path folder) throws IOException {
    AdapterSource zip = archive(folder.resolve("a.zip"), "");
    Storage storage = Storage.standard();
    AdapterSource pinned = zip.withSha256(zip.hash(storage));
    EngineSpec spec =
        EngineSpec.of(BASE, TextClassification.AUTO, Map.of("zip", zip, "pinned", pinned));
    try (Engine engine = Engine.load(spec)) {
      ArchiveFile.ofFolder(
          folder.resolve("a.zip"), Path.of(BASE + "/adapters/head-7-labels"), "another/");
      List<Result> results =
          engine.run(List.of(Request.of("a dog", "zip"), Request.of("a dog", "pinned")));
      assertThat(results.get(0).error().message())
          .isEqualTo(
              "zip: "
                  + zip.uri()
                  + ": its config has changed since it was validated; start the job again");
      assertThat(results.get(1).error().message())
          .startsWith(
              "pinned: " + zip.uri() + ": sha256: expected " + pinned.sha256() + ", found ");
    }
  }

  @Test
  void savedSetMayHaveArchives(@TempDir Path folder) throws IOException {
    EngineSpec spec =
        EngineSpec.of(
            BASE, TextClassification.AUTO, Map.of("zip", archive(folder.resolve("a.zip"), "")));
    Storage storage = Storage.standard();
    SetManifest.of(storage, spec, "0.5*zip").write(folder.resolve("set"));
    EngineSpec saved =
        EngineSpec.of(
            BASE,
            TextClassification.AUTO,
            Map.of("set", AdapterSource.of(folder.resolve("set").toString())));
    Validation validation = Validation.of(saved, storage);
    assertThat(validation.problems()).isEmpty();
    assertThat(validation.adapters().get(0).problems()).isEmpty();
    assertThat(validation.spec().adapters().get("set/zip").sha256())
        .isEqualTo(Sha256.of(folder.resolve("a.zip")));
  }

  @Test
  void configIsNoLongerThanItMayBe(@TempDir Path folder) throws IOException {
    String config = Files.readString(Path.of(QV, "adapter_config.json"));
    String padded = config + " ".repeat(AdapterSource.LARGEST_CONFIG + 1 - config.length());
    Files.writeString(folder.resolve("adapter_config.json"), padded);
    AdapterSource source = AdapterSource.of(folder.toString());
    assertThatThrownBy(() -> source.resolve(Storage.standard()))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            folder + "/adapter_config.json: expected a text of at most 10000000 bytes, found more");
    Files.writeString(
        folder.resolve("adapter_config.json"), padded.substring(0, padded.length() - 1));
    assertThat(source.resolve(Storage.standard()).config().rank()).isEqualTo("3");
  }

  /** Whatever an adapter says of its base, only its own files are read. */
  @Test
  void placeThatAConfigNamesIsNotLookedAt(@TempDir Path folder) throws IOException {
    RemoteFileSystem.reset();
    Files.copy(
        Path.of(QV, "adapter_model.safetensors"), folder.resolve("adapter_model.safetensors"));
    Files.writeString(
        folder.resolve("adapter_config.json"),
        Files.readString(Path.of(QV, "adapter_config.json"))
            .replaceFirst(
                "\"base_model_name_or_path\": *[^,]*",
                "\"base_model_name_or_path\": \"remote://" + folder + "/../secret\""));
    AdapterSource source = AdapterSource.of(RemoteFileSystem.location(folder).uri());
    EngineSpec spec = EngineSpec.of(BASE, TextClassification.AUTO, Map.of("a", source));
    Storage storage = new Storage(RemoteFileSystem.conf(), folder.resolve("cache"));
    Validation validation = Validation.of(spec, storage);
    assertThat(validation.adapters().get(0).problems()).isEmpty();
    assertThat(validation.spec().adapters().get("a").configJson()).contains("/../secret");
    assertThat(RemoteFileSystem.FURTHEST)
        .containsOnlyKeys("adapter_config.json", "adapter_model.safetensors");
  }

  @Test
  void credentialsAreNotShown() {
    AdapterSource source = AdapterSource.of("s3a://key:secret@bucket/m").withSha256(RIGHT);
    assertThat(source).hasToString("adapter at s3a://bucket/m");
    assertThat(EngineSpec.of(source.uri(), TextClassification.AUTO, Map.of("a", source)))
        .hasToString("text-classification over s3a://bucket/m under 1 adapters and 0 sets");
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
