package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks as they are. */
class HubFaultsTest {
  private static final Location REPO = Location.of("hf://org/name");
  private static final Location README = REPO.resolve("README.md");
  private static final Location WEIGHTS = REPO.resolve("model.safetensors");
  private static final byte[] WEIGHT_BYTES = Safetensors.data(300_000);
  private static final String SHA256 = HubServer.sha256(WEIGHT_BYTES);

  @TempDir Path folder;
  private HubServer server;
  private HubUser user;
  private String commit;

  @BeforeEach
  void serve() {
    server = new HubServer();
    commit = server.example();
    user = new HubUser(folder, server.endpoint());
  }

  @AfterEach
  void close() {
    server.close();
  }

  private List<String> rangesOfCdn() {
    List<String> ranges = new ArrayList<>();
    for (HubServer.Request request : server.requests()) {
      if (request.host().equals("cdn")) {
        ranges.add(request.range());
      }
    }
    return ranges;
  }

  @Test
  void brokenConnectionIsContinuedWhereItBroke() {
    server.cut("GET cdn", 1, 150_000);
    server.cut("GET cdn", 1, 50_000);
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(rangesOfCdn()).containsExactly(null, "bytes=150000-", "bytes=200000-");
  }

  @Test
  void connectionThatBreaksAgainAndAgainGetsThereWhileItBringsSomething() {
    server.cut("GET cdn", 20, 10_000);
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(rangesOfCdn()).hasSize(21);
  }

  @Test
  void nextProcessContinuesWhatOneLeft() throws Exception {
    server.cut("GET cdn", 1, 150_000);
    assertThatThrownBy(() -> user.storage(HubRetries.NONE).fetch(WEIGHTS))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith(
            "hf://org/name@%s/model.safetensors: %s could not be reached: ",
            commit, server.endpoint());
    assertThat(user.cached(".incomplete"))
        .containsExactly("models--org--name/blobs/" + SHA256 + ".medley.incomplete");
    assertThat(user.cached("model.safetensors")).isEmpty();
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(rangesOfCdn()).containsExactly(null, "bytes=150000-");
    assertThat(user.cached(".incomplete")).isEmpty();
  }

  @Test
  void killedProcessLeavesWhatTheNextContinues() throws Exception {
    server.stall("GET cdn", 1, 150_000, 60_000);
    Process child = ChildJvm.start(HubTest.Fetch.class, childArguments());
    Path part = user.cache().resolve("models--org--name/blobs/" + SHA256 + ".medley.incomplete");
    while (!Files.exists(part) || Files.size(part) < 150_000) {
      assertThat(child.isAlive()).isTrue();
      Thread.sleep(10);
    }
    child.destroyForcibly();
    child.waitFor();
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(rangesOfCdn()).containsExactly(null, "bytes=150000-");
  }

  private String[] childArguments() throws Exception {
    Path go = Files.createFile(folder.resolve("go"));
    return new String[] {
      folder.toString(), server.endpoint(), go.toString(), folder.resolve("ready").toString()
    };
  }

  @Test
  void partOfAnotherSizeOrContentIsNoHindrance() throws Exception {
    Path part = user.cache().resolve("models--org--name/blobs/" + SHA256 + ".medley.incomplete");
    for (int length : new int[] {100, 300_000, 300_001}) {
      Safetensors.write(part, new byte[length]);
      assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
      Files.delete(part.resolveSibling(SHA256));
    }
    assertThat(rangesOfCdn()).containsExactly("bytes=100-", null, null, null);
  }

  @Test
  void serverThatStartsAgainWhateverIsAskedForIsTakenAtItsWord() {
    server.cut("GET cdn", 1, 150_000);
    server.ignoreRange("GET cdn", 1);
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(rangesOfCdn()).containsExactly(null, "bytes=150000-");
  }

  @Test
  void serverThatAlwaysStartsAgainAndBreaksIsGivenUp() {
    server.cutWithoutRange("GET cdn", 100, 150_000);
    assertThatThrownBy(() -> user.storage().fetch(WEIGHTS)).isInstanceOf(LoadException.class);
    assertThat(rangesOfCdn()).hasSize(6);
  }

  @Test
  void fileThatChangedSinceIsNotPutTogetherFromTwo() {
    server.cut("GET cdn", 1, 150_000);
    assertThatThrownBy(() -> user.storage(HubRetries.NONE).fetch(WEIGHTS))
        .isInstanceOf(LoadException.class);
    byte[] other = WEIGHT_BYTES.clone();
    other[0] ^= 1; // in what came, of the same length
    server.repo("org/name").commit("main", Map.of("model.safetensors", other));
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(other);
    assertThat(rangesOfCdn()).containsExactly(null, (String) null);
  }

  @Test
  void fileThatChangesWhileItIsReadIsRefused() throws Exception {
    server.change("GET hub/api/resolve-cache", 1, Map.of("ETag", "\"abc\""));
    assertThatThrownBy(() -> user.storage().fetch(README))
        .isInstanceOf(LoadException.class)
        .hasMessageEndingWith(", found abc: the Hub changed the file while it was read; try again");
    assertThat(user.cached("README.md")).isEmpty();
    assertThat(user.storage().fetch(README)).hasContent("# ä name\n");
  }

