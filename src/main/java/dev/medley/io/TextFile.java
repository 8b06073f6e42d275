package dev.medley.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** A file that is read into memory whole, and so may not be of any length. */
final class TextFile {
  private TextFile() {}

  /**
   * Its text.
   *
   * @param where stands for the file in messages
   * @throws LoadException where it is missing, not UTF-8, or longer than {@code largest} bytes
   */
  static String read(Path file, String where, int largest) {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(largest + 1); // the length may be unknown, as of a pipe
      if (bytes.length > largest) {
        throw new LoadException(
            where, "expected a text of at most " + largest + " bytes, found more");
      }
      return StrictJson.decode(bytes).toString();
    } catch (NoSuchFileException e) {
      throw new LoadException(where, "expected a file, found none", e);
    } catch (CharacterCodingException e) {
      throw new LoadException(where, "expected text in UTF-8, found bytes that are not UTF-8", e);
    } catch (IOException e) {
      throw new LoadException(where, "could not be read: " + e, e);
    }
  }
}
