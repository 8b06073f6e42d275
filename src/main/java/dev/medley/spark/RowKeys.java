package dev.medley.spark;

import dev.medley.engine.Message;
import dev.medley.engine.Request;
import dev.medley.io.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * What a row's prediction follows from, in 16 bytes: the model, the adapter set and what is asked,
 * by a hash that nobody can aim at another's. For one thread.
 */
final class RowKeys {
  /** Bytes of a key. */
  static final int LENGTH = 16;

  /** Of a row whose result may be another one next time. */
  private static final byte[] UNSURE = new byte[LENGTH];

  private final MessageDigest digest = Sha256.digest();
  private final String model;

  RowKeys(String model) {
    this.model = model;
  }

  static byte[] unsure() {
    return UNSURE;
  }

  static boolean isUnsure(byte[] key) {
    return Arrays.equals(key, UNSURE);
  }

  byte[] of(String set, Request asked) {
    add(model);
    add(set);
    add(asked.error() == null ? null : asked.error().code() + asked.error().message());
    add(asked.text());
    add(asked.completion());
    add(asked.seed() == null ? null : asked.seed().toString());
    add(asked.messages() == null ? null : Integer.toString(asked.messages().size()));
    if (asked.messages() != null) {
      for (Message message : asked.messages()) {
        add(message.role());
        add(message.content());
      }
    }
    return Arrays.copyOf(digest.digest(), LENGTH);
  }

  /** With its length, so that no two lists of texts look alike. */
  private void add(String text) {
    byte[] bytes = text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
    digest.update(ByteBuffer.allocate(4).putInt(text == null ? -1 : bytes.length).flip());
    digest.update(bytes);
  }
}