  @Test
  void otherBytesThanTheHashSaysAreRefusedAndNotKept() throws Exception {
    byte[] other = WEIGHT_BYTES.clone();
    other[200_000] ^= 1;
    server.swap("GET cdn", 1, other);
    assertThatThrownBy(() -> user.storage().fetch(WEIGHTS))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "hf://org/name@%s/model.safetensors: expected bytes of SHA-256 %s as the Hub says,"
                + " found others to download; try again, and see the proxy where they stay others",
            commit, SHA256);
    assertThat(user.cached("model.safetensors")).isEmpty();
    assertThat(user.cached("incomplete")).isEmpty();
    assertThat(user.cached(SHA256)).isEmpty();
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
  }

  @Test
  void moreOrLessBytesThanTheHubSaidAreNotTakenForTheFile() throws Exception {
    server.swap("GET hub/api/resolve-cache", 6, "# ä longer name\n".getBytes());
    Storage storage = user.storage();
    assertThatThrownBy(() -> storage.fetch(README))
        .isInstanceOf(LoadException.class)
        .hasMessageEndingWith("could not be reached: expected 10 bytes, found 17");
    assertThat(user.cached("README.md")).isEmpty();
    assertThat(user.cached("incomplete")).isEmpty();
    assertThat(storage.fetch(WEIGHTS)).exists(); // one file's fault is not its neighbour's
    assertThat(storage.fetch(README)).hasContent("# ä name\n");
  }

  @Test
  void twoFailuresAreTriedAgain() {
    server.fail("GET hub/api/models/org/name/revision", 2, 503, Map.of());
    server.fail("HEAD", 2, 500, Map.of());
    server.fail("GET cdn", 2, 502, Map.of());
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(server.count("/revision/")).isEqualTo(3);
    assertThat(server.count("HEAD")).isEqualTo(3);
    assertThat(server.count("GET cdn")).isEqualTo(3);
    server.fail("/tree/", 2, 504, Map.of());
    assertThat(user.storage().list(REPO)).hasSize(7);
  }

  @Test
  void hubThatNeverWorksIsGivenUp() {
    server.fail("/revision/", 1000, 503, Map.of());
    Storage storage = user.storage();
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> storage.fetch(WEIGHTS))
          .isInstanceOf(LoadException.class)
          .hasMessage(
              "hf://org/name@main: expected the revision in the cache folder %s, found none; %s"
                  + " could not be reached: 127.0.0.1 answered 503",
              user.cache(), server.endpoint());
    }
    assertThat(server.requests()).hasSize(6); // who asks again at once has its answer
  }

  @Test
  void oneTryIsEnoughWhereTheCacheKnows() {
    user.storage().fetch(WEIGHTS);
    server.forgetRequests();
    server.fail("/revision/", 1000, 503, Map.of());
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(server.requests()).hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"Retry-After: 1", "RateLimit: \"api\";r=0;t=1"})
  void whoIsAskedToWaitWaits(String header) {
    String[] parts = header.split(": ");
    server.fail("/revision/", 1, 429, Map.of(parts[0], parts[1]));
    long start = System.nanoTime();
    user.storage().fetch(README);
    assertThat(System.nanoTime() - start).isGreaterThan(999_000_000L);
    assertThat(server.count("/revision/")).isEqualTo(2);
  }

  @Test
  void nobodyIsWaitedForAllDay() {
    server.fail("/revision/", 1, 429, Map.of("Retry-After", "86400"));
    assertThatThrownBy(() -> user.storage().fetch(README))
        .isInstanceOf(LoadException.class)
        .hasMessageEndingWith("127.0.0.1 answered 429 and wants to be asked in 86400 s");
  }

  @Test
  void slowAnswersAreNotWaitedForLongerThanIsSaid() {
    server.delay("HEAD", 1, 20_000);
    server.stall("GET cdn", 1, 150_000, 20_000);
    Storage storage = user.storage("HF_HUB_ETAG_TIMEOUT", "1", "HF_HUB_DOWNLOAD_TIMEOUT", "1");
    long start = System.nanoTime();
    assertThat(storage.fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(System.nanoTime() - start).isBetween(1_900_000_000L, 19_000_000_000L);
    assertThat(rangesOfCdn()).containsExactly(null, "bytes=150000-");
  }

  @Test
  void interruptEndsTheWaiting() throws Exception {
    server.delay("HEAD", 1, 60_000);
    List<Throwable> thrown = new ArrayList<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                user.storage("HF_HUB_ETAG_TIMEOUT", "100").fetch(WEIGHTS);
              } catch (LoadException e) {
                thrown.add(e);
                thrown.add(Thread.currentThread().isInterrupted() ? e : null);
              }
            });
    thread.start();
    while (server.count("HEAD") == 0) {
      Thread.sleep(10);
    }
    thread.interrupt();
    thread.join(50_000);
    assertThat(thrown).hasSize(2).doesNotContainNull();
    assertThat(thrown.get(0)).hasMessage(server.endpoint() + ": interrupted while it was asked");
  }

  @ParameterizedTest
  @ValueSource(strings = {"ftp://host/?X-Signature=S3cret", "http:///x?X-Signature=S3cret"})
  void redirectToNowhereIsNotFollowedNorShown(String target) {
    server.fail("/revision/", 1000, 302, Map.of("Location", target));
    assertThatThrownBy(() -> user.storage().fetch(README))
        .isInstanceOf(LoadException.class)
        .hasMessage(server.endpoint() + ": redirects to what is no http address")
        .hasNoCause();
  }

  @Test
  void redirectsInACircleEnd() {
    server.fail("/revision/", 1000, 302, Map.of("Location", "/api/models/org/name/revision/main"));
    assertThatThrownBy(() -> user.storage().fetch(README))
        .isInstanceOf(LoadException.class)
        .hasMessage(server.endpoint() + ": redirects more than 20 times");
  }
}
