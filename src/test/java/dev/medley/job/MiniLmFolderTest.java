package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.io.LoadException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MiniLmFolderTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path scratch;

  @Test
  void tensorsAreExactlyThoseOfABertWithoutPooler() throws IOException {
    JsonNode header = header();
    Set<String> found = new TreeSet<>();
    header.properties().forEach(e -> found.add(e.getKey() + " " + e.getValue().get("shape")));
    found.removeIf(key -> key.startsWith("__metadata__"));

    JsonNode config = JSON.readTree(MiniLm.folder().resolve("config.json").toFile());
    int d = config.get("hidden_size").asInt();
    int wide = config.get("intermediate_size").asInt();
    Set<String> expected = new TreeSet<>();
    expected.add("embeddings.word_embeddings.weight [%d,%d]".formatted(30522, d));
    expected.add("embeddings.position_embeddings.weight [%d,%d]".formatted(512, d));
    expected.add("embeddings.token_type_embeddings.weight [%d,%d]".formatted(2, d));
    List<String> norms = new ArrayList<>(List.of("embeddings.LayerNorm"));
    for (int i = 0; i < config.get("num_hidden_layers").asInt(); i++) {
      String layer = "encoder.layer." + i + ".";
      for (String square : List.of("self.query", "self.key", "self.value", "output.dense")) {
        linear(expected, layer + "attention." + square, d, d);
      }
      linear(expected, layer + "intermediate.dense", wide, d);
      linear(expected, layer + "output.dense", d, wide);
      norms.add(layer + "attention.output.LayerNorm");
      norms.add(layer + "output.LayerNorm");
    }
    for (String norm : norms) {
      expected.add(norm + ".weight [" + d + "]");
      expected.add(norm + ".bias [" + d + "]");
    }
    assertThat(found).isEqualTo(expected).hasSize(101);
  }

  @Test
  void linearWeightIsTheTransposedInitialiser() throws IOException {
    float[] query = tensor("encoder.layer.0.attention.self.query.weight"); // [out, in]
    float[] initialiser = rawData("onnx::MatMul_787", 384 * 384); // [in, out]
    float[] wide = tensor("encoder.layer.5.intermediate.dense.weight"); // [1536, 384]
    float[] wideInitialiser = rawData("onnx::MatMul_863", 384 * 1536); // [384, 1536]

    float[] x = new float[384];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) Math.sin(i);
    }
    for (int out = 0; out < 384; out++) {
      double byWeight = 0;
      double byInitialiser = 0;
      for (int in = 0; in < 384; in++) {
        byWeight += x[in] * query[384 * out + in];
        byInitialiser += x[in] * initialiser[384 * in + out];
      }
      assertThat(byWeight).isEqualTo(byInitialiser);
    }
    for (int out = 0; out < 1536; out++) {
      for (int in = 0; in < 384; in++) {
        assertThat(wide[384 * out + in]).isEqualTo(wideInitialiser[1536 * in + out]);
      }
    }
  }

  /** The export is the sentence model: paraphrases are near, strangers are far. */
  @Test
  void onnxEmbeddingsAreOfLengthOneAndSortByMeaning() {
    float[] eating = MiniLm.onnxEmbedding(101, 1037, 2158, 2003, 5983, 2833, 1012, 102);
    float[] eats =
        MiniLm.onnxEmbedding(101, 1037, 2158, 2003, 5983, 1037, 3538, 1997, 7852, 1012, 102);
    float[] violin =
        MiniLm.onnxEmbedding(
            101, 1037, 2450, 2003, 2652, 6710, 1012, 102); // a woman is playing violin.

    assertThat(dot(eating, eating)).isCloseTo(1, within(1e-5));
    assertThat(dot(eating, eats)).isGreaterThan(0.7);
    assertThat(dot(eating, violin)).isLessThan(0.2);
  }

  @Test
  void secondWriteIsANoOp() throws IOException {
    Path folder = MiniLm.folder();
    FileTime before = Files.getLastModifiedTime(folder.resolve("model.safetensors"));

    MiniLmFolder.write(scratch.resolve("no such.jar"), folder);

    assertThat(Files.getLastModifiedTime(folder.resolve("model.safetensors"))).isEqualTo(before);
  }

  @Test
  void aFolderThatIsSomethingElseIsRefusedAndLeftAlone() throws IOException {
    Files.writeString(scratch.resolve("config.json"), "{}");

    assertThatThrownBy(() -> MiniLmFolder.write(MiniLm.jar(), scratch))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            scratch
                + ": expected the folder of all-MiniLM-L6-v2, found one without"
                + " 1_Pooling/config.json, model.safetensors, modules.json,"
                + " sentence_bert_config.json, tokenizer.json, tokenizer_config.json; remove it, or"
                + " name another folder");
  }

  @Test
  void aJarWithoutTheModelLeavesNothingBehind() throws IOException {
    Path jar = scratch.resolve("other.jar");
    try (OutputStream file = Files.newOutputStream(jar);
        ZipOutputStream zip = new ZipOutputStream(file)) {
      zip.putNextEntry(new ZipEntry("all-minilm-l6-v2-tokenizer.json"));
      zip.closeEntry();
    }

    assertThatThrownBy(() -> MiniLmFolder.write(jar, scratch.resolve("out")))
        .isInstanceOf(LoadException.class)
        .hasMessageContaining("expected all-minilm-l6-v2.onnx in it, found none");
    assertThatThrownBy(
            () -> MiniLmFolder.write(scratch.resolve("none.jar"), scratch.resolve("out")))
        .hasMessageEndingWith("none.jar: expected the jar of all-MiniLM-L6-v2, found no file");

    try (Stream<Path> files = Files.list(scratch)) {
      assertThat(files).containsExactly(jar);
    }
  }

  private static void linear(Set<String> tensors, String name, int out, int in) {
    tensors.add("%s.weight [%d,%d]".formatted(name, out, in));
    tensors.add("%s.bias [%d]".formatted(name, out));
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  private static JsonNode header() throws IOException {
    try (FileChannel file = FileChannel.open(MiniLm.folder().resolve("model.safetensors"))) {
      return JSON.readTree(read(file, 8, Math.toIntExact(read(file, 0, 8).getLong())).array());
    }
  }

  private static float[] tensor(String key) throws IOException {
    JsonNode offsets = header().get(key).get("data_offsets");
    try (FileChannel file = FileChannel.open(MiniLm.folder().resolve("model.safetensors"))) {
      long data = 8 + read(file, 0, 8).getLong();
      int bytes = offsets.get(1).asInt() - offsets.get(0).asInt();
      return floats(read(file, data + offsets.get(0).asLong(), bytes));
    }
  }

  /** An initialiser's raw data found without a parser: it follows its own name in the file. */
  private static float[] rawData(String name, int elements) throws IOException {
    byte[] onnx = Files.readAllBytes(MiniLm.onnxFile());
    byte[] wanted = (name + "J").getBytes(StandardCharsets.US_ASCII); // 'J': field 9, bytes
    int found = -1;
    for (int i = 0; i < onnx.length - wanted.length; i++) {
      boolean equal = true;
      for (int j = 0; equal && j < wanted.length; j++) {
        equal = onnx[i + j] == wanted[j];
      }
      if (equal) {
        assertThat(found).as("only once in the file").isEqualTo(-1);
        found = i + wanted.length;
      }
    }
    while (onnx[found++] < 0) {} // the length, a varint
    return floats(ByteBuffer.wrap(onnx, found, 4 * elements));
  }

  private static ByteBuffer read(FileChannel file, long offset, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining() && file.read(buffer, offset + buffer.position()) >= 0) {}
    return buffer.flip();
  }

  private static float[] floats(ByteBuffer bytes) {
    float[] floats = new float[bytes.remaining() / 4];
    bytes.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats);
    return floats;
  }
}
