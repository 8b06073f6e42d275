package dev.medley.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * All files of a repository at a commit, which never change.
 *
 * @param files by path, in the order of paths
 */
record HubTree(NavigableMap<String, Entry> files) {
  private static final JsonMapper JSON = new JsonMapper();
  private static final int FORMAT = 1;
  private static final int LARGEST_PAGE = 1 << 26;

  /**
   * One file.
   *
   * @param blobId git's hash; null where only the file itself is known
   * @param sha256 of the content, where that lies in LFS, else null
   * @param xetHash where it lies in Xet too, else null
   */
  record Entry(long size, String blobId, String sha256, String xetHash) {}

  boolean hasFile(String path) {
    return files.containsKey(path);
  }

  /** Whether there is such a folder: git has none without a file. */
  boolean hasFolder(String path) {
    return path.isEmpty() || !below(path).isEmpty();
  }

  /** Names of the files and folders directly in a folder, sorted. */
  List<String> names(String folder) {
    int start = folder.isEmpty() ? 0 : folder.length() + 1;
    return below(folder).keySet().stream()
        .map(path -> path.substring(start).replaceFirst("/.*", ""))
        .distinct()
        .sorted()
        .toList();
  }

  private SortedMap<String, Entry> below(String folder) {
    return folder.isEmpty() ? files : files.subMap(folder + "/", folder + "0"); // 0 is behind /
  }

  /**
   * Adds one page of the API's answer.
   *
   * @throws LoadException where it names a file that cannot be one
   */
  static void addPage(InputStream page, NavigableMap<String, Entry> files, String where)
      throws IOException {
    byte[] bytes = page.readNBytes(LARGEST_PAGE + 1);
    if (bytes.length > LARGEST_PAGE) {
      throw new LoadException(where, "expected pages of at most " + LARGEST_PAGE + " bytes");
    }
    JsonNode list = JSON.readTree(bytes);
    if (list == null || !list.isArray()) {
      throw new IOException("expected a list of files, found other JSON");
    }
    for (JsonNode file : list) {
      if (file.path("type").asText().equals("file")) {
        String path = file.path("path").asText();
        JsonNode lfs = file.path("lfs");
        long size = (lfs.has("size") ? lfs : file).path("size").asLong(-1);
        add(
            path,
            new Entry(
                size, text(file.path("oid")), text(lfs.path("oid")), text(file.path("xetHash"))),
            files,
            where);
      }
    }
  }

  private static void add(
      String path, Entry entry, NavigableMap<String, Entry> files, String where) {
    if (!HubPath.isPlain(path)) {
      throw new LoadException(
          where,
          "expected paths below the repository, found " + Shown.quoted(path) + "; do not use it");
    }
    files.put(path, entry);
  }

  /** The document that huggingface_hub 1.x keeps as {@code trees/COMMIT.json}. */
  byte[] toJson() throws IOException {
    ObjectNode document = JSON.createObjectNode().put("format_version", FORMAT);
    ObjectNode all = document.putObject("files");
    files.forEach(
        (path, entry) -> {
          ObjectNode file = all.putObject(path).put("size", entry.size);
          file.put("blob_id", entry.blobId);
          if (entry.sha256 != null) {
            file.put("lfs_sha256", entry.sha256).put("lfs_size", entry.size);
          }
          if (entry.xetHash != null) {
            file.put("xet_hash", entry.xetHash);
          }
        });
    return JSON.writeValueAsBytes(document);
  }

  /** Reads it back; an IOException where it is not that document in that format. */
  static HubTree parse(byte[] json, String where) throws IOException {
    JsonNode document = JSON.readTree(json);
    if (document == null || document.path("format_version").asInt() != FORMAT) {
      throw new IOException("expected format_version " + FORMAT);
    }
    NavigableMap<String, Entry> files = new TreeMap<>();
    for (Map.Entry<String, JsonNode> file : document.path("files").properties()) {
      JsonNode said = file.getValue();
      String sha256 = text(said.path("lfs_sha256"));
      add(
          file.getKey(),
          new Entry(
              said.path(sha256 == null ? "size" : "lfs_size").asLong(-1),
              text(said.path("blob_id")),
              sha256,
              text(said.path("xet_hash"))),
          files,
          where);
    }
    return new HubTree(files);
  }

  private static String text(JsonNode node) {
    return node.isTextual() ? node.asText() : null;
  }
}
