package dev.medley.spark;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import java.util.Map;

/**
 * What says that a chunk's rows are in the output: one small JSON document each, written after the
 * data.
 *
 * @param name of this document and the keys beside it, without ending: the chunk's id and a hash of
 *     what its predictions follow from, so that the same work done twice is the same file
 * @param run that wrote it
 * @param data name of the file with the rows
 * @param bytes of that file
 * @param model fingerprint of the base, the task and its options
 * @param schema fingerprint of the columns
 * @param unsure rows with an error that may not come again
 * @param sets fingerprints of adapter sets by what the adapter column holds, as JSON
 */
record ChunkCommit(
    String name,
    Chunk chunk,
    String run,
    String data,
    long bytes,
    long rows,
    String model,
    String schema,
    long unsure,
    Map<String, String> sets) {
  private static final ObjectMapper JSON = new ObjectMapper();

  String toJson() {
    ObjectNode json = JSON.createObjectNode();
    json.putObject("chunk")
        .put("id", chunk.id())
        .put("file", chunk.file())
        .put("version", chunk.version())
        .put("start", chunk.start())
        .put("piece", chunk.piece());
    json.put("run", run).put("data", data).put("bytes", bytes).put("rows", rows);
    json.put("model", model).put("schema", schema).put("unsure", unsure);
    ObjectNode all = json.putObject("sets");
    sets.forEach(all::put);
    return json + "\n";
  }

  /** Throws LoadException with what is wrong with it. */
  static ChunkCommit parse(String name, String text, String where) {
    JsonObject json = JsonObject.parse(text, where);
    JsonObject chunk = json.object("chunk");
    if (chunk == null) {
      throw new LoadException(where, "chunk: expected an object, found nothing");
    }
    ChunkCommit commit =
        new ChunkCommit(
            name,
            new Chunk(
                chunk.string("id"),
                chunk.string("file"),
                chunk.string("version"),
                chunk.integer("start"),
                Math.toIntExact(chunk.integer("piece"))),
            json.string("run"),
            json.string("data"),
            json.integer("bytes"),
            json.positiveInteger("rows"),
            json.string("model"),
            json.string("schema"),
            json.integer("unsure"),
            json.stringMap("sets"));
    json.done();
    if (!name.startsWith(commit.chunk.id() + "-") || !commit.data.startsWith("part-" + name)) {
      throw new LoadException(where, "expected the names of its chunk, found " + commit.data);
    }
    return commit;
  }
}
