package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.Fixtures;
import dev.medley.io.ChildJvm;
import dev.medley.io.RemoteFileSystem;
import dev.medley.io.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Rows of an adapter for which the cache folder has no room, among others. */
class FullDiskRowsTest {
  private static final Path MODEL = Fixtures.path("models/bert-sequence");

  /** More than a process may write under the limit below. */
  private static final int LARGE = 100_000;

  @TempDir Path folder;

  private static EngineSpec spec(Path adapters) {
    return EngineSpec.of(
            MODEL.toString(),
            TextClassification.AUTO,
            Map.of(
                "small", source(adapters.resolve("small")),
                "large", source(adapters.resolve("large"))))
        .with(new Batching(1, 4096, 64, 0, true)); // alone, a row is the same to the bit
  }

  private static AdapterSource source(Path folder) {
    return AdapterSource.of(RemoteFileSystem.location(folder).uri());
  }

  private static List<Request> requests() {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      String text = "dog ".repeat(1 + i);
      requests.add(
          switch (i % 4) {
            case 0 -> Request.of(text, "small");
            case 1 -> Request.of(text, "large");
            case 2 -> Request.of(text);
            default -> Request.of(text, "small+large");
          });
    }
    return requests;
  }

  private static void adapter(String from, Path to, int spaces) throws IOException {
    Path there = MODEL.resolve("adapters").resolve(from);
    Files.createDirectories(to);
    Files.copy(there.resolve("adapter_config.json"), to.resolve("adapter_config.json"));
    byte[] file = Files.readAllBytes(there.resolve("adapter_model.safetensors"));
    ByteBuffer old = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) old.getLong();
    ByteBuffer padded = ByteBuffer.allocate(file.length + spaces).order(ByteOrder.LITTLE_ENDIAN);
    padded.putLong(header + spaces).put(file, 8, header).put(" ".repeat(spaces).getBytes());
    padded.put(file, 8 + header, file.length - 8 - header);
    Files.write(to.resolve("adapter_model.safetensors"), padded.array());
  }

  @Test
  void itsRowsGetTheirErrorAndAllOthersAreTheSameToTheBit() throws Exception {
    adapter("qv", folder.resolve("small"), 0);
    adapter("trainable-tokens", folder.resolve("large"), LARGE);
    RemoteFileSystem.reset();
    List<String> expected = scored(folder, folder.resolve("roomy")); // unpacks libtorch, too
    assertThat(expected).hasSize(12).noneMatch(row -> row.contains("ADAPTER_UNFIT"));

    String cache = folder.resolve("cache").toString();
    List<String> rows =
        ChildJvm.finish(ChildJvm.limited("ulimit -f 128", Score.class, folder.toString(), cache), 0)
            .lines()
            .filter(line -> line.startsWith("row "))
            .toList();
    assertThat(rows).hasSize(12);
    IntStream.range(0, 12)
        .forEach(
            i -> {
              if (i % 2 == 0) {
                assertThat(rows.get(i)).isEqualTo(expected.get(i));
              } else {
                assertThat(rows.get(i))
                    .startsWith("row %d null ADAPTER_UNFIT".formatted(i))
                    .contains("could not be kept in the cache folder " + cache, "File too large");
              }
            });
  }

  private static List<String> scored(Path adapters, Path cache) {
    List<String> rows = new ArrayList<>();
    Storage storage = new Storage(RemoteFileSystem.conf(), cache);
    try (Engine engine = Engine.load(spec(adapters), storage)) {
      for (Result result : engine.run(requests())) {
        RowError error = result.error();
        String said = error == null ? "" : " " + error.code() + " " + error.message();
        rows.add("row " + rows.size() + " " + result.prediction() + said);
      }
    }
    return rows;
  }

  /** ADAPTERS CACHE. */
  static final class Score {
    public static void main(String[] args) {
      RemoteFileSystem.reset();
      scored(Path.of(args[0]), Path.of(args[1])).forEach(System.out::println);
    }
  }
}
