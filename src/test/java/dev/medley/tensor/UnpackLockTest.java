package dev.medley.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.io.ChildJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnpackLockTest {
  /** A JVM that starts libtorch out of this folder. */
  static final class Starts {
    public static void main(String[] args) {
      System.setProperty("DJL_CACHE_DIR", args[0]);
      System.out.println("threads: " + Torch.threads());
    }
  }

  /** DJL unpacks into a folder tmp… beside the one that it then gets its name. */
  @Test
  @Tag("long")
  void jvmsThatStartAtOnceUnpackOnce(@TempDir Path folder) throws Exception {
    List<Process> jvms =
        List.of(
            ChildJvm.start(Starts.class, folder.toString()),
            ChildJvm.start(Starts.class, folder.toString()));
    Set<String> unpacking = new TreeSet<>();
    while (jvms.stream().anyMatch(Process::isAlive)) {
      unpacking.addAll(children(folder.resolve("pytorch")));
      Thread.sleep(10);
    }
    for (Process jvm : jvms) {
      assertThat(ChildJvm.finish(jvm, 0)).startsWith("threads: ");
    }
    assertThat(unpacking).filteredOn(name -> name.startsWith("tmp")).hasSize(1);
    assertThat(children(folder.resolve("pytorch"))).hasSize(2).contains("medley.lock");
  }

  private static List<String> children(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return List.of();
    }
    try (Stream<Path> children = Files.list(folder)) {
      return children.map(child -> child.getFileName().toString()).toList();
    }
  }
}
