package dev.medley.io;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The header of a safetensors file, checked whole: 8 bytes n (little-endian), n bytes of JSON that
 * give each tensor {@code dtype}, {@code shape} and {@code data_offsets} within the data, then the
 * data.
 *
 * <p>The rules are those of the official crate: offsets in range, size = shape × dtype, every byte
 * of the data in exactly one tensor, n ≤ 100 MB; 0-size tensors and padding with spaces are legal.
 * Stricter than the crate: no key twice, no unknown field, an opening brace as the first byte as
 * the format demands, and each tensor begins at a multiple of its element size within the data (the
 * crate's writers do so; the crate itself aligns only the header, to 8). The JSON is read as a
 * stream, so that a hostile 100 MB header costs little more than its own size.
 */
record SafetensorsHeader(Map<String, TensorInfo> tensors, Map<String, String> metadata) {
  static final int LARGEST = 100_000_000;
  private static final int MOST_DIMENSIONS = 64;
  private static final int MOST_PROBLEMS = 100;
  private static final String LFS_POINTER = "version ";

  /** Reads no more than the header; {@code fileLength} is that of the whole file, in bytes. */
  static SafetensorsHeader read(String file, long fileLength, InputStream in) throws IOException {
    byte[] first = in.readNBytes(8);
    if (fileLength < 8 || first.length < 8) {
      throw new LoadException(
          file, "expected at least 8 bytes, found " + Math.min(fileLength, first.length));
    }
    long length = ByteBuffer.wrap(first).order(ByteOrder.LITTLE_ENDIAN).getLong();
    boolean fits = length >= 0 && length <= LARGEST && length <= fileLength - 8;
    byte[] json = fits ? in.readNBytes((int) length) : new byte[0];
    if (json.length == 0 || json[0] != '{') {
      refuseOtherFormats(file, first);
    }
    if (!fits) {
      throw new LoadException(file, wrongLength(length, fileLength));
    }
    if (json.length < length) {
      throw new LoadException(
          file, "expected a header of " + length + " bytes, found the end after " + json.length);
    }
    return new Reading(file, 8 + length, fileLength - 8 - length).parse(json);
  }

  /**
   * Of the header's bytes and the file's length, which are all that {@link #read} looks at; empty
   * where there is no whole header. Reads no more than it either, and checks nothing.
   */
  static Optional<String> hash(long fileLength, InputStream in) throws IOException {
    byte[] first = in.readNBytes(8);
    ByteBuffer lengths = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    long length = first.length < 8 ? -1 : lengths.put(first).putLong(fileLength).getLong(0);
    if (length < 0 || length > LARGEST || length > fileLength - 8) {
      return Optional.empty();
    }
    byte[] json = in.readNBytes((int) length);
    MessageDigest digest = Sha256.digest();
    digest.update(lengths.array());
    digest.update(json);
    return Optional.of(Sha256.hex(digest)).filter(hash -> json.length == length);
  }

  private static void refuseOtherFormats(String file, byte[] first) {
    if (Pickles.startsLikeOne(first)) {
      throw new LoadException(
          file, Pickles.refusal(List.of(file.substring(file.lastIndexOf('/') + 1))));
    }
    if (new String(first, StandardCharsets.ISO_8859_1).equals(LFS_POINTER)) {
      throw new LoadException(
          file,
          "expected safetensors, found a Git LFS pointer; get the file itself with git lfs pull");
    }
  }

  private static String wrongLength(long length, long fileLength) {
    String found = Long.toUnsignedString(length);
    return length < 0 || length > LARGEST
        ? "expected a header of at most " + LARGEST + " bytes, found a length of " + found
        : "expected a header within the file of "
            + fileLength
            + " bytes, found a length of "
            + found
            + "; the file is truncated or not safetensors";
  }

  /** One reading of one header; collects every problem of every tensor. */
  private static final class Reading {
    private final String file;
    private final long dataBegin;
    private final long dataLength;
    private final List<String> problems = new ArrayList<>();
    private int problemCount;
    private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private boolean everyOffsetRead = true;

    Reading(String file, long dataBegin, long dataLength) {
      this.file = file;
      this.dataBegin = dataBegin;
      this.dataLength = dataLength;
    }

    SafetensorsHeader parse(byte[] utf8) throws IOException {
      if (utf8.length == 0 || utf8[0] != '{') {
        String found = utf8.length == 0 ? "nothing" : String.format("byte 0x%02x", utf8[0]);
        throw new LoadException(file, "expected a header that begins with {, found " + found);
      }
      CharBuffer text;
      try {
        text = StrictJson.decode(utf8);
      } catch (CharacterCodingException e) {
        throw new LoadException(file, "expected a header in UTF-8, found other bytes", e);
      }
      try (JsonParser json =
          StrictJson.FACTORY.createParser(
              text.array(), text.arrayOffset() + text.position(), text.remaining())) {
        json.nextToken();
        while (json.nextToken() != JsonToken.END_OBJECT) {
          String name = json.currentName();
          json.nextToken();
          if (name.equals("__metadata__")) {
            readMetadata(json);
          } else {
            readTensor(name, json);
          }
        }
        if (json.nextToken() != null) {
          problem("expected nothing but spaces behind the header's object, found more JSON");
        }
      } catch (JsonProcessingException e) {
        problem("expected a header in JSON, found " + StrictJson.problem(e));
        everyOffsetRead = false;
      }
      if (everyOffsetRead) {
        checkTiling();
      }
      if (problemCount > problems.size()) {
        problems.add("… and " + (problemCount - problems.size()) + " more");
      }
      if (!problems.isEmpty()) {
        throw new LoadException(file, problems);
      }
      return new SafetensorsHeader(
          Collections.unmodifiableMap(tensors), Collections.unmodifiableMap(metadata));
    }

    private void readMetadata(JsonParser json) throws IOException {
      if (json.currentToken() == JsonToken.VALUE_NULL) {
        return;
      }
      if (!isA(JsonToken.START_OBJECT, json, "__metadata__: expected an object of strings")) {
        return;
      }
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String key = json.currentName();
        json.nextToken();
        if (isA(
            JsonToken.VALUE_STRING,
            json,
            "__metadata__: expected a string for " + Shown.quoted(key))) {
          metadata.put(key, json.getText());
        }
      }
    }

    private void readTensor(String name, JsonParser json) throws IOException {
      String tensor = "tensor " + Shown.quoted(name) + ": ";
      if (!isA(JsonToken.START_OBJECT, json, tensor + "expected an object")) {
        everyOffsetRead = false;
        return;
      }
      String dtype = null;
      long[] shape = null;
      long[] offsets = null;
      int before = problemCount;
      while (json.nextToken() != JsonToken.END_OBJECT) {
        String field = json.currentName();
        json.nextToken();
        switch (field) {
          case "dtype" -> {
            if (isA(JsonToken.VALUE_STRING, json, tensor + "dtype: expected a string")) {
              dtype = json.getText();
            }
          }
          case "shape" -> shape = readSizes(tensor + "shape", json, MOST_DIMENSIONS);
          case "data_offsets" -> offsets = readSizes(tensor + "data_offsets", json, 2);
          default -> {
            problem(tensor + "unknown field " + Shown.quoted(field));
            json.skipChildren();
          }
        }
      }
      if (problemCount == before) {
        missing(tensor, "dtype", dtype);
        missing(tensor, "shape", shape);
        missing(tensor, "data_offsets", offsets);
      }
      StoredType type = dtype == null ? null : StoredType.named(dtype).orElse(null);
      if (dtype != null && type == null) {
        String known = Arrays.toString(StoredType.values());
        problem(tensor + "expected a dtype of " + known + ", found " + Shown.quoted(dtype));
      }
      if (!offsetsFit(tensor, offsets)) {
        everyOffsetRead = false;
      } else if (type != null && shape != null) {
        checkSize(tensor, type, shape, offsets[1] - offsets[0]);
        if (offsets[0] % type.bytes() != 0) {
          problem(
              tensor
                  + "expected data_offsets that begin at a multiple of "
                  + type.bytes()
                  + ", the bytes of one "
                  + type
                  + ", found "
                  + offsets[0]
                  + "; a current safetensors.torch.save_file aligns them");
        }
        tensors.put(
            name,
            new TensorInfo(
                name, type, shape, file, dataBegin + offsets[0], dataBegin + offsets[1]));
      } else {
        everyOffsetRead = false;
      }
    }

    /** Non-negative integers; null with a problem when it is anything else. */
    private long[] readSizes(String what, JsonParser json, int most) throws IOException {
      if (!isA(JsonToken.START_ARRAY, json, what + ": expected a list of integers")) {
        return null;
      }
      long[] sizes = new long[most];
      int count = 0;
      String wrong = null;
      while (json.nextToken() != JsonToken.END_ARRAY) {
        boolean isLong =
            json.currentToken() == JsonToken.VALUE_NUMBER_INT
                && json.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
        if ((!isLong || json.getLongValue() < 0) && wrong == null) {
          wrong = "expected integers from 0 to 2^63 - 1, found " + Shown.plain(json.getText());
        } else if (isLong && count < most) {
          sizes[count] = json.getLongValue();
        }
        count++;
        json.skipChildren();
      }
      if (wrong == null && count > most) {
        wrong = "expected at most " + most + " integers, found " + count;
      }
      if (wrong != null) {
        problem(what + ": " + wrong);
        return null;
      }
      return Arrays.copyOf(sizes, count);
    }

    private boolean offsetsFit(String tensor, long[] offsets) {
      if (offsets == null) {
        return false;
      }
      if (offsets.length != 2 || offsets[0] > offsets[1] || offsets[1] > dataLength) {
        problem(
            tensor
                + "expected data_offsets [begin, end] within the "
                + dataLength
                + " bytes of data, found "
                + Arrays.toString(offsets));
        return false;
      }
      return true;
    }

    private void checkSize(String tensor, StoredType type, long[] shape, long bytes) {
      String expected;
      try {
        long product = 1;
        for (long size : shape) {
          product = Math.multiplyExact(product, size);
        }
        product = Math.multiplyExact(product, (long) type.bytes());
        if (product == bytes) {
          return;
        }
        expected = product + " bytes";
      } catch (ArithmeticException e) {
        expected = "more than 2^63 bytes";
      }
      String what = type + " " + Arrays.toString(shape);
      problem(tensor + "expected " + expected + " for " + what + ", found " + bytes);
    }

    /** Every byte of the data belongs to exactly one tensor, as in the crate's validate(). */
    private void checkTiling() {
      List<TensorInfo> inOrder = new ArrayList<>(tensors.values());
      inOrder.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(TensorInfo::end));
      long next = dataBegin;
      for (TensorInfo t : inOrder) {
        if (t.begin() != next) {
          problem(
              "tensor "
                  + Shown.quoted(t.name())
                  + ": expected data_offsets that begin at "
                  + (next - dataBegin)
                  + " where the tensor before ends, found "
                  + (t.begin() - dataBegin)
                  + (t.begin() < next ? ": they overlap" : ": bytes of no tensor between"));
        }
        next = Math.max(next, t.end());
      }
      if (next != dataBegin + dataLength) {
        problem(
            "expected the last tensor to end at "
                + dataLength
                + " where the data ends, found "
                + (next - dataBegin));
      }
    }

    private boolean isA(JsonToken token, JsonParser json, String expected) throws IOException {
      if (json.currentToken() == token) {
        return true;
      }
      boolean nested = json.currentToken().isStructStart();
      String found = nested ? json.getText() + "…" : Shown.plain(json.getText());
      problem(expected + ", found " + found);
      json.skipChildren();
      return false;
    }

    private void missing(String tensor, String field, Object value) {
      if (value == null) {
        problem(tensor + "expected " + field + ", found none");
      }
    }

    private void problem(String message) {
      problemCount++;
      if (problems.size() < MOST_PROBLEMS) {
        problems.add(message);
      }
    }
  }
}
