package dev.medley.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.io.LoadException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who may write to an output. */
class FolderClaimTest {
  private static final Duration BEAT = Duration.ofMillis(200);
  private static final Runnable NOTHING = () -> {};

  @TempDir Path out;
  private ChunkFolder folder;

  @BeforeEach
  void makeFolder() {
    folder = new ChunkFolder(out.toString(), new Configuration());
  }

  private FolderClaim take() {
    return FolderClaim.take(folder, BEAT, NOTHING, NOTHING);
  }

  private Path claims() {
    return out.resolve("_medley/claims");
  }

  private Path only() throws Exception {
    try (Stream<Path> files = Files.list(claims())) {
      return files.filter(f -> f.toString().endsWith("json")).findFirst().orElseThrow();
    }
  }

  /** As another machine would write it. */
  private Path claimFromElsewhere(int beats) throws Exception {
    Files.createDirectories(claims());
    return Files.writeString(
        claims().resolve("elsewhere.json"),
        """
        {"owner": "me@far, process 7", "machine": "another", "process": 7, "started": 1, "beats": %d}
        """
            .formatted(beats));
  }

  @Test
  void claimIsGivenBackAndTakenAgain() throws Exception {
    take().close();
    try (FolderClaim again = take()) {
      again.checkHeld();
      assertThatThrownBy(this::take)
          .isInstanceOf(LoadException.class)
          .hasMessageContaining("process " + ProcessHandle.current().pid() + "; wait until");
      again.checkHeld();
    }
    assertThat(claims()).isEmptyDirectory();
  }

  @Test
  void claimOfAnotherMachineIsWatchedAndLeftAloneWhereItMoves() throws Exception {
    claimFromElsewhere(0);
    CountDownLatch done = new CountDownLatch(1);
    Thread beating =
        new Thread(
            () -> {
              try {
                for (int i = 1; !done.await(BEAT.toMillis() / 4, TimeUnit.MILLISECONDS); i++) {
                  claimFromElsewhere(i);
                }
              } catch (Exception e) {
                throw new IllegalStateException(e);
              }
            });
    beating.start();
    assertThatThrownBy(this::take)
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("found one of");
    done.countDown();
    beating.join();
    assertThat(claims().resolve("elsewhere.json")).exists();
  }

  @Test
  void claimOfAnotherMachineThatDoesNotMoveCountsForNothing() throws Exception {
    claimFromElsewhere(3);
    long start = System.nanoTime();
    try (FolderClaim claim = take()) {
      claim.checkHeld();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(BEAT.multipliedBy(4));
      assertThat(claims().resolve("elsewhere.json")).doesNotExist();
    }
  }

  @Test
  void claimThatIsHalfWrittenIsWatchedToo() throws Exception {
    Files.createDirectories(claims());
    Files.writeString(claims().resolve("half.json"), "{\"owner\": ");
    try (FolderClaim claim = take()) {
      claim.checkHeld();
    }
  }

  @Test
  void whoHasLostItsClaimIsTold() throws Exception {
    CountDownLatch lost = new CountDownLatch(1);
    try (FolderClaim claim = FolderClaim.take(folder, BEAT, NOTHING, lost::countDown)) {
      Files.delete(only());
      assertThat(lost.await(60, TimeUnit.SECONDS)).isTrue();
      assertThatThrownBy(claim::checkHeld)
          .isInstanceOf(LoadException.class)
          .hasMessageContaining("another run has taken this output over");
    }
  }
}
