package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sound files, each with a few random changes: either one LoadException, or the very tensors that a
 * simple reading in memory finds.
 */
class SafetensorsMutationTest {
  private static final int FILES = 10_000;
  private static final Map<String, Integer> SIZES =
      Map.of(
          "F64", 8, "F32", 4, "F16", 2, "BF16", 2, "I64", 8, "I32", 4, "I16", 2, "I8", 1, "U8", 1,
          "BOOL", 1);
  private static final List<String> TYPES = SIZES.keySet().stream().sorted().toList();
  private static final String[] NUMBERS = {
    "0",
    "1",
    "-1",
    "2",
    "3",
    "4",
    "8",
    "16",
    "0.5",
    "1e2",
    "-0",
    "00",
    "null",
    "[]",
    "\"4\"",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "1e999",
    "4611686018427387904"
  };
  private static final Pattern NUMBER = Pattern.compile("(?<=[\\[,])\\d+(?=[\\],])");
  private static final Pattern STRING = Pattern.compile("\"[^\"]*\"");

  @TempDir Path folder;

  @Test
  void mutatedFileIsRefusedOrReadAsItStands() throws Exception {
    Random random = new Random(20261);
    int mutatedAndAccepted = 0;
    Map<String, Integer> reasons = new TreeMap<>();
    for (int i = 0; i < FILES; i++) {
      byte[] bytes = soundFile(random);
      int mutations = random.nextInt(4);
      for (int m = 0; m < mutations; m++) {
        bytes = mutate(bytes, random);
      }
      // a new file each time: to truncate one and write it anew waits for the disk
      Path path = Files.write(folder.resolve(i + ".safetensors"), bytes);
      try (var file = SafetensorsFile.open(path)) {
        assertThat(contents(file)).isEqualTo(simpleReading(bytes));
        mutatedAndAccepted += mutations > 0 ? 1 : 0;
      } catch (LoadException e) {
        if (mutations == 0) {
          fail("round " + i + ": a sound file is refused", e);
        }
        assertThat(e.getMessage()).startsWith(path + ": ");
        String reason = e.getMessage().substring(path.toString().length() + 2);
        reasons.merge(reason.replaceAll("\"[^\"]*\"|\\d+", "").split("found")[0], 1, Integer::sum);
      } catch (Throwable e) {
        fail("round " + i + ": " + HexFormat.of().formatHex(bytes), e);
      }
      Files.delete(path);
    }
    // the changes reach both outcomes and many different checks, or this test would prove little
    assertThat(mutatedAndAccepted).isGreaterThan(FILES / 30);
    assertThat(reasons).hasSizeGreaterThan(30);
  }

  private static byte[] soundFile(Random random) {
    List<String> entries = new ArrayList<>();
    int offset = 0;
    for (int size : new int[] {8, 4, 2, 1}) { // descending, so all are aligned
      List<String> types = TYPES.stream().filter(t -> SIZES.get(t) == size).toList();
      for (int k = random.nextInt(3); k > 0; k--) {
        int[] shape = random.ints(random.nextInt(4), 0, 4).toArray();
        int end = offset + size * Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        entries.add(
            "\"t."
                + entries.size()
                + "\":{\"dtype\":\""
                + types.get(random.nextInt(types.size()))
                + "\",\"shape\":"
                + Arrays.toString(shape).replace(" ", "")
                + ",\"data_offsets\":["
                + offset
                + ","
                + end
                + "]}");
        offset = end;
      }
    }
    if (random.nextInt(3) == 0) {
      entries.add("\"__metadata__\":{\"format\":\"pt\",\"é\":\"\"}");
    }
    Collections.shuffle(entries, random);
    byte[] json =
        ("{" + String.join(",", entries) + "}" + " ".repeat(random.nextInt(8)))
            .getBytes(StandardCharsets.UTF_8);
    byte[] data = new byte[offset];
    random.nextBytes(data);
    return Safetensors.bytes(json.length, json, data);
  }

