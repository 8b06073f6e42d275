package dev.medley.io;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A file or folder of a model on the Hugging Face Hub: {@code hf://org/name[@revision][/path]},
 * read as huggingface_hub 1.x's {@code parse_hf_uri} reads it.
 *
 * @param repo {@code org/name}
 * @param revision a branch, tag or commit, decoded; null where none is named
 * @param path in the repository; empty for its root
 */
record HubPath(String repo, String revision, String path) {
  static final String SCHEME = "hf:";

  /** What {@link #revision} is where none is named. */
  static final String MAIN = "main";

  private static final String EXPECTED = ": expected hf://org/name[@revision][/folder], found ";
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_]([\\w.-]{0,94}[A-Za-z0-9_])?");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

  /** Revisions with a slash that is written as it is; in all others it is %2F. */
  private static final Pattern SPECIAL_REVISION =
      Pattern.compile("(refs/(?:convert/[\\w.-]+|pr/\\d+))(?:/(.*))?");

  /**
   * The other things that the Hub holds, by the plural that huggingface_hub has them begin with.
   */
  private static final Map<String, String> NO_MODELS =
      Map.of("datasets", "dataset", "spaces", "space", "kernels", "kernel", "buckets", "bucket");

  /** Throws IllegalArgumentException where it is none. */
  static HubPath parse(String uri) {
    String shown = withoutPassword(uri);
    String body = uri.substring(SCHEME.length()).replaceFirst("^/+", "").replaceFirst("/+$", "");
    String type = body.replaceFirst("/.*", "");
    if (NO_MODELS.containsKey(type) || NO_MODELS.containsValue(type)) {
      throw new IllegalArgumentException(
          shown + ": expected a model, found a " + NO_MODELS.getOrDefault(type, type));
    }
    if (type.equals("model")) { // a mistake more often than an organisation of that name
      throw new IllegalArgumentException(shown + EXPECTED + "model/; leave it out");
    }
    String model = body.replaceFirst("^models/", "");
    String[] parts = model.split("/", 3);
    if (parts.length < 2 || parts[0].contains("@")) {
      throw new IllegalArgumentException(
          shown + EXPECTED + "no organisation; gpt2, for one, is openai-community/gpt2 by now");
    }
    int at = parts[1].indexOf('@');
    String repo = parts[0] + "/" + (at < 0 ? parts[1] : parts[1].substring(0, at));
    checkRepo(repo, shown);
    if (at < 0) {
      return new HubPath(repo, null, checkedPath(parts.length < 3 ? "" : parts[2], shown));
    }
    String behind = model.substring(repo.length() + 1);
    Matcher special = SPECIAL_REVISION.matcher(behind);
    String revision = special.matches() ? special.group(1) : behind.replaceFirst("/.*", "");
    String path = behind.substring(Math.min(behind.length(), revision.length() + 1));
    return new HubPath(repo, checkedRevision(revision, shown), checkedPath(path, shown));
  }

  private static void checkRepo(String repo, String shown) {
    for (String name : repo.split("/", -1)) {
      if (!NAME.matcher(name).matches() || name.contains("--") || name.contains("..")) {
        throw new IllegalArgumentException(
            shown
                + EXPECTED
                + Shown.quoted(name)
                + "; a name has letters, digits, - _ and . that neither begin nor end it nor come"
                + " twice");
      }
    }
    if (repo.endsWith(".git")) {
      throw new IllegalArgumentException(
          shown + EXPECTED + "a name that ends in .git; leave that out");
    }
  }

  /** It becomes a file's name in the cache folder. */
  private static String checkedRevision(String encoded, String shown) {
    String revision;
    try {
      revision = URLDecoder.decode(encoded.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          shown + EXPECTED + "the revision " + Shown.quoted(encoded) + ", which is not decodable",
          e);
    }
    if (!isPlain(revision) || revision.contains("..") || revision.isBlank()) {
      throw new IllegalArgumentException(
          shown
              + EXPECTED
              + "the revision "
              + Shown.quoted(revision)
              + "; give a branch, tag or commit, and %2F for a slash in it");
    }
    return revision;
  }

  private static String checkedPath(String path, String shown) {
    if (!path.isEmpty() && !isPlain(path)) {
      throw new IllegalArgumentException(
          shown + EXPECTED + "a path with empty, . or .. parts, " + Shown.quoted(path));
    }
    return path;
  }

  /** Whether a path from outside leads nowhere but down: nor is a part a Windows drive. */
  static boolean isPlain(String path) {
    for (String part : path.split("/", -1)) {
      if (!Location.isPlainName(part) || part.matches("[A-Za-z]:.*")) {
        return false;
      }
    }
    return true;
  }

  static boolean isCommit(String revision) {
    return revision != null && COMMIT.matcher(revision).matches();
  }

  /** The named revision, else {@link #MAIN}. */
  String revisionOrMain() {
    return revision == null ? MAIN : revision;
  }

  HubPath at(String otherRevision) {
    return new HubPath(repo, otherRevision, path);
  }

  /** The whole repository at this revision. */
  HubPath root() {
    return new HubPath(repo, revision, "");
  }

  /** One text for the same path, however it was written. */
  String uri() {
    String rest = path.isEmpty() ? "" : "/" + path;
    return "hf://" + repo + (revision == null ? "" : "@" + encodedRevision()) + rest;
  }

  private String encodedRevision() {
    Matcher special = SPECIAL_REVISION.matcher(revision);
    return special.matches() && special.group(2) == null
        ? revision
        : revision.replace("%", "%25").replace("/", "%2F");
  }

  @Override
  public String toString() {
    return uri();
  }

  /** Nothing stands before the @ of a model but its name; somebody may have put a token there. */
  private static String withoutPassword(String uri) {
    return uri.replaceFirst("^(hf:/*)[^/@]*:[^/@]*@", "$1");
  }
}
