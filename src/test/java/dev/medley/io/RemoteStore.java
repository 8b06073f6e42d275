package dev.medley.io;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;

/** A server with files, and how a Hadoop client reaches it. */
public interface RemoteStore extends AutoCloseable {
  /** Its root, without a slash at the end. */
  String uri();

  /** Of Hadoop's configuration. */
  Map<String, String> settings();

  default Configuration conf() {
    Configuration conf = new Configuration();
    settings().forEach(conf::set);
    return conf;
  }

  /** Copies a file or folder there. */
  default String put(Path local, String path) throws IOException {
    FileSystem fileSystem = FileSystem.get(URI.create(uri()), conf());
    org.apache.hadoop.fs.Path to = new org.apache.hadoop.fs.Path(uri() + "/" + path);
    fileSystem.copyFromLocalFile(new org.apache.hadoop.fs.Path(local.toUri()), to);
    return to.toString();
  }

  /** Bytes that this JVM has read from servers of this kind so far. */
  default long bytesRead() {
    String scheme = URI.create(uri()).getScheme();
    return FileSystem.getGlobalStorageStatistics().get(scheme).getLong("bytesRead");
  }

  @Override
  void close() throws IOException;
}
