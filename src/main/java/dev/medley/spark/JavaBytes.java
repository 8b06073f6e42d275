package dev.medley.spark;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputFilter;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import org.apache.spark.util.SerializableConfiguration;

/**
 * What is broadcast, as bytes: Kryo, which a user may have chosen for broadcasts, cannot write
 * records, and may want all classes to be registered.
 */
final class JavaBytes {
  /** Medley's records, what of the JDK is in them, and Hadoop's settings, which read plain text. */
  private static final ObjectInputFilter OURS =
      ObjectInputFilter.Config.createFilter(
          "maxdepth=64;dev.medley.**;java.lang.*;java.util.*;"
              + SerializableConfiguration.class.getName()
              + ";!*");

  private JavaBytes() {}

  static byte[] write(Serializable object) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(object);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /** Reads what {@link #write} wrote; an object of any other kind is an UncheckedIOException. */
  static <T> T read(byte[] bytes, Class<T> type) {
    try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes))) {
      in.setObjectInputFilter(OURS);
      return type.cast(in.readObject());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(e);
    }
  }
}
