package dev.medley.io;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the environment says of the Hugging Face Hub, by huggingface_hub's own variables. Holds the
 * token, and so says nothing of itself.
 */
final class HubSettings {
  private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");
  private static final Pattern VARIABLE = Pattern.compile("\\$(?:(\\w+)|\\{([^}]+)})");
  private static final List<String> NAMES =
      List.of(
          "HF_ENDPOINT",
          "HF_HOME",
          "HF_HUB_CACHE",
          "HF_HUB_DISABLE_IMPLICIT_TOKEN",
          "HF_HUB_DISABLE_SYMLINKS",
          "HF_HUB_DOWNLOAD_TIMEOUT",
          "HF_HUB_ETAG_TIMEOUT",
          "HF_HUB_OFFLINE",
          "HF_TOKEN",
          "HF_TOKEN_PATH",
          "HUGGINGFACE_HUB_CACHE",
          "HUGGING_FACE_HUB_TOKEN",
          "TRANSFORMERS_OFFLINE");

  private final Map<String, String> env;
  private final URI endpoint;

  /** Throws LoadException where a variable cannot be what it is. */
  HubSettings(Map<String, String> env) {
    this.env = Map.copyOf(env);
    this.endpoint = endpoint(env.getOrDefault("HF_ENDPOINT", "https://huggingface.co"));
  }

  /** The environment of this process, and system properties of the same names over it. */
  static Map<String, String> ofThisProcess() {
    Map<String, String> env = new HashMap<>(System.getenv());
    for (String name : NAMES) {
      String property = System.getProperty(name);
      if (property != null) {
        env.put(name, property);
      }
    }
    return env;
  }

  /** Without a slash at its end. */
  URI endpoint() {
    return endpoint;
  }

  Path cacheFolder() {
    String legacy = env.getOrDefault("HUGGINGFACE_HUB_CACHE", home().resolve("hub").toString());
    return path(env.getOrDefault("HF_HUB_CACHE", legacy));
  }

  /** The variable that forbids the network; empty where none does. */
  Optional<String> offline() {
    String first = env.getOrDefault("HF_HUB_OFFLINE", ""); // 0 counts, and ends the question
    String name = first.isEmpty() ? "TRANSFORMERS_OFFLINE" : "HF_HUB_OFFLINE";
    return Optional.of(name + "=" + env.get(name)).filter(said -> isTrue(name));
  }

  boolean mayLink() {
    return !isTrue("HF_HUB_DISABLE_SYMLINKS");
  }

  /** How long the Hub may take to say what a file is. */
  Duration headTimeout() {
    return seconds("HF_HUB_ETAG_TIMEOUT");
  }

  /** How long any other answer, and each part of it, may take. */
  Duration downloadTimeout() {
    return seconds("HF_HUB_DOWNLOAD_TIMEOUT");
  }

  /** Read anew each time, for it may be renewed; LoadException where its file cannot be read. */
  Optional<String> token() {
    if (isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
      return Optional.empty();
    }
    String said = env.getOrDefault("HF_TOKEN", "");
    String token = clean(said.isEmpty() ? env.getOrDefault("HUGGING_FACE_HUB_TOKEN", "") : said);
    token = token.isEmpty() ? clean(tokenFile()) : token;
    if (!token.chars().allMatch(c -> c > ' ' && c < 127)) {
      throw new LoadException(
          "HF_TOKEN", "expected letters and digits, found others; set it to a token of the Hub");
    }
    return Optional.of(token).filter(t -> !t.isEmpty());
  }

  private String tokenFile() {
    Path file = path(env.getOrDefault("HF_TOKEN_PATH", home().resolve("token").toString()));
    try {
      return Files.readString(file);
    } catch (NoSuchFileException e) {
      return "";
    } catch (IOException e) {
      throw new LoadException(
          file.toString(), "the token could not be read: " + e.getClass().getSimpleName());
    }
  }

  private static String clean(String token) {
    return token.replaceAll("[\r\n]", "").strip();
  }

  private Path home() {
    Path caches = userHome().resolve(".cache");
    String xdg = env.getOrDefault("XDG_CACHE_HOME", caches.toString());
    return path(env.getOrDefault("HF_HOME", Path.of(xdg, "huggingface").toString()));
  }

  private Path userHome() {
    return Path.of(env.getOrDefault("HOME", System.getProperty("user.home")));
  }

  /** With ~ and $NAME replaced, as Python's expanduser and expandvars do. */
  private Path path(String text) {
    String expanded =
        text.replaceFirst("^~(?=/|$)", Matcher.quoteReplacement(userHome().toString()));
    Matcher variables = VARIABLE.matcher(expanded);
    String path =
        variables.replaceAll(
            found -> {
              String name = found.group(1) == null ? found.group(2) : found.group(1);
              return Matcher.quoteReplacement(env.getOrDefault(name, found.group()));
            });
    return Path.of(path).toAbsolutePath();
  }

  private boolean isTrue(String name) {
    return TRUE.contains(env.getOrDefault(name, "").toUpperCase(Locale.ROOT));
  }

  private Duration seconds(String name) {
    String said = env.getOrDefault(name, "");
    if (!said.matches("\\d{0,9}")) {
      throw new LoadException(name, "expected whole seconds, found " + Shown.quoted(said));
    }
    long seconds = said.isEmpty() ? 0 : Long.parseLong(said);
    return Duration.ofSeconds(seconds == 0 ? 10 : seconds);
  }

  private static URI endpoint(String said) {
    try {
      URI uri = new URI(said.replaceFirst("/+$", ""));
      boolean isHttp = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
      if (isHttp && uri.getHost() != null && uri.getUserInfo() == null && uri.getQuery() == null) {
        return uri;
      }
    } catch (URISyntaxException e) {
      // said below, without the text: a password may stand in it
    }
    throw new LoadException(
        "HF_ENDPOINT",
        "expected http(s)://host[:port][/path] without a user; a token goes into HF_TOKEN");
  }
}
