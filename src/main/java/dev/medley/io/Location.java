package dev.medley.io;

import java.io.Serializable;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a file or folder is: a local path, a {@code file:} URI, {@code
 * hf://org/name[@revision][/path]} for a model on the Hugging Face Hub, or a URI of any Hadoop
 * FileSystem.
 *
 * <p>{@code uri} is an absolute path without scheme when local, else {@code
 * scheme://authority/path} as written; without a trailing slash. A {@code file:} URI is
 * percent-decoded (RFC 8089), other URIs are not, as in Hadoop's {@code Path}, but for a revision
 * on the Hub, whose slashes are %2F.
 */
public record Location(String uri) implements Serializable {
  private static final Pattern SCHEME = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]*):(.*)");

  /** User-info, in a URI of that scheme; a slash in a password makes its second half a path. */
  private static final Pattern USER =
      Pattern.compile("(?s)([^:/]+)://([^/]*@|[^\\[:/]*:[^/]*[^/0-9][^/]*/.*@)");

  /** The same anywhere in a text; behind the colon may be a port, and an @ in the path. */
  private static final Pattern PASSWORD =
      Pattern.compile("://[^\\[:/@\\s]*:(?!\\d{1,5}/)[^\\s@]*@([^\\s/@]*@)*");

  /** Schemes where the part before the @ is a container or a model, not a user. */
  private static final Set<String> AT_IS_NO_USER = Set.of("abfs", "abfss", "wasb", "wasbs", "hf");

  /**
   * Throws IllegalArgumentException when blank, when {@code file:} has no absolute path, or {@code
   * hf:} no model.
   */
  public Location {
    if (uri == null || uri.isBlank()) {
      throw new IllegalArgumentException("expected a path or URI, found a blank one");
    }
    if (!isAbsolute(uri)) {
      Matcher scheme = SCHEME.matcher(uri);
      if (scheme.matches() && isFile(scheme)) {
        uri = absolute(filePath(uri));
      } else if (scheme.matches() && scheme.group(1).equalsIgnoreCase("hf")) {
        uri = HubPath.parse(uri).uri();
      } else if (scheme.matches() && scheme.group(2).startsWith("/")) {
        uri = withoutTrailingSlash(uri);
      } else {
        uri = absolute(uri);
      }
    }
  }

  /** Whether {@link #absolute} would change nothing, as mostly where there are many. */
  private static boolean isAbsolute(String path) {
    return path.startsWith("/")
        && !path.endsWith("/")
        && !path.endsWith("/.")
        && !path.contains("//")
        && !path.contains("/./")
        && path.chars().allMatch(c -> c > 0 && c < 128); // of others Path may refuse some
  }

  public static Location of(String pathOrUri) {
    return new Location(pathOrUri);
  }

  /**
   * A file or folder below this one, such as {@code 1_Pooling/config.json}. Children often come out
   * of files that strangers wrote, so whatever could lead elsewhere is an IllegalArgumentException.
   */
  public Location resolve(String child) {
    for (String part : child.split("/", -1)) {
      if (!isPlainName(part)) {
        throw new IllegalArgumentException(
            "expected a relative path below "
                + this
                + " without empty, . or .. parts, found "
                + Shown.quoted(child));
      }
    }
    return new Location(uri.endsWith("/") ? uri + child : uri + "/" + child);
  }

  /** Whether this is the name of something directly in a folder, not a way out of it. */
  static boolean isPlainName(String name) {
    return !name.isBlank()
        && !name.equals(".")
        && !name.equals("..")
        && name.chars().noneMatch(c -> c == '/' || c == '\\' || c < ' ');
  }

  /** The last part of the path; the bucket or host when there is no path. */
  public String name() {
    String shown = toString();
    return shown.substring(shown.lastIndexOf('/') + 1);
  }

  /** {@link #name} without the ending that makes it an archive's. */
  public String stem() {
    String stem = Archive.stem(name());
    return stem == null ? name() : stem;
  }

  /** The folder that this is in. */
  public Location parent() {
    return new Location(uri.substring(0, Math.max(1, uri.lastIndexOf('/'))));
  }

  public boolean isLocal() {
    return uri.startsWith("/");
  }

  /** Whether this is on the Hugging Face Hub. */
  public boolean isOnHub() {
    return uri.startsWith(HubPath.SCHEME);
  }

  /** The revision that this names; empty where it names none, as wherever there are none. */
  public Optional<String> revision() {
    return isOnHub() ? Optional.ofNullable(hub().revision()) : Optional.empty();
  }

  /** The same on the Hub at another revision; an IllegalStateException elsewhere. */
  public Location atRevision(String revision) {
    return new Location(hub().at(revision).uri());
  }

  HubPath hub() {
    if (!isOnHub()) {
      throw new IllegalStateException(this + " is not on the Hugging Face Hub");
    }
    return HubPath.parse(uri);
  }

  /** The local path; an IllegalStateException for a remote location, which Storage fetches. */
  public Path path() {
    if (!isLocal()) {
      throw new IllegalStateException(this + " is not a local path; fetch it first");
    }
    return Path.of(uri);
  }

  /** The URI without its user-info, which may hold credentials. */
  @Override
  public String toString() {
    return shown(uri);
  }

  /** The same of a text that may be no path or URI. */
  public static String shown(String pathOrUri) {
    String user = user(pathOrUri);
    return user.isEmpty() ? pathOrUri : pathOrUri.replaceFirst(Pattern.quote(user), "");
  }

  /** Whether user-info is in it that may be more than a name. */
  boolean hasPassword() {
    return user(uri).contains(":");
  }

  /** Any text, such as a stranger's message, without the passwords of the URIs in it. */
  public static String redacted(String text) {
    return text == null ? null : PASSWORD.matcher(text).replaceAll("://");
  }

  /** The text without this location's user-info: other people's messages may quote the URI. */
  String withoutUser(String text) {
    String user = user(uri);
    return text == null || user.isEmpty() ? text : text.replace(user, "");
  }

  /** User-info with the @ behind it; empty where there is none, or it is none. */
  private static String user(String uri) {
    Matcher m = USER.matcher(uri);
    if (!m.lookingAt() || m.group(2).equals("@")) {
      return "";
    }
    boolean harmless =
        AT_IS_NO_USER.contains(m.group(1).toLowerCase(Locale.ROOT)) && !m.group(2).contains(":");
    return harmless ? "" : m.group(2);
  }

  private static boolean isFile(Matcher scheme) {
    return scheme.group(1).equalsIgnoreCase("file");
  }

  private static String filePath(String uri) {
    String path;
    try {
      path = new URI(uri).getPath();
    } catch (URISyntaxException e) {
      path =
          uri.substring("file:".length())
              .replaceFirst("^//[^/]*", ""); // not encoded, as Hadoop writes it
    }
    if (path == null || !path.startsWith("/")) {
      throw new IllegalArgumentException("expected file: and an absolute path, found " + uri);
    }
    return path;
  }

  /** Takes out . parts; .. stays, since behind a symbolic link it is not the parent's name. */
  private static String absolute(String path) {
    Path absolute = Path.of("/");
    for (Path part : Path.of(path).toAbsolutePath()) {
      if (!part.toString().equals(".")) {
        absolute = absolute.resolve(part);
      }
    }
    return absolute.toString();
  }

  private static String withoutTrailingSlash(String uri) {
    String text = uri;
    while (text.endsWith("/") && !text.endsWith(":///") && !text.endsWith("://")) {
      text = text.substring(0, text.length() - 1);
    }
    return text;
  }
}
