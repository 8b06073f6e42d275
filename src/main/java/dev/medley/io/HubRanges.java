package dev.medley.io;

import java.io.IOException;
import java.io.InputStream;

/**
 * A file on the Hub from its start, read by ranges as they are needed: the first is of 100 kB,
 * which holds most safetensors headers and is what huggingface_hub asks for, the next what is
 * wanted.
 */
final class HubRanges extends InputStream {
  static final int FIRST = 100_000;

  /** A file that lies about its header must not take the memory: nobody asks for more at once. */
  private static final int LARGEST = 1 << 24;

  private final HubClient client;
  private final HubPath file;
  private final long length;
  private byte[] chunk = {};
  private int at;
  private long chunkEnd;

  HubRanges(HubClient client, HubPath file, long length) {
    this.client = client;
    this.file = file;
    this.length = length;
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public int read(byte[] into, int offset, int wanted) throws IOException {
    if (wanted == 0) {
      return 0;
    }
    if (at == chunk.length) {
      if (chunkEnd >= length) {
        return -1;
      }
      long most = chunkEnd == 0 ? Math.max(FIRST, wanted) : wanted;
      next((int) Math.min(Math.min(most, LARGEST), length - chunkEnd));
    }
    int n = Math.min(wanted, chunk.length - at);
    System.arraycopy(chunk, at, into, offset, n);
    at += n;
    return n;
  }

  /** In one request where that is possible, unlike the inherited one. */
  @Override
  public byte[] readNBytes(int most) throws IOException {
    long left = length - chunkEnd + chunk.length - at;
    byte[] bytes = new byte[(int) Math.min(most, left)];
    readNBytes(bytes, 0, bytes.length);
    return bytes;
  }

  private void next(int bytes) throws IOException {
    long first = chunkEnd;
    chunk =
        client.reaching(
            client.retries(),
            progress -> {
              var answer = client.open(file, first, first + bytes - 1);
              try (InputStream in = answer.body()) {
                if (answer.statusCode() == 200) { // the whole file, whatever was asked for
                  in.skipNBytes(first);
                } else if (answer.statusCode() != 206) {
                  throw new IOException("expected a part of the file, got " + answer.statusCode());
                }
                byte[] got = in.readNBytes(bytes);
                if (got.length != bytes) {
                  throw new IOException("expected " + bytes + " bytes, found " + got.length);
                }
                return got;
              }
            });
    at = 0;
    chunkEnd = first + bytes;
  }
}
