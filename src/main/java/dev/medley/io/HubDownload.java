package dev.medley.io;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The bytes of one file on their way to a local one, which they are appended to: a broken
 * connection costs what it had not brought yet.
 */
final class HubDownload {
  private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d+)-(\\d+)/(\\d+)");

  private final HubClient client;
  private final HubPath from;
  private final HubFile file;
  private final ByteBuffer buffer = ByteBuffer.allocate(1 << 18);
  private MessageDigest digest = Sha256.digest();
  private long received;
  private long furthest;

  /** The cache folder failed, not the Hub: nothing to be tried again. */
  private static final class Unwritable extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Unwritable(IOException cause) {
      super(cause);
    }
  }

  HubDownload(HubClient client, HubPath from, HubFile file) {
    this.client = client;
    this.from = from;
    this.file = file;
  }

  /**
   * Fetches what the part does not hold yet. Where the file's etag is a hash, what came stays for
   * the next attempt; else nobody could tell whether it may be continued, and it goes.
   *
   * @throws LoadException where the bytes are not those of the etag
   */
  void into(Path part) throws IOException {
    boolean continued = Files.exists(part) && Files.size(part) > 0;
    try {
      fetch(part);
      if (!isRight() && continued) { // what was there may have been the fault
        Files.delete(part);
        fetch(part);
      }
    } catch (HubUnreachable e) {
      if (!file.isHash()) {
        Files.deleteIfExists(part);
      }
      throw e;
    } catch (Unwritable e) {
      leave(part); // a full disk stays full with it
      throw (IOException) e.getCause();
    } catch (RuntimeException | Error e) {
      leave(part);
      throw e;
    }
    if (!isRight()) {
      Files.deleteIfExists(part);
      throw new LoadException(
          from.toString(),
          "expected bytes of SHA-256 "
              + file.etag()
              + " as the Hub says, found others to download; try again, and see the proxy where"
              + " they stay others");
    }
  }

  /** Deletes it, unless somebody was killed who may come again, and then can tell what is right. */
  private void leave(Path part) throws IOException {
    if (!(file.isHash() && Thread.currentThread().isInterrupted())) {
      Files.deleteIfExists(part);
    }
  }

  private boolean isRight() {
    return !file.isHash() || digestSoFar().equals(file.etag());
  }

  private String digestSoFar() {
    try {
      return Sha256.hex((MessageDigest) digest.clone());
    } catch (CloneNotSupportedException e) {
      throw new IllegalStateException("every Java platform's SHA-256 can be copied", e);
    }
  }

  private void fetch(Path part) throws IOException {
    try (FileChannel out =
        FileChannel.open(
            part, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      readBack(out);
      client.reaching(
          client.retries(),
          progress -> {
            append(out, progress);
            return null;
          });
    }
  }

  /** What an earlier attempt left. */
  private void readBack(FileChannel out) throws IOException {
    digest = Sha256.digest();
    received = 0;
    if (file.size() >= 0 && out.size() > file.size()) {
      out.truncate(0);
    }
    for (int n = out.read(buffer.clear()); n >= 0; n = out.read(buffer.clear())) {
      digest.update(buffer.flip());
      received += n;
    }
  }

  private void append(FileChannel out, Runnable progress) throws IOException {
    if (received > 0 && received == file.size()) {
      return;
    }
    HttpResponse<InputStream> answer = client.open(from, received, -1);
    try (InputStream in = answer.body()) {
      Matcher range = CONTENT_RANGE.matcher(HubClient.header(answer, "Content-Range"));
      boolean goesOn =
          answer.statusCode() == 206 && range.matches() && range.group(1).equals("" + received);
      if (received > 0 && !goesOn) {
        restart(out);
        if (answer.statusCode() != 200) {
          throw new IOException("the Hub did not go on at the byte where the connection broke");
        }
      }
      checkEtag(answer);
      copy(in, out, progress);
    }
    if (file.size() >= 0 && received != file.size()) {
      long found = received;
      if (found > file.size()) {
        restart(out);
      }
      throw new IOException("expected " + file.size() + " bytes, found " + found);
    }
  }

  /** Where the Hub sends the bytes itself: a CDN has etags of its own. */
  private void checkEtag(HttpResponse<?> answer) {
    boolean fromHub = !HubClient.header(answer, "X-Repo-Commit").isEmpty();
    if (fromHub && !HubClient.etag(answer).equals(file.etag())) {
      throw new LoadException(
          from.toString(),
          "expected the etag "
              + file.etag()
              + ", found "
              + Shown.plain(HubClient.etag(answer))
              + ": the Hub changed the file while it was read; try again");
    }
  }

  private void copy(InputStream in, FileChannel out, Runnable progress) throws IOException {
    for (int n = in.read(buffer.array()); n >= 0; n = in.read(buffer.array())) {
      ByteBuffer bytes = buffer.clear().limit(n);
      digest.update(bytes.duplicate());
      received += n;
      write(out, bytes);
      if (received > furthest) { // from the start again and again is none
        furthest = received;
        progress.run();
      }
    }
  }

  private static void write(FileChannel out, ByteBuffer bytes) {
    try {
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
    } catch (IOException e) {
      throw new Unwritable(e);
    }
  }

  private void restart(FileChannel out) throws IOException {
    out.truncate(0);
    digest.reset();
    received = 0;
  }
}
