package dev.medley.io;

import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.hadoop.fs.FileSystem;

/**
 * A real S3 server with one bucket, in memory: s3proxy, in a class loader of its own, since it
 * brings another Guava and another Jackson than Spark's.
 */
public final class S3Server implements RemoteStore {
  public static final String SECRET = "local-credential";
  private static final String BUCKET = "models";
  private static final Path CLASS_PATH = Path.of("target/s3proxy.classpath");

  private final URLClassLoader classes;
  private final Object server;
  private final int port;

  /** Starts it; {@code folder} is empty and for its settings. */
  public S3Server(Path folder) throws Exception {
    classes = new URLClassLoader("s3proxy", jars(folder), ClassLoader.getPlatformClassLoader());
    ClassLoader before = Thread.currentThread().getContextClassLoader();
    Thread.currentThread().setContextClassLoader(classes); // jclouds looks for its services there
    try {
      Object store = store();
      server = server(store);
      Class<?> type = server.getClass();
      type.getMethod("start").invoke(server);
      while (!"STARTED".equals(type.getMethod("getState").invoke(server))) {
        Thread.sleep(10);
      }
      port = (int) type.getMethod("getPort").invoke(server);
      type("org.jclouds.blobstore.BlobStore")
          .getMethod("createContainerInLocation", type("org.jclouds.domain.Location"), String.class)
          .invoke(store, null, BUCKET);
    } finally {
      Thread.currentThread().setContextClassLoader(before);
    }
  }

  @Override
  public String uri() {
    return "s3a://" + BUCKET;
  }

  @Override
  public Map<String, String> settings() {
    return Map.of(
        "fs.s3a.endpoint", "http://127.0.0.1:" + port,
        "fs.s3a.path.style.access", "true",
        "fs.s3a.connection.ssl.enabled", "false",
        "fs.s3a.access.key", "local-identity",
        "fs.s3a.secret.key", SECRET,
        "fs.s3a.aws.credentials.provider", "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "fs.s3a.attempts.maximum", "2",
        "fs.s3a.directory.marker.retention", "keep");
  }

  @Override
  public void close() throws IOException {
    FileSystem.get(URI.create(uri()), conf()).close();
    try {
      server.getClass().getMethod("stop").invoke(server);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
    classes.close();
  }

  private Object store() throws ReflectiveOperationException {
    Properties settings = settingsOfTheServer();
    Class<?> builderType = type("org.jclouds.ContextBuilder");
    Class<?> contextType = type("org.jclouds.blobstore.BlobStoreContext");
    Object builder = builderType.getMethod("newBuilder", String.class).invoke(null, "transient");
    builderType.getMethod("credentials", String.class, String.class).invoke(builder, "x", "x");
    builderType.getMethod("overrides", Properties.class).invoke(builder, settings);
    Object context = builderType.getMethod("build", Class.class).invoke(builder, contextType);
    return contextType.getMethod("getBlobStore").invoke(context);
  }

  private Object server(Object store) throws ReflectiveOperationException {
    Class<?> serverType = type("org.gaul.s3proxy.S3Proxy");
    Class<?> builderType = type("org.gaul.s3proxy.S3Proxy$Builder");
    Object builder =
        builderType
            .getMethod("fromProperties", Properties.class)
            .invoke(null, settingsOfTheServer());
    builderType
        .getMethod("blobStore", type("org.jclouds.blobstore.BlobStore"))
        .invoke(builder, store);
    return serverType.cast(builderType.getMethod("build").invoke(builder));
  }

  private static Properties settingsOfTheServer() {
    Properties settings = new Properties();
    settings.putAll(
        Map.of(
            "jclouds.provider", "transient",
            "jclouds.identity", "x",
            "jclouds.credential", "x",
            "s3proxy.endpoint", "http://127.0.0.1:0",
            "s3proxy.authorization", "aws-v2-or-v4",
            "s3proxy.identity", "local-identity",
            "s3proxy.credential", SECRET));
    return settings;
  }

  private Class<?> type(String name) throws ClassNotFoundException {
    return classes.loadClass(name);
  }

  /** Its logback would tell of every byte, were it not for settings that come first. */
  private static URL[] jars(Path folder) throws IOException {
    if (!Files.exists(CLASS_PATH)) {
      throw new IllegalStateException(
          CLASS_PATH + " is missing: Maven writes it in the phase generate-test-resources");
    }
    Files.writeString(
        folder.resolve("logback.xml"), "<configuration><root level=\"OFF\"/></configuration>");
    List<URL> jars = new ArrayList<>(List.of(folder.toUri().toURL()));
    for (String jar : Files.readString(CLASS_PATH).strip().split(java.io.File.pathSeparator)) {
      jars.add(Path.of(jar).toUri().toURL());
    }
    return jars.toArray(URL[]::new);
  }
}