  private static byte[] mutate(byte[] bytes, Random random) {
    return switch (random.nextInt(8)) {
      case 0 -> flip(bytes, random.nextInt(bytes.length), random);
      case 1 -> flip(bytes, random.nextInt(Math.min(8, bytes.length)), random);
      case 2 -> Arrays.copyOf(bytes, 1 + random.nextInt(bytes.length));
      case 3 -> Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(9));
      case 4, 5 -> withHeader(bytes, random, STRING, '"' + TYPES.get(random.nextInt(10)) + '"');
      default -> withHeader(bytes, random, NUMBER, NUMBERS[random.nextInt(NUMBERS.length)]);
    };
  }

  private static byte[] flip(byte[] bytes, int at, Random random) {
    byte[] flipped = bytes.clone();
    flipped[at] =
        random.nextBoolean()
            ? (byte) random.nextInt()
            : (byte) (flipped[at] ^ 1 << random.nextInt(8));
    return flipped;
  }

  /** Replaces one match in the header, and gives the length that the header then has. */
  private static byte[] withHeader(
      byte[] bytes, Random random, Pattern pattern, String replacement) {
    long length = bytes.length < 8 ? -1 : little(bytes);
    if (length < 0 || length > bytes.length - 8) {
      return bytes;
    }
    // ISO_8859_1 keeps every byte, whatever an earlier change made of the header
    String header = new String(bytes, 8, (int) length, StandardCharsets.ISO_8859_1);
    List<MatchResult> matches = pattern.matcher(header).results().toList();
    if (matches.isEmpty()) {
      return bytes;
    }
    MatchResult match = matches.get(random.nextInt(matches.size()));
    MatchResult other = matches.get(random.nextInt(matches.size()));
    String text = random.nextInt(3) == 0 ? other.group() : replacement;
    byte[] json =
        (header.substring(0, match.start()) + text + header.substring(match.end()))
            .getBytes(StandardCharsets.ISO_8859_1);
    byte[] data = Arrays.copyOfRange(bytes, 8 + (int) length, bytes.length);
    return Safetensors.bytes(json.length, json, data);
  }

  private static long little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  private static Map<String, String> contents(SafetensorsFile file) {
    Map<String, String> contents = new HashMap<>();
    file.tensors()
        .forEach(
            (name, t) -> {
              byte[] bytes = new byte[(int) t.bytes()];
              file.slice(t, 0, bytes.length).get(bytes);
              assertThat(t.name()).isEqualTo(name);
              contents.put(
                  name, t.type() + Arrays.toString(t.shape()) + HexFormat.of().formatHex(bytes));
            });
    contents.put("__metadata__", new TreeMap<>(file.metadata()).toString());
    return contents;
  }

  /** No code of the library, and nothing trusted: throws whatever it likes on an unsound file. */
  private static Map<String, String> simpleReading(byte[] bytes) throws Exception {
    Map<String, String> contents = new HashMap<>();
    contents.put("__metadata__", "{}");
    int length = Math.toIntExact(little(bytes));
    byte[] data = Arrays.copyOfRange(bytes, 8 + length, bytes.length);
    boolean[] owned = new boolean[data.length];
    JsonNode header =
        new ObjectMapper().readTree(new String(bytes, 8, length, StandardCharsets.UTF_8));
    for (var entry : header.properties()) {
      JsonNode value = entry.getValue();
      if (entry.getKey().equals("__metadata__")) {
        Map<String, String> metadata = new TreeMap<>();
        value.properties().forEach(e -> metadata.put(e.getKey(), e.getValue().asText()));
        contents.put("__metadata__", metadata.toString());
        continue;
      }
      int begin = value.get("data_offsets").get(0).intValue();
      int end = value.get("data_offsets").get(1).intValue();
      long elements = 1;
      long[] shape = new long[value.get("shape").size()];
      for (int i = 0; i < shape.length; i++) {
        shape[i] = value.get("shape").get(i).longValue();
        elements *= shape[i];
      }
      String type = value.get("dtype").asText();
      assertThat((long) end - begin).isEqualTo(elements * SIZES.get(type));
      for (int i = begin; i < end; i++) {
        assertThat(owned[i]).isFalse();
        owned[i] = true;
      }
      contents.put(
          entry.getKey(),
          type
              + Arrays.toString(shape)
              + HexFormat.of().formatHex(Arrays.copyOfRange(data, begin, end)));
    }
    for (boolean byteHasOwner : owned) {
      assertThat(byteHasOwner).isTrue();
    }
    return contents;
  }
}
