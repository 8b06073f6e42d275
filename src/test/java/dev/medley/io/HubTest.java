package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HubTest {
  private static final Location REPO = Location.of("hf://org/name");
  private static final Location CONFIG = REPO.resolve("config.json");
  private static final Location WEIGHTS = REPO.resolve("model.safetensors");
  private static final byte[] WEIGHT_BYTES = Safetensors.data(300_000);

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

  private Location at(String revision) {
    return REPO.atRevision(revision);
  }

  private void move(String config) {
    server
        .repo("org/name")
        .commit(
            "main",
            Map.of("config.json", config.getBytes(), "model.safetensors", Safetensors.data(7)));
  }

  @Test
  void cacheFolderIsWhatHuggingfaceHubMakesOfTheSameFiles() throws Exception {
    Storage storage = user.storage();
    for (String file :
        List.of(
            "config.json",
            "README.md",
            "model.safetensors",
            "same.json",
            "1_Pooling/config.json",
            "a folder/with # and %41.txt",
            "empty.txt")) {
      storage.fetch(REPO.resolve(file));
    }
    assertThat(storage.fetchIfExists(REPO.resolve("sub/missing.json"))).isEmpty();
    storage.list(REPO);
    storage.fetch(at("feature/x").resolve("config.json"));
    storage.fetch(at("refs/pr/1").resolve("config.json"));
    assertThat(HubFolder.listing(user.cache()))
        .isEqualTo(HubFolder.read(Fixtures.path("hub/cache.txt")));
  }

  @Test
  void fileIsTheHubs() {
    Storage storage = user.storage();
    assertThat(storage.fetch(WEIGHTS))
        .hasBinaryContent(WEIGHT_BYTES)
        .hasFileName("model.safetensors");
    assertThat(storage.fetch(REPO.resolve("a folder/with # and %41.txt"))).hasContent("odd");
    assertThat(storage.fetch(REPO.resolve("empty.txt"))).isEmptyFile();
    assertThat(storage.fetch(Location.of("hf://org/name@refs/pr/1/config.json")))
        .hasContent("{\"a\": 1}");
    assertThat(storage.fetch(Location.of("hf://org/name@feature%2Fx/config.json")))
        .hasContent("{}");
    assertThat(storage.fetch(Location.of("hf://org/name@" + commit + "/1_Pooling/config.json")))
        .hasContent("{}");
  }

  @Test
  void whatIsCachedOfACommitNeedsNoRequest() {
    Path fetched = user.storage().fetch(WEIGHTS);
    server.forgetRequests();
    Storage storage = user.storage();
    assertThat(storage.fetch(at(commit).resolve("model.safetensors"))).isEqualTo(fetched);
    assertThat(storage.exists(at(commit).resolve("model.safetensors"))).isTrue();
    assertThat(server.requests()).isEmpty();
  }

  @Test
  void whatHuggingfaceHubHasCachedIsUsed() throws Exception {
    Path repo = user.cache().resolve("models--org--other");
    Safetensors.write(repo.resolve("blobs/abc"), "{}".getBytes());
    Safetensors.write(repo.resolve("refs/main"), "a".repeat(40).getBytes());
    Path snapshot = Files.createDirectories(repo.resolve("snapshots/" + "a".repeat(40)));
    Files.createSymbolicLink(snapshot.resolve("config.json"), Path.of("../../blobs/abc"));
    Storage storage = user.storage("HF_HUB_OFFLINE", "1");
    Location other = Location.of("hf://org/other");
    assertThat(storage.fetch(other.resolve("config.json"))).hasContent("{}");
    assertThat(storage.list(other)).containsExactly("config.json");
    assertThat(storage.fetchIfExists(other.resolve("tokenizer.json"))).isEmpty();
    assertThat(server.requests()).isEmpty();
  }

  @Test
  void linkToABlobThatIsGoneIsMadeAnew() throws Exception {
    Path fetched = user.storage().fetch(CONFIG);
    Files.delete(fetched.toRealPath());
    assertThat(user.storage().fetch(CONFIG)).isEqualTo(fetched).isNotEmptyFile();
  }

  @Test
  void filesAreOfOneCommitThoughTheBranchMoves() {
    Storage storage = user.storage();
    storage.fetch(CONFIG);
    move("{\"moved\": true}");
    assertThat(storage.fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    assertThat(storage.version(WEIGHTS)).isEqualTo(commit);
    assertThat(storage.pinned(WEIGHTS))
        .hasToString("hf://org/name@" + commit + "/model.safetensors");
    assertThat(storage.list(REPO)).contains("same.json");
    assertThat(server.count("GET hub/api/models/org/name/revision")).isOne();
  }

  @Test
  void branchIsLookedUpOnceMoreWhereThatIsAskedFor() {
    Storage storage = user.storage();
    Path before = storage.fetch(CONFIG);
    move("{\"moved\": true}");
    Storage anew = storage.anew();
    assertThat(anew.fetch(CONFIG)).hasContent("{\"moved\": true}");
    assertThat(anew.fetch(WEIGHTS)).hasBinaryContent(Safetensors.data(7));
    assertThat(anew.pinned(CONFIG)).isNotEqualTo(storage.pinned(CONFIG));
    assertThat(storage.fetch(CONFIG)).isEqualTo(before);
    assertThat(before).hasContent("{\"model_type\": \"bert\"}"); // may be mapped: stays
  }

  @Test
  void pinnedLocationIsTheSameEverywhere() {
    Storage driver = user.storage();
    Location pinned = driver.pinned(REPO.resolve("1_Pooling"));
    assertThat(pinned).hasToString("hf://org/name@" + commit + "/1_Pooling");
    move("{}");
    HubUser executor = new HubUser(folder.resolve("executor"), server.endpoint());
    assertThat(executor.storage().fetch(pinned.resolve("config.json"))).hasContent("{}");
    assertThat(executor.storage().pinned(pinned)).isEqualTo(pinned);
    Location local = Location.of(folder.toString());
    assertThat(driver.pinned(local)).isEqualTo(local);
  }

  @Test
  void childrenAreListedByNameOverAllPages() {
    server.pageSize = 2;
    Storage storage = user.storage();
    assertThat(storage.list(REPO))
        .containsExactly(
            "1_Pooling",
            "README.md",
            "a folder",
            "config.json",
            "empty.txt",
            "model.safetensors",
            "same.json");
    assertThat(storage.list(REPO.resolve("1_Pooling"))).containsExactly("config.json");
    assertThat(server.count("/tree/")).isEqualTo(5); // 7 files and 2 folders
    assertThatThrownBy(() -> storage.list(REPO.resolve("none")))
        .isInstanceOf(LoadException.class)
        .hasMessage("hf://org/name/none: expected a folder, found none");
    assertThatThrownBy(() -> storage.list(CONFIG))
        .isInstanceOf(LoadException.class)
        .hasMessage("hf://org/name/config.json: expected a folder, found none");
  }

  @Test
  void oneListAnswersForAllFilesAndFoldersAndIsKept() {
    Storage storage = user.storage();
    assertThat(storage.exists(CONFIG)).isTrue();
    assertThat(storage.exists(REPO)).isTrue();
    assertThat(storage.exists(REPO.resolve("1_Pooling"))).isTrue();
    assertThat(storage.exists(REPO.resolve("1_Pool"))).isFalse();
    assertThat(storage.exists(REPO.resolve("1_Pooling/none"))).isFalse();
    assertThat(storage.version(REPO.resolve("1_Pooling"))).isEmpty();
    assertThat(storage.version(REPO.resolve("none"))).isEmpty();
    assertThat(storage.version(CONFIG)).isEqualTo(commit);
    assertThat(storage.fetchIfExists(REPO.resolve("none"))).isEmpty();
    assertThat(server.requests()).hasSize(2); // the commit and the list
    assertThat(user.storage().exists(at(commit).resolve("empty.txt"))).isTrue();
    assertThat(server.requests()).hasSize(2);
  }

  @Test
  void folderIsNoFile() {
    for (Storage storage : List.of(user.storage(), user.storage())) {
      storage.exists(REPO); // by the list of files: of one file the Hub says only that it is none
      assertThatThrownBy(() -> storage.fetch(REPO.resolve("1_Pooling")))
          .isInstanceOf(LoadException.class)
          .hasMessageEndingWith("expected a file, found a folder");
      storage.fetch(REPO.resolve("1_Pooling/config.json")); // so that the next finds it cached
    }
  }

  @Test
  void fileIsNoLessThereWhereSomebodyTookItForAFolder() {
    assertThat(user.storage().fetchIfExists(CONFIG.resolve("x"))).isEmpty();
    assertThat(user.storage().fetch(CONFIG)).isNotEmptyFile();
  }

  @Test
  void whatIsNotKnownWhileTheHubIsDownIsNoAnswer() throws Exception {
    user.storage().fetch(CONFIG);
    server.fail("/tree/", 6, 503, Map.of());
    Storage storage = user.storage();
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> storage.list(REPO))
          .isInstanceOf(LoadException.class)
          .hasMessage(
              "hf://org/name@%s: expected a list of its files in the cache folder %s, found none;"
                  + " %s could not be reached: 127.0.0.1 answered 503; HF_HUB_OFFLINE=1 would take"
                  + " the files that are there for all",
              commit, user.cache(), server.endpoint());
    }
    assertThatThrownBy(() -> storage.fetchIfExists(REPO.resolve("none")))
        .isInstanceOf(LoadException.class)
        .hasMessageEndingWith("could not be reached: 127.0.0.1 answered 503");
    assertThat(storage.fetch(CONFIG)).exists();
    assertThat(server.count("/tree/")).isEqualTo(6);
    assertThat(user.storage().list(REPO)).hasSize(7);
  }

  @Test
  void missingFileIsNamed() {
    assertThatThrownBy(() -> user.storage().fetch(REPO.resolve("none")))
        .isInstanceOf(LoadException.class)
        .hasMessage("hf://org/name@" + commit + "/none: expected a file, found none");
  }

  @Test
  void headerIsReadWithoutTheWeightsBehindIt() throws Exception {
    String header = "{'w':{'dtype':'U8','shape':[1000000],'data_offsets':[0,1000000]}}";
    byte[] file = Safetensors.bytes(header, new byte[1_000_000]);
    server.repo("org/big").commit("main", Map.of("model.safetensors", file));
    Location big = Location.of("hf://org/big");
    assertThat(Checkpoint.headers(user.storage(), big, "model")).containsOnlyKeys("w");
    assertThat(ranges()).containsExactly("bytes=0-99999");
    assertThat(user.cached("model.safetensors")).isEmpty();
  }

  @Test
  void longHeaderIsReadToItsEndAndNoFurther() throws Exception {
    StringBuilder header = new StringBuilder("{");
    for (int i = 0; i < 4000; i++) {
      header.append(i == 0 ? "" : ",").append("'layer.").append(i).append(".weight':");
      header.append("{'dtype':'U8','shape':[9],'data_offsets':[");
      header.append(9 * i).append(',').append(9 * i + 9).append("]}");
    }
    byte[] file = Safetensors.bytes(header + "}", new byte[36_000]);
    server.repo("org/big").commit("main", Map.of("model.safetensors", file));
    Location big = Location.of("hf://org/big");
    assertThat(Checkpoint.headers(user.storage(), big, "model")).hasSize(4000);
    assertThat(ranges()).containsExactly("bytes=0-99999", "bytes=100000-" + (file.length - 36_001));
    server.forgetRequests();
    server.ignoreRange("GET cdn", 2);
    assertThat(Checkpoint.headers(user.storage(), big, "model")).hasSize(4000);
    assertThat(ranges()).hasSize(2);
  }

  private List<String> ranges() {
    return server.requests().stream()
        .filter(request -> request.host().equals("cdn"))
        .map(HubServer.Request::range)
        .toList();
  }

  @Test
  void cachedHeaderNeedsNoRequest() {
    byte[] file = Safetensors.ofU8(1, "w");
    server.repo("org/small").commit("main", Map.of("model.safetensors", file));
    Location small = Location.of("hf://org/small");
    Storage storage = user.storage();
    storage.fetch(small.resolve("model.safetensors"));
    server.forgetRequests();
    assertThat(Checkpoint.headers(storage, small, "model")).containsOnlyKeys("w");
    assertThat(server.requests()).isEmpty();
  }

  @Test
  void eightThreadsDownloadOnce() throws Exception {
    server.delay("GET cdn", 1, 300);
    Storage storage = user.storage();
    CyclicBarrier start = new CyclicBarrier(8);
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<Path>> copies = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        Storage own = i % 2 == 0 ? storage : user.storage();
        copies.add(
            threads.submit(
                () -> {
                  start.await();
                  return own.fetch(WEIGHTS);
                }));
      }
      for (Future<Path> copy : copies) {
        assertThat(copy.get()).hasBinaryContent(WEIGHT_BYTES);
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(server.count("GET cdn")).isOne();
  }

  @Test
  void twoProcessesDownloadOnce() throws Exception {
    server.delay("GET cdn", 1, 1000); // the other one has long asked what the file is
    Path go = folder.resolve("go");
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      processes.add(
          ChildJvm.start(
              Fetch.class,
              folder.toString(),
              server.endpoint(),
              go.toString(),
              folder + "/ready" + i));
    }
    while (!Files.exists(folder.resolve("ready0")) || !Files.exists(folder.resolve("ready1"))) {
      assertThat(processes).allMatch(Process::isAlive);
      Thread.sleep(10);
    }
    Files.createFile(go);
    for (Process process : processes) {
      ChildJvm.finish(process, 0);
    }
    assertThat(server.count("GET cdn")).isOne();
    assertThat(user.storage().fetch(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
  }

  /** FOLDER ENDPOINT GO READY: fetches the weights when GO is there. */
  static final class Fetch {
    public static void main(String[] args) throws Exception {
      Storage storage = new HubUser(Path.of(args[0]), args[1]).storage();
      storage.exists(REPO);
      Files.createFile(Path.of(args[3]));
      while (!Files.exists(Path.of(args[2]))) {
        Thread.sleep(5);
      }
      storage.fetch(WEIGHTS);
    }
  }

  @Test
  void whereLinksAreForbiddenFilesAreMovedAndCopied() throws Exception {
    Storage storage = user.storage("HF_HUB_DISABLE_SYMLINKS", "true");
    Path config = storage.fetch(CONFIG);
    assertThat(config).isRegularFile();
    assertThat(Files.isSymbolicLink(config)).isFalse();
    assertThat(user.cached(".json")).noneMatch(name -> name.contains("blobs"));
    Path same = storage.fetch(REPO.resolve("same.json"));
    assertThat(same).hasSameBinaryContentAs(config);
    Storage linking = user.storage();
    linking.fetch(REPO.resolve("1_Pooling/config.json")); // a blob that is there already
    Path copy = storage.fetch(at("feature/x").resolve("config.json"));
    assertThat(Files.isSymbolicLink(copy)).isFalse();
    assertThat(copy).hasContent("{}");
    assertThat(user.cached(".tmp")).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"../evil.json", "a/../../evil.json", "/evil.json", "a\\..\\evil", "C:evil"})
  void pathsThatLeadElsewhereAreRefused(String path) throws Exception {
    Map<String, byte[]> files = new TreeMap<>(Map.of("config.json", "{}".getBytes()));
    files.put(path, "x".getBytes());
    server.repo("org/evil").commit("main", files);
    Location evil = Location.of("hf://org/evil");
    assertThatThrownBy(() -> user.storage().list(evil))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("expected paths below the repository, found " + Shown.quoted(path));
    assertThat(user.cached("evil.json")).isEmpty();
    assertThatThrownBy(() -> Location.of("hf://org/name/" + path))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void namesForTheCacheFolderThatLeadElsewhereAreRefused() throws Exception {
    server.change("HEAD hub/org/name/resolve", 1, Map.of("X-Linked-Etag", "\"../../../evil\""));
    assertThatThrownBy(() -> user.storage().fetch(WEIGHTS))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("expected an ETag that names the file, found \"../../../evil\"");
    server.swap("/revision/", 1, "{\"id\": \"org/name\", \"sha\": \"../../evil\"}".getBytes());
    assertThatThrownBy(() -> user.storage().fetch(WEIGHTS))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("expected a commit of 40 hexadecimal digits, found \"../../evil\"");
    assertThat(user.cached("evil")).isEmpty();
  }

  @Test
  void offlineTheCacheIsAllThereIs() {
    user.storage().fetch(CONFIG);
    user.storage().list(REPO);
    server.forgetRequests();
    for (String said : List.of("1", "ON", "yes", "True")) {
      Storage storage = user.storage("HF_HUB_OFFLINE", said);
      assertThat(storage.fetch(CONFIG)).hasContent("{\"model_type\": \"bert\"}");
      assertThat(storage.list(REPO)).hasSize(7);
      assertThat(storage.fetchIfExists(REPO.resolve("none"))).isEmpty();
      assertThatThrownBy(() -> storage.fetchIfExists(WEIGHTS)) // the list says that it is there
          .isInstanceOf(LoadException.class)
          .hasMessage(
              "hf://org/name@%s/model.safetensors: expected a file in the cache folder %s, found"
                  + " none; HF_HUB_OFFLINE=%s forbids to ask the Hub",
              commit, user.cache(), said);
      assertThatThrownBy(() -> storage.fetch(Location.of("hf://org/other/config.json")))
          .isInstanceOf(LoadException.class)
          .hasMessage(
              "hf://org/other@main: expected the revision in the cache folder %s, found none;"
                  + " HF_HUB_OFFLINE=%s forbids to ask the Hub",
              user.cache(), said);
    }
    assertThat(user.storage("TRANSFORMERS_OFFLINE", "1").fetch(CONFIG)).exists();
    assertThat(server.requests()).isEmpty();
    user.storage("HF_HUB_OFFLINE", "0", "TRANSFORMERS_OFFLINE", "1").fetch(CONFIG);
    assertThat(server.requests()).hasSize(1);
  }

  @Test
  void hubThatIsDownIsNoReasonWhereTheCacheHasIt() {
    user.storage().fetch(CONFIG);
    user.storage().list(REPO);
    server.close();
    Storage storage = user.storage();
    assertThat(storage.fetch(CONFIG)).hasContent("{\"model_type\": \"bert\"}");
    assertThat(storage.list(REPO)).hasSize(7);
    assertThat(storage.fetchIfExists(REPO.resolve("none"))).isEmpty();
    assertThatThrownBy(() -> storage.fetchIfExists(WEIGHTS))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith(
            "hf://org/name@%s/model.safetensors: expected a file in the cache folder %s, found"
                + " none; %s could not be reached: ",
            commit, user.cache(), server.endpoint());
    assertThatThrownBy(() -> storage.list(Location.of("hf://org/other")))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith(
            "hf://org/other@main: expected the revision in the cache folder "
                + user.cache()
                + ", found none; "
                + server.endpoint()
                + " could not be reached: ");
    assertThatThrownBy(() -> storage.list(at("b".repeat(40))))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("expected a list of its files in the cache folder");
  }

  @Test
  void whoMayNotReadIsToldWhatToDo() {
    HubServer.Repo gated = server.repo("org/gated");
    gated.commit("main", Map.of("config.json", "{}".getBytes()));
    gated.gated = true;
    gated.readers = Set.of("hf_mine");
    server.accounts.addAll(Set.of("hf_mine", "hf_other"));
    Location file = Location.of("hf://org/gated/config.json");
    String page = server.endpoint() + "/org/gated";
    String at = "hf://org/gated@" + user.storage().pinned(file).revision().orElseThrow();
    assertProblem(
        user.storage(),
        file,
        at + ": is gated; accept its licence at " + page + " and set HF_TOKEN to a token of yours");
    assertProblem(
        user.storage("HF_TOKEN", "hf_other"),
        file,
        at + ": is gated, and the account of the token may not read it; ask for access at " + page);
    assertThat(user.storage("HF_TOKEN", "hf_mine").fetch(file)).hasContent("{}");
    assertProblem(
        user.storage("HF_TOKEN", "hf_wrong"),
        Location.of("hf://org/name/config.json"),
        "hf://org/name@main: the Hub does not know the token; set HF_TOKEN to a token of yours");
  }

  @Test
  void whatIsNotThereIsNamed() {
    String advice =
        " may read; correct the name, or set HF_TOKEN to a token that may read it"
            + " (spark.executorEnv.HF_TOKEN for executors)";
    server.accounts.add("hf_mine");
    Location none = Location.of("hf://org/nmae/config.json");
    assertProblem(
        user.storage(),
        none,
        "hf://org/nmae@main: expected a model, found none that everybody" + advice);
    assertProblem(
        user.storage("HF_TOKEN", "hf_mine"),
        none,
        "hf://org/nmae@main: expected a model, found none that the account of the token" + advice);
    assertProblem(
        user.storage(),
        at("v9").resolve("config.json"),
        "hf://org/name@v9: expected the revision v9, found none of that name; "
            + server.endpoint()
            + "/org/name/refs lists branches and tags");
    server.fail("GET hub", 1, 403, Map.of("X-Error-Message", "no scope"));
    assertProblem(
        user.storage(),
        CONFIG,
        "hf://org/name@main: the Hub answered 403: no scope; see what the token may do");
  }

  private static void assertProblem(Storage storage, Location file, String message) {
    assertThatThrownBy(() -> storage.fetch(file))
        .isInstanceOf(LoadException.class)
        .hasMessage(message);
    assertThatThrownBy(() -> storage.fetchIfExists(file)) // once more is no less clear
        .isInstanceOf(LoadException.class)
        .hasMessage(message);
  }

  @Test
  void serverThatIsNoHubIsRefused() {
    server.change("HEAD hub/org/name", 1, Map.of("X-Repo-Commit", "f".repeat(40)));
    assertThatThrownBy(() -> user.storage().fetch(WEIGHTS))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "hf://org/name@%s/model.safetensors: expected the commit %s in the header"
                + " X-Repo-Commit, found \"%s\"; %s does not answer as a Hub: see HF_ENDPOINT and"
                + " the proxy",
            commit, commit, "f".repeat(40), server.endpoint());
    assertThatThrownBy(() -> user.storage("HF_ENDPOINT", server.endpoint() + "/no").list(REPO))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "hf://org/name@main: expected an answer with X-Error-Code, found 404; %s/no does not"
                + " answer as a Hub: see HF_ENDPOINT and the proxy",
            server.endpoint());
  }

  @Test
  void folderThatCannotBeWrittenToIsNamed() throws Exception {
    Path file = Files.createFile(folder.resolve("file"));
    assertThatThrownBy(
            () -> user.storage("HF_HUB_CACHE", file.resolve("hub").toString()).fetch(CONFIG))
        .isInstanceOf(LoadException.class)
        .hasMessageStartingWith(
            "hf://org/name@%s/config.json: could not be put into the cache folder %s/hub: ",
            commit, file)
        .hasMessageEndingWith(
            "; make room, or set HF_HUB_CACHE to a folder that can be written to");
  }
}
