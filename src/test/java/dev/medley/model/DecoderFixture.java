package dev.medley.model;

import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.Fixtures;
import dev.medley.Fixtures.Expected;
import dev.medley.io.Storage;
import dev.medley.tensor.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;

/** One tiny decoder of the fixtures, with what transformers made of some rows. */
record DecoderFixture(String name, TextModel model, Expected expected, List<Row> rows) {

  /**
   * {@code greedy} is what comes after {@code ids}. Where a row outgrows longrope's first length,
   * what transformers gives without a cache: 5.18 loses all but the last token there with one.
   */
  record Row(long[] ids, long[] greedy) {}

  static DecoderFixture load(String name, NDManager owner) {
    return load(name, Head.CAUSAL_LM, owner);
  }

  static DecoderFixture load(String name, Head head, NDManager owner) {
    String folder = "decoders/" + name;
    TextModel model =
        TextModel.load(
            Storage.standard(), Fixtures.location(folder), head, owner, Precision.FLOAT32);
    return new DecoderFixture(name, model, Fixtures.expected(folder, owner), rows(folder));
  }

  private static List<Row> rows(String folder) {
    try {
      JsonNode list =
          new ObjectMapper().readTree(Files.readString(Fixtures.path(folder + "/rows.json")));
      List<Row> rows = new ArrayList<>();
      String greedy = folder.endsWith("longrope") ? "uncached" : "greedy";
      list.forEach(row -> rows.add(new Row(longs(row.get("ids")), longs(row.get(greedy)))));
      return rows;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static long[] longs(JsonNode list) {
    long[] longs = new long[list == null ? 0 : list.size()];
    for (int i = 0; i < longs.length; i++) {
      longs[i] = list.get(i).longValue();
    }
    return longs;
  }
}
