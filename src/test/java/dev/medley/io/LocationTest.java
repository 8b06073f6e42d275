package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LocationTest {

  @ParameterizedTest
  @CsvSource({
    "/models/bert,                 /models/bert",
    "/models/bert/,                /models/bert",
    "/models//./bert,              /models/bert",
    "/link/../bert,                /link/../bert",
    "/,                            /",
    "file:/models/bert,            /models/bert",
    "file:///models/a%20b/,        /models/a b",
    "file://localhost/models,      /models",
    "'file:/models/a b',           /models/a b",
    "FILE:/models,                 /models",
    "hdfs://nn:8020/models/bert/,  hdfs://nn:8020/models/bert",
    "hdfs:///models,               hdfs:///models",
    "hdfs:///,                     hdfs:///",
    "s3a://bucket/,                s3a://bucket",
    "s3a://bucket/a%20b,           s3a://bucket/a%20b",
    "hf://org/name@main,           hf://org/name@main",
  })
  void sameFolderIsWrittenInOneWay(String given, String uri) {
    assertThat(Location.of(given).uri()).isEqualTo(uri);
    assertThat(Location.of(Location.of(given).uri())).isEqualTo(Location.of(given));
  }

  @Test
  void relativePathBecomesAbsolute() {
    assertThat(Location.of("./models/bert").path())
        .isEqualTo(Path.of("models/bert").toAbsolutePath());
    assertThat(Location.of("name:with-colon").path())
        .isEqualTo(Path.of("name:with-colon").toAbsolutePath());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "  ", "\t"})
  void blankIsRefused(String blank) {
    assertThatThrownBy(() -> Location.of(blank))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("expected a path or URI, found a blank one");
  }

  @Test
  void relativeFileUriIsRefused() {
    assertThatThrownBy(() -> Location.of("file:models"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("expected file: and an absolute path, found file:models");
  }

  @ParameterizedTest
  @CsvSource({
    "/m,            config.json,           /m/config.json",
    "/,             config.json,           /config.json",
    "s3a://bucket,  1_Pooling/config.json, s3a://bucket/1_Pooling/config.json",
    "hdfs:///,      a,                     hdfs:///a",
  })
  void childIsBelow(String folder, String child, String expected) {
    assertThat(Location.of(folder).resolve(child)).isEqualTo(Location.of(expected));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", " ", "..", ".", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "a\\..\\b"})
  void childThatCouldLeadElsewhereIsRefused(String child) {
    assertThatThrownBy(() -> Location.of("/m").resolve(child))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "expected a relative path below /m without empty, . or .. parts, found \"");
  }

  @ParameterizedTest
  @CsvSource({
    "/models/bert/,                      bert",
    "s3a://bucket/models/x.safetensors,  x.safetensors",
    "s3a://key:secret@bucket,            bucket",
  })
  void nameIsTheLastPart(String location, String name) {
    assertThat(Location.of(location).name()).isEqualTo(name);
  }

  @ParameterizedTest
  @CsvSource({
    "s3a://key:secret@bucket/m,                       s3a://bucket/m",
    "hdfs://alice@nn:8020/m,                          hdfs://nn:8020/m",
    "s3a://key:with@sign@bucket/m@2,                  s3a://bucket/m@2",
    "abfss://container@account.dfs.core.windows.net/m,"
        + " abfss://container@account.dfs.core.windows.net/m",
    "abfss://c:secret@account/m,                      abfss://account/m",
    "hf://org/gpt2@main,                              hf://org/gpt2@main",
    "s3a://key:sec/ret@bucket/m,                      s3a://bucket/m",
    "hdfs://nn:8020/m@2,                              hdfs://nn:8020/m@2",
    "hdfs://[::1]:8020/m@2,                           hdfs://[::1]:8020/m@2",
  })
  void credentialsAreNeverShown(String location, String shown) {
    assertThat(Location.of(location)).hasToString(shown);
  }

  @ParameterizedTest
  @CsvSource({
    "no s3a://key:secret@bucket/m or hdfs://u:p@nn:8020, no s3a://bucket/m or hdfs://nn:8020",
    "no s3a://key:sec/ret@bucket/m here,                 no s3a://bucket/m here",
    "no hdfs://nn:8020/m@2 here,                         no hdfs://nn:8020/m@2 here",
    "abfss://container@account/m: mail a@b.c,            abfss://container@account/m: mail a@b.c",
    "at http://host:80 a@b.c,                            at http://host:80 a@b.c",
  })
  void passwordsAreTakenOutOfAnyText(String text, String shown) {
    assertThat(Location.redacted(text)).isEqualTo(shown);
  }

  @Test
  void remoteLocationHasNoPath() {
    assertThat(Location.of("s3a://b/m").isLocal()).isFalse();
    assertThatThrownBy(() -> Location.of("s3a://k:secret@b/m").path())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("s3a://b/m is not a local path; fetch it first");
  }

  @Test
  void survivesSerialisation() throws Exception {
    var bytes = new ByteArrayOutputStream();
    try (var out = new ObjectOutputStream(bytes)) {
      out.writeObject(Location.of("s3a://b/m"));
    }
    try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isEqualTo(Location.of("s3a://b/m"));
    }
  }
}
