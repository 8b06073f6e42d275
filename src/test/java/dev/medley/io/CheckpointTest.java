package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {
  private static final String ONE = "model-00001-of-00002.safetensors";
  private static final String TWO = "model-00002-of-00002.safetensors";
  private static final String INDEX = "model.safetensors.index.json";

  @TempDir Path temporary;
  private Path folder;
  private Storage storage;

  @BeforeEach
  void makeAnEmptyFolder() throws IOException {
    RemoteFileSystem.reset();
    folder = Files.createDirectory(temporary.resolve("bert"));
    storage = new Storage(RemoteFileSystem.conf(), temporary.resolve("cache"));
  }

  private void write(String name, byte[] bytes) throws IOException {
    Safetensors.write(folder.resolve(name), bytes);
  }

  private void write(String name, String text) throws IOException {
    write(name, text.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
  }

  private void writeShards() throws IOException {
    write(ONE, Safetensors.ofU8(1, "a", "b"));
    write(TWO, Safetensors.ofU8(2, "c"));
    writeIndex("'c':'" + TWO + "','a':'" + ONE + "','b':'" + ONE + "'");
  }

  private void writeIndex(String weightMap) throws IOException {
    write(INDEX, "{'metadata':{'total_size':12},'weight_map':{" + weightMap + "}}");
  }

  private Location local() {
    return Location.of(folder.toString());
  }

  private static byte first(Checkpoint checkpoint, String tensor) {
    return checkpoint.slice(checkpoint.tensors().get(tensor), 0, 4).get();
  }

  private void assertRefused(String where, String... problems) {
    String message =
        problems.length == 1
            ? problems[0]
            : problems.length + " problems:\n  " + String.join("\n  ", problems);
    assertThatThrownBy(() -> Checkpoint.open(storage, local(), "model"))
        .isInstanceOf(LoadException.class)
        .hasMessage(where + ": " + message);
    assertThatThrownBy(() -> Checkpoint.headers(storage, local(), "model"))
        .isInstanceOf(LoadException.class)
        .hasMessage(where + ": " + message);
  }

  @Test
  void headersOfOneHashAreEqualButForTheFile() throws IOException {
    write("a.safetensors", Safetensors.ofU8(1, "a", "b"));
    write("b.safetensors", Safetensors.ofU8(2, "a", "b"));
    write("name.safetensors", Safetensors.ofU8(1, "a", "c"));
    byte[] longer = Safetensors.ofU8(1, "a", "b");
    write("longer.safetensors", Arrays.copyOf(longer, longer.length + 1));
    write("short.safetensors", new byte[7]);
    write("cut.safetensors", Arrays.copyOf(longer, 40));
    write("negative.safetensors", Safetensors.bytes(-1, new byte[20]));
    Optional<String> hash = Checkpoint.headerHash(storage, local(), "a");
    assertThat(hash).isPresent();
    assertThat(Checkpoint.headerHash(storage, local(), "b")).isEqualTo(hash);
    for (String other : List.of("name", "longer")) {
      assertThat(Checkpoint.headerHash(storage, local(), other)).isPresent().isNotEqualTo(hash);
    }
    for (String broken : List.of("short", "cut", "negative", "none")) {
      assertThat(Checkpoint.headerHash(storage, local(), broken)).as(broken).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"model", "adapter_model"})
  void singleFileIsRead(String stem) throws Exception {
    write(stem + ".safetensors", Safetensors.ofU8(7, "a", "b"));
    try (var checkpoint = Checkpoint.open(storage, local(), stem)) {
      assertThat(checkpoint.folder()).isEqualTo(local());
      assertThat(checkpoint.tensors().keySet()).containsExactly("a", "b");
      assertThat(first(checkpoint, "b")).isEqualTo((byte) 7);
      assertThat(Checkpoint.headers(storage, local(), stem)).isEqualTo(checkpoint.tensors());
      checkpoint.verifyWhole();
    }
  }

  @Test
  void shardsAreReadAsOne() throws Exception {
    writeShards();
    try (var checkpoint = Checkpoint.open(storage, local(), "model")) {
      assertThat(checkpoint.tensors().keySet()).containsExactly("a", "b", "c");
      assertThat(first(checkpoint, "a")).isEqualTo((byte) 1);
      assertThat(first(checkpoint, "c")).isEqualTo((byte) 2);
      assertThat(checkpoint.tensors().get("c").file()).isEqualTo(folder.resolve(TWO).toString());
      assertThat(Checkpoint.headers(storage, local(), "model")).isEqualTo(checkpoint.tensors());
    }
  }

  @Test
  void remoteFolderIsReadAndMessagesNameItsUri() throws Exception {
    writeShards();
    Location remote = RemoteFileSystem.location(folder);
    try (var checkpoint = Checkpoint.open(storage, remote, "model")) {
      assertThat(first(checkpoint, "c")).isEqualTo((byte) 2);
      assertThat(checkpoint.tensors().get("c").file()).isEqualTo(remote.resolve(TWO).toString());
    }
    write(TWO, new byte[3]);
    assertThatThrownBy(() -> Checkpoint.open(storage, remote, "model"))
        .hasMessage(
            remote.resolve(INDEX)
                + ": "
                + remote.resolve(TWO)
                + ": expected at least 8 bytes, found 3");
  }

  @Test
  void headersOfARemoteFileAreReadWithoutItsWeights() throws Exception {
    byte[] bytes =
        Safetensors.bytes(
            "{'t':{'dtype':'U8','shape':[100000],'data_offsets':[0,100000]}}", new byte[100_000]);
    write("model.safetensors", bytes);
    Map<String, TensorInfo> tensors =
        Checkpoint.headers(storage, RemoteFileSystem.location(folder), "model");
    assertThat(tensors.get("t").elements()).isEqualTo(100_000);
    assertThat(RemoteFileSystem.BYTES_READ).hasValue(bytes.length - 100_000);
    assertThat(temporary.resolve("cache")).doesNotExist();
  }

  @Test
  void singleFileCountsWhereBothAreThere() throws Exception {
    writeShards();
    write("model.safetensors", Safetensors.ofU8(7, "z"));
    try (var checkpoint = Checkpoint.open(storage, local(), "model")) {
      assertThat(checkpoint.tensors().keySet()).containsExactly("z");
    }
  }

  @Test
  void indexAndShardsHaveToAgree() throws Exception {
    write(ONE, Safetensors.ofU8(1, "a", "b", "extra"));
    write(TWO, Safetensors.ofU8(2, "a", "c"));
    writeIndex(
        "'a':'"
            + ONE
            + "','b':'"
            + TWO
            + "','c':'"
            + TWO
            + "','gone':'"
            + ONE
            + "','d':'model-3.safetensors'");
    assertRefused(
        folder.resolve(INDEX).toString(),
        "tensor \"gone\": expected in model-00001-of-00002.safetensors, found none",
        "tensor \"b\": expected in model-00002-of-00002.safetensors by weight_map, found in"
            + " model-00001-of-00002.safetensors",
        "tensor \"extra\": expected in weight_map, found only in model-00001-of-00002.safetensors",
        "tensor \"b\": expected in model-00002-of-00002.safetensors, found none",
        "tensor \"a\": expected in one shard, found in model-00001-of-00002.safetensors and"
            + " model-00002-of-00002.safetensors",
        "expected the shard model-3.safetensors in the folder, found none");
  }

  @Test
  void allBrokenShardsAreReportedAtOnce() throws Exception {
    writeShards();
    write(ONE, new byte[0]);
    write(TWO, new byte[7]);
    assertRefused(
        folder.resolve(INDEX).toString(),
        folder.resolve(ONE) + ": expected at least 8 bytes, found 0",
        folder.resolve(TWO) + ": expected at least 8 bytes, found 7");
  }

  @ParameterizedTest
  @ValueSource(strings = {"../secret", "/etc/passwd", "..", "", "a/b.safetensors", "a\\\\b"})
  void shardOutsideTheFolderIsRefused(String shard) throws Exception {
    writeIndex("'a':'" + shard + "'");
    assertRefused(
        folder.resolve(INDEX).toString(),
        "weight_map: expected the name of a file in this folder, found \"" + shard + "\"");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{}|weight_map: expected shard names by tensor, found none",
        "{'weight_map':{}}|weight_map: expected shard names by tensor, found none",
        "{'weight_map':{'a':'x.safetensors','a':'y'}}|expected JSON, found Duplicate field 'a' (line 1, column 39)",
      })
  void brokenIndexIsRefused(String index, String problem) throws Exception {
    write(INDEX, index);
    assertRefused(folder.resolve(INDEX).toString(), problem);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "pytorch_model.bin;config.json|pytorch_model.bin|['pytorch_model.bin']|model",
        "a.bin;adapter_model.bin;training_args.bin|adapter_model.bin|['adapter_model.bin']|adapter_model",
        "pytorch_model.bin.index.json;pytorch_model-00001-of-00002.bin;pytorch_model-00002-of-00002.bin|pytorch_model-00001-of-00002.bin|sorted(glob.glob('pytorch_model-*.bin'))|model",
        "weights.pt|weights.pt|['weights.pt']|model",
        "weights.pth|weights.pth|['weights.pth']|model",
        "weights.ckpt|weights.ckpt|['weights.ckpt']|model",
        "x'); import os; (.pt|x'); import os; (.pt|['THE FILE']|model",
      })
  void pickleIsRefusedWithTheReasonAndTheWayOut(
      String names, String named, String read, String written) throws Exception {
    for (String name : names.split(";(?! )")) {
      write(name, "x");
    }
    assertRefused(
        folder.toString(),
        "expected safetensors, found the Python pickle "
            + named
            + ". A pickle can execute any code when it is read, so it is never read here. If you"
            + " trust it, convert it once, in its folder: python -c \"import glob, torch,"
            + " safetensors.torch as s; s.save_file({k: v.clone().contiguous() for f in "
            + read
            + " for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}, '"
            + written
            + ".safetensors', metadata={'format': 'pt'})\", or save the model again from Python with"
            + " save_pretrained(folder, safe_serialization=True)");
  }

  @Test
  void folderWithNeitherSaysWhatItHolds() throws Exception {
    assertRefused(
        folder.toString(),
        "expected model.safetensors or model.safetensors.index.json, found an empty folder");
    for (String name : List.of("config.json", "adapter_model.safetensors", "training_args.bin")) {
      write(name, "x");
    }
    assertRefused(
        folder.toString(),
        "expected model.safetensors or model.safetensors.index.json, found"
            + " adapter_model.safetensors, config.json, training_args.bin");
    for (int i = 0; i < 30; i++) {
      write("z" + i, "x");
    }
    assertThatThrownBy(() -> Checkpoint.open(storage, local(), "model"))
        .hasMessageEndingWith(", z22, z23, … and 13 more");
  }

  @Test
  void missingFolderIsNamed() {
    assertThatThrownBy(() -> Checkpoint.open(storage, local().resolve("none"), "model"))
        .isInstanceOf(LoadException.class)
        .hasMessage(folder + "/none: expected a folder, found none");
  }

  @Test
  void strangersTensorIsTheCallersMistake() throws Exception {
    writeShards();
    try (var checkpoint = Checkpoint.open(storage, local(), "model")) {
      TensorInfo stranger = new TensorInfo("a", StoredType.U8, new long[] {1}, "/x", 0, 1);
      assertThatThrownBy(() -> checkpoint.slice(stranger, 0, 1))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("not a tensor of " + folder + ": " + stranger);
    }
  }

  @Test
  void closingClosesEveryShard() throws Exception {
    writeShards();
    Checkpoint checkpoint = Checkpoint.open(storage, local(), "model");
    checkpoint.close();
    for (TensorInfo t : checkpoint.tensors().values()) {
      assertThatThrownBy(() -> checkpoint.slice(t, 0, 1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage(t.file() + " is closed");
    }
  }
}
