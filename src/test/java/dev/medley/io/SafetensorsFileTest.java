package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
  @TempDir Path folder;

  private Path write(byte[] bytes) throws IOException {
    return Safetensors.write(folder.resolve("m.safetensors"), bytes);
  }

  private void assertRefused(byte[] bytes, String... problems) throws IOException {
    Path file = write(bytes);
    String message =
        problems.length == 1
            ? problems[0]
            : problems.length + " problems:\n  " + String.join("\n  ", problems);
    assertThatThrownBy(() -> SafetensorsFile.open(file))
        .isInstanceOf(LoadException.class)
        .hasMessage(file + ": " + message);
  }

  @Test
  void tensorsAreReadWhereTheHeaderSays() throws Exception {
    String header =
        "{'__metadata__':{'format':'pt'},"
            + "'b':{'dtype':'F32','shape':[1,2],'data_offsets':[4,12]},"
            + "'a':{'data_offsets':[0,4],'shape':[2],'dtype':'F16'}}";
    try (var file = SafetensorsFile.open(write(Safetensors.bytes(header, Safetensors.data(12))))) {
      int data = 8 + header.length();
      assertThat(file.file()).isEqualTo(folder.resolve("m.safetensors"));
      assertThat(file.metadata()).containsOnly(Map.entry("format", "pt"));
      assertThat(file.tensors().keySet()).containsExactly("b", "a");
      TensorInfo b = file.tensors().get("b");
      assertThat(b)
          .isEqualTo(
              new TensorInfo("b", StoredType.F32, new long[] {1, 2}, b.file(), data + 4, data + 12))
          .hasToString(
              "F32 [1, 2] \"b\" at "
                  + (data + 4)
                  + ".."
                  + (data + 12)
                  + " of "
                  + folder.resolve("m.safetensors"));
      assertThat(b.elements()).isEqualTo(2);
      assertThat(b.bytes()).isEqualTo(8);
      ByteBuffer slice = file.slice(b, 4, 4);
      assertThat(slice.isDirect()).isTrue();
      assertThat(slice.isReadOnly()).isTrue();
      assertThat(slice.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
      assertThat(slice.remaining()).isEqualTo(4);
      assertThat(slice.getInt()).isEqualTo(0x0c0b0a09);
      assertThat(file.slice(file.tensors().get("a"), 0, 4).getShort()).isEqualTo((short) 0x0201);
    }
  }

  @Test
  void neighboursAreOneSlice() throws Exception {
    String header =
        "{'b':{'dtype':'I16','shape':[2],'data_offsets':[2,6]},"
            + "'a':{'dtype':'U8','shape':[2],'data_offsets':[0,2]},"
            + "'c':{'dtype':'U8','shape':[1],'data_offsets':[6,7]}}";
    try (var file = SafetensorsFile.open(write(Safetensors.bytes(header, Safetensors.data(7))))) {
      TensorInfo a = file.tensors().get("a");
      TensorInfo b = file.tensors().get("b");
      byte[] read = new byte[6];
      ByteBuffer slice = file.slice(a, b);
      assertThat(slice.isReadOnly()).isTrue();
      slice.get(read);
      assertThat(slice.hasRemaining()).isFalse();
      assertThat(read).isEqualTo(Arrays.copyOf(Safetensors.data(7), 6));
      assertThatThrownBy(() -> file.slice(b, a))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("expected up to 1073741824 bytes from " + b + " to " + a);
    }
  }

  @ParameterizedTest
  @EnumSource(StoredType.class)
  void everyTypeIsRead(StoredType type) throws Exception {
    int bytes = 3 * type.bytes();
    String header = "{'t':{'dtype':'" + type + "','shape':[3],'data_offsets':[0," + bytes + "]}}";
    try (var file =
        SafetensorsFile.open(write(Safetensors.bytes(header, Safetensors.data(bytes))))) {
      TensorInfo t = file.tensors().get("t");
      assertThat(t.type()).isEqualTo(type);
      assertThat(t.elements()).isEqualTo(3);
      byte[] read = new byte[bytes];
      file.slice(t, 0, bytes).get(read);
      assertThat(read).isEqualTo(Safetensors.data(bytes));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{}|0",
        "{}          |0",
        "{'__metadata__':null}|0",
        "{'__metadata__':{}}|0",
        "{'scalar':{'dtype':'F32','shape':[],'data_offsets':[0,4]}}|4",
        "{'empty':{'dtype':'F32','shape':[0,5],'data_offsets':[0,0]}}|0",
        "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'empty':{'dtype':'F32','shape':[0],'data_offsets':[4,4]}}|4",
        "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},'empty':{'dtype':'F32','shape':[0],'data_offsets':[0,0]}}|4",
      })
  void oddButSoundFilesAreRead(String header, int bytes) throws Exception {
    try (var file =
        SafetensorsFile.open(write(Safetensors.bytes(header, Safetensors.data(bytes))))) {
      for (TensorInfo t : file.tensors().values()) {
        assertThat(file.slice(t, 0, (int) t.bytes()).remaining()).isEqualTo((int) t.bytes());
      }
    }
  }

  @Test
  void fileWithoutAWholeLengthIsRefused() throws Exception {
    assertRefused(new byte[0], "expected at least 8 bytes, found 0");
    assertRefused(new byte[7], "expected at least 8 bytes, found 7");
  }

  @Test
  void headerLengthOutOfBoundsIsRefused() throws Exception {
    byte[] json = "{}".getBytes(StandardCharsets.UTF_8);
    assertRefused(
        Safetensors.bytes(3, json),
        "expected a header within the file of 10 bytes, found a length of 3; the file is truncated"
            + " or not safetensors");
    assertRefused(
        Safetensors.bytes(100_000_001, json),
        "expected a header of at most 100000000 bytes, found a length of 100000001");
    assertRefused(
        Safetensors.bytes(-1, json),
        "expected a header of at most 100000000 bytes, found a length of 18446744073709551615");
  }

  @Test
  void headerThatIsNoJsonObjectInUtf8IsRefused() throws Exception {
    assertRefused(Safetensors.bytes(""), "expected a header that begins with {, found nothing");
    assertRefused(Safetensors.bytes("[]"), "expected a header that begins with {, found byte 0x5b");
    assertRefused(
        Safetensors.bytes(" {}"), "expected a header that begins with {, found byte 0x20");
    assertRefused(
        Safetensors.bytes(3, new byte[] {'{', (byte) 0xff, '}'}),
        "expected a header in UTF-8, found other bytes");
    assertRefused( // an overlong encoding of a slash
        Safetensors.bytes(6, new byte[] {'{', '"', (byte) 0xc0, (byte) 0xaf, '"', '}'}),
        "expected a header in UTF-8, found other bytes");
    assertRefused(
        Safetensors.bytes("{} {}"),
        "expected nothing but spaces behind the header's object, found more JSON");
  }

  @Test
  void keyGivenTwiceIsRefused() throws Exception {
    String t = "'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}";
    assertRefused(
        Safetensors.bytes("{" + t + "," + t + "}", (byte) 1),
        "expected a header in JSON, found Duplicate field 'a' (line 1, column 57)");
    assertRefused(
        Safetensors.bytes(
            "{'a':{'dtype':'U8','dtype':'I8','shape':[1],'data_offsets':[0,1]}}", (byte) 1),
        "expected a header in JSON, found Duplicate field 'dtype' (line 1, column 27)");
  }

  record Broken(String value, String[] problems) {}

  private static Broken broken(String value, String... problems) {
    return new Broken(value, problems);
  }

  static List<Broken> oneBrokenTensorOfFourBytes() {
    return List.of(
        broken("3", "expected an object, found 3"),
        broken("[1,[2]]", "expected an object, found […"),
        broken(
            "{}",
            "expected dtype, found none",
            "expected shape, found none",
            "expected data_offsets, found none"),
        broken("{'dtype':'F32','shape':[1]}", "expected data_offsets, found none"),
        broken(
            "{'dtype':'F8_E4M3','shape':[4],'data_offsets':[0,4]}",
            "expected a dtype of [F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL], found \"F8_E4M3\""),
        broken("{'dtype':4,'shape':[4],'data_offsets':[0,4]}", "dtype: expected a string, found 4"),
        broken(
            "{'dtype':'U8','shape':4,'data_offsets':[0,4]}",
            "shape: expected a list of integers, found 4"),
        broken(
            "{'dtype':'U8','shape':[-4,-1],'data_offsets':[0,4]}",
            "shape: expected integers from 0 to 2^63 - 1, found -4"),
        broken(
            "{'dtype':'U8','shape':[4.0],'data_offsets':[0,4]}",
            "shape: expected integers from 0 to 2^63 - 1, found 4.0"),
        broken(
            "{'dtype':'U8','shape':[[4]],'data_offsets':[0,4]}",
            "shape: expected integers from 0 to 2^63 - 1, found ["),
        broken(
            "{'dtype':'U8','shape':[18446744073709551620],'data_offsets':[0,4]}",
            "shape: expected integers from 0 to 2^63 - 1, found 18446744073709551620"),
        broken(
            "{'dtype':'U8','shape':[" + "1,".repeat(64) + "4],'data_offsets':[0,4]}",
            "shape: expected at most 64 integers, found 65"),
        broken(
            "{'dtype':'U8','shape':[4],'data_offsets':[0,4,4]}",
            "data_offsets: expected at most 2 integers, found 3"),
        broken(
            "{'dtype':'U8','shape':[4],'data_offsets':[4]}",
            "expected data_offsets [begin, end] within the 4 bytes of data, found [4]"),
        broken(
            "{'dtype':'U8','shape':[4],'data_offsets':[4,0]}",
            "expected data_offsets [begin, end] within the 4 bytes of data, found [4, 0]"),
        broken(
            "{'dtype':'U8','shape':[5],'data_offsets':[0,5]}",
            "expected data_offsets [begin, end] within the 4 bytes of data, found [0, 5]"),
        broken(
            "{'dtype':'U8','shape':[4],'data_offsets':[9223372036854775803,9223372036854775807]}",
            "expected data_offsets [begin, end] within the 4 bytes of data, found"
                + " [9223372036854775803, 9223372036854775807]"),
        broken(
            "{'dtype':'F16','shape':[3],'data_offsets':[0,4]}",
            "expected 6 bytes for F16 [3], found 4"),
        // 2^32 · 2^32 · 4 + 4 bytes is 4 when it overflows
        broken(
            "{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,4]}",
            "expected more than 2^63 bytes for F32 [4294967296, 4294967296], found 4"),
        broken(
            "{'dtype':'F32','shape':[4611686018427387905],'data_offsets':[0,4]}",
            "expected more than 2^63 bytes for F32 [4611686018427387905], found 4"),
        broken(
            "{'dtype':'U8','shape':[4],'data_offsets':[0,4],'strides':[2]}",
            "unknown field \"strides\""));
  }

  @ParameterizedTest
  @MethodSource("oneBrokenTensorOfFourBytes")
  void brokenTensorIsNamedWithWhatIsWrong(Broken broken) throws Exception {
    assertRefused(
        Safetensors.bytes("{'t':" + broken.value() + "}", Safetensors.data(4)),
        Stream.of(broken.problems()).map(p -> "tensor \"t\": " + p).toArray(String[]::new));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0,4|2,6|8|tensor \"b\": expected data_offsets that begin at 4 where the tensor before ends, found 2: they overlap@expected the last tensor to end at 8 where the data ends, found 6",
        "0,4|0,4|4|tensor \"b\": expected data_offsets that begin at 4 where the tensor before ends, found 0: they overlap",
        "0,4|5,9|9|tensor \"b\": expected data_offsets that begin at 4 where the tensor before ends, found 5: bytes of no tensor between",
        "4,8|1,4|8|tensor \"b\": expected 4 bytes for U8 [4], found 3@tensor \"b\": expected data_offsets that begin at 0 where the tensor before ends, found 1: bytes of no tensor between",
        "0,4|4,8|9|expected the last tensor to end at 9 where the data ends, found 8",
      })
  void everyByteBelongsToExactlyOneTensor(String a, String b, int bytes, String problems)
      throws Exception {
    String header =
        "{'a':{'dtype':'U8','shape':[4],'data_offsets':["
            + a
            + "]},'b':{'dtype':'U8','shape':[4],'data_offsets':["
            + b
            + "]}}";
    assertRefused(Safetensors.bytes(header, new byte[bytes]), problems.split("@"));
  }

  @Test
  void emptyTensorInsideAnotherIsRefusedAsByTheCrate() throws Exception {
    assertRefused(
        Safetensors.bytes(
            "{'a':{'dtype':'U8','shape':[4],'data_offsets':[0,4]},"
                + "'e':{'dtype':'U8','shape':[0],'data_offsets':[2,2]}}",
            new byte[4]),
        "tensor \"e\": expected data_offsets that begin at 4 where the tensor before ends, found 2:"
            + " they overlap");
  }

  @Test
  void unalignedTensorIsRefused() throws Exception {
    assertRefused(
        Safetensors.bytes(
            "{'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},"
                + "'f':{'dtype':'F32','shape':[1],'data_offsets':[1,5]}}",
            new byte[5]),
        "tensor \"f\": expected data_offsets that begin at a multiple of 4, the bytes of one F32,"
            + " found 1; a current safetensors.torch.save_file aligns them");
  }

  @Test
  void allProblemsComeAtOnce() throws Exception {
    assertRefused(
        Safetensors.bytes(
            "{'__metadata__':{'format':1},"
                + "'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]},"
                + "'b':{'dtype':'X','shape':[1],'data_offsets':[4,5]},"
                + "'c\\n':{'dtype':'U8','shape':[1],'data_offsets':[5,99]}}",
            new byte[5]),
        "__metadata__: expected a string for \"format\", found 1",
        "tensor \"a\": expected 8 bytes for F32 [2], found 4",
        "tensor \"b\": expected a dtype of [F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL], found"
            + " \"X\"",
        "tensor \"c\\n\": expected data_offsets [begin, end] within the 5 bytes of data, found [5, 99]");
  }

  @Test
  void thousandsOfProblemsAreCounted() throws Exception {
    StringBuilder header = new StringBuilder("{");
    for (int i = 0; i < 5000; i++) {
      header.append(i == 0 ? "" : ",").append("'t").append(i).append("':1");
    }
    assertThatThrownBy(() -> SafetensorsFile.open(write(Safetensors.bytes(header + "}"))))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining(": 101 problems:\n  tensor \"t0\": expected an object, found 1\n")
        .hasMessageEndingWith("\n  … and 4900 more");
  }

  @Test
  void hostileHeaderOfTheLargestSizeIsRefusedWithinALittleMemory() throws Exception {
    byte[] json = new byte[100_000_000];
    Arrays.fill(json, (byte) '9');
    byte[] start = "{\"t\":{\"shape\":[".getBytes(StandardCharsets.UTF_8);
    System.arraycopy(start, 0, json, 0, start.length);
    for (int i = start.length + 2; i < json.length; i += 3) {
      json[i] = ',';
    }
    Path file = write(Safetensors.bytes(json.length, json));
    assertThatThrownBy(() -> SafetensorsFile.open(file)).isInstanceOf(LoadException.class);
  }

  @Test
  void missingFileAndFolderAreRefused() {
    assertThatThrownBy(() -> SafetensorsFile.open(folder.resolve("none")))
        .isInstanceOf(LoadException.class)
        .hasMessage(folder.resolve("none") + ": expected a readable safetensors file, found none");
    assertThatThrownBy(() -> SafetensorsFile.open(folder))
        .isInstanceOf(LoadException.class)
        .hasMessage(folder + ": expected a safetensors file, found a folder");
  }

  @Test
  void pickleThatCallsItselfSafetensorsIsRefusedWithTheReason() throws Exception {
    Path file = folder.resolve("m.safetensors");
    String refusal =
        file
            + ": expected safetensors, found the Python pickle m.safetensors. A pickle can execute any"
            + " code when it is read, so it is never read here. If you trust it, convert it once, in"
            + " its folder: python -c \"import glob, torch, safetensors.torch as s; s.save_file({k:"
            + " v.clone().contiguous() for f in ['m.safetensors'] for k, v in torch.load(f,"
            + " map_location='cpu', weights_only=True).items()}, 'converted.safetensors',"
            + " metadata={'format': 'pt'})\", or save the model again from Python with"
            + " save_pretrained(folder, safe_serialization=True)";
    for (byte[] start :
        List.of(
            "PK\3\4\0\0\b\b\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1),
            "\u0080\2}q\0(X\5\0\0\0".getBytes(StandardCharsets.ISO_8859_1))) {
      Files.write(file, start);
      assertThatThrownBy(() -> SafetensorsFile.open(file))
          .isInstanceOf(LoadException.class)
          .hasMessage(refusal);
    }
  }

  @Test
  void soundFileWhoseLengthLooksLikeAPickleIsRead() throws Exception {
    String header = "{}" + " ".repeat(0x0280 - 2); // its first bytes are 80 02, as of a pickle
    SafetensorsFile.open(write(Safetensors.bytes(header))).close();
  }

  @Test
  void gitLfsPointerIsRefusedWithWhatToDo() throws Exception {
    assertRefused(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n"
            .getBytes(StandardCharsets.UTF_8),
        "expected safetensors, found a Git LFS pointer; get the file itself with git lfs pull");
  }

  @Test
  void sliceOutsideItsTensorIsTheCallersMistake() throws Exception {
    try (var file = SafetensorsFile.open(write(Safetensors.ofU8(7, "a", "b")))) {
      TensorInfo a = file.tensors().get("a");
      for (long[] slice : new long[][] {{0, 5}, {4, 1}, {-1, 2}, {Long.MAX_VALUE, 1}, {0, -1}}) {
        assertThatThrownBy(() -> file.slice(a, slice[0], (int) slice[1]))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessage(
                "expected a slice of up to 1073741824 bytes within the 4 of "
                    + a
                    + ", found "
                    + slice[1]
                    + " from "
                    + slice[0]);
      }
      assertThat(file.slice(a, 4, 0).remaining()).isZero();
      TensorInfo stranger =
          new TensorInfo("a", StoredType.U8, new long[] {9}, a.file(), a.begin(), a.begin() + 9);
      assertThatThrownBy(() -> file.slice(stranger, 0, 9))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("not a tensor of ");
    }
  }

  @Test
  void closedFileGivesNoSlices() throws Exception {
    var file = SafetensorsFile.open(write(Safetensors.ofU8(7, "a")));
    file.close();
    file.close();
    assertThatThrownBy(() -> file.slice(file.tensors().get("a"), 0, 1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(folder.resolve("m.safetensors") + " is closed");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void closingUnmapsAtOnce() throws Exception {
    Path file = write(Safetensors.ofU8(7, "a"));
    Path maps = Path.of("/proc/self/maps");
    var open = SafetensorsFile.open(file);
    assertThat(Files.readString(maps)).contains(file.toString());
    open.close();
    assertThat(Files.readString(maps)).doesNotContain(file.toString());
  }

  @Test
  void interruptedThreadDoesNotSpoilTheFileForOthers() throws Exception {
    try (var file = SafetensorsFile.open(write(Safetensors.ofU8(7, "a")))) {
      TensorInfo a = file.tensors().get("a");
      Thread.currentThread().interrupt();
      assertThat(file.slice(a, 0, 4).get()).isEqualTo((byte) 7);
      assertThat(Thread.interrupted()).isTrue();
      assertThat(file.slice(a, 0, 4).get()).isEqualTo((byte) 7);
    }
  }

  @Test
  void fileTruncatedAfterOpeningGivesNoSlices() throws Exception {
    Path path = write(Safetensors.ofU8(7, "a"));
    long length = Files.size(path);
    try (var file = SafetensorsFile.open(path)) {
      truncate(path, 20);
      assertThatThrownBy(() -> file.slice(file.tensors().get("a"), 0, 4))
          .isInstanceOf(LoadException.class)
          .hasMessage(
              path
                  + ": expected "
                  + length
                  + " bytes as when it was opened, found 20; replace model files by renaming, do not"
                  + " overwrite them");
    }
  }

  /** In a JVM of its own: were it to crash, its exit status would say so. */
  @ParameterizedTest
  @ValueSource(strings = {"one byte", "all bytes"})
  void fileTruncatedUnderASliceDoesNotCrashTheJvm(String reading) throws Exception {
    String header = "{'t':{'dtype':'U8','shape':[1000000],'data_offsets':[0,1000000]}}";
    Path path = write(Safetensors.bytes(header, new byte[1_000_000]));
    assertThat(ChildJvm.run(ReadTruncated.class, path.toString(), reading))
        .contains(
            "after reading: "
                + path
                + ": expected 1000073 bytes as when it was opened, found 0; replace model files by"
                + " renaming, do not overwrite them");
  }

  static final class ReadTruncated {
    public static void main(String[] args) throws Exception {
      Path path = Path.of(args[0]);
      try (var file = SafetensorsFile.open(path)) {
        ByteBuffer slice = file.slice(file.tensors().get("t"), 0, 1_000_000);
        truncate(path, 0);
        // the JVM's InternalError comes at any later time in its thread, or never when that ends
        Thread reader =
            new Thread(
                () -> {
                  if (args[1].equals("one byte")) {
                    slice.get(900_000);
                  } else {
                    slice.get(new byte[1_000_000]);
                  }
                });
        reader.setUncaughtExceptionHandler((thread, e) -> System.out.println(e));
        reader.start();
        reader.join();
        file.verifyWhole();
      } catch (LoadException e) {
        System.out.println("after reading: " + e.getMessage());
      }
    }
  }

  private static void truncate(Path path, long length) {
    try (var file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(length);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Sparse: 3.25 GiB long, a few KiB on disk. */
  @Test
  void fileBeyondTwoGiBIsReadAcrossItsSegments() throws Exception {
    long gib = 1L << 30;
    String header =
        "{'big':{'dtype':'U8','shape':[3,"
            + gib
            + "],'data_offsets':[0,"
            + 3 * gib
            + "]},"
            + "'late':{'dtype':'I64','shape':[2,1],'data_offsets':["
            + 3 * gib
            + ","
            + (3 * gib + 16)
            + "]},"
            + "'last':{'dtype':'U8','shape':["
            + gib / 4
            + "],'data_offsets':["
            + (3 * gib + 16)
            + ","
            + (3 * gib + 16 + gib / 4)
            + "]}}";
    Path path = folder.resolve("big.safetensors");
    byte[] start = Safetensors.bytes(header);
    try (FileChannel out =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE,
            StandardOpenOption.SPARSE)) {
      put(out, 0, start);
      put(out, gib - 2, new byte[] {1, 2, 3, 4}); // around each border of the segments
      put(out, 2 * gib - 2, new byte[] {5, 6, 7, 8});
      put(out, 3 * gib - 2, new byte[] {9, 10, 11, 12});
      put(out, start.length + 3 * gib, Safetensors.data(16));
      put(out, start.length + 3 * gib + 16 + gib / 4 - 1, new byte[] {42});
    }
    try (var file = SafetensorsFile.open(path)) {
      TensorInfo big = file.tensors().get("big");
      for (int i = 1; i <= 3; i++) {
        byte[] read = new byte[4];
        file.slice(big, i * gib - 2 - start.length, 4).get(read);
        byte first = (byte) (4 * i - 3);
        assertThat(read).containsExactly(first, first + 1, first + 2, first + 3);
      }
      // the longest slice from the last byte of a segment's stride: ends at its very last byte
      ByteBuffer longest = file.slice(big, gib - 1 - start.length, SafetensorsFile.LONGEST_SLICE);
      assertThat(longest.remaining()).isEqualTo(1 << 30);
      assertThat(longest.get(0)).isEqualTo((byte) 2);
      assertThat(longest.get((1 << 30) - 1)).isEqualTo((byte) 5);
      TensorInfo late = file.tensors().get("late");
      assertThat(late.begin()).isGreaterThan(2 * gib);
      assertThat(file.slice(late, 8, 8).getLong()).isEqualTo(0x100f0e0d0c0b0a09L);
      assertThat(file.slice(file.tensors().get("last"), gib / 4 - 1, 1).get()).isEqualTo((byte) 42);
    }
  }

  private static void put(FileChannel out, long position, byte[] bytes) throws IOException {
    out.write(ByteBuffer.wrap(bytes), position);
  }
}
