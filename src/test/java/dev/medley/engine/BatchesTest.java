package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.engine.Batches.Batch;
import dev.medley.engine.Batches.Part;
import dev.medley.engine.Batches.Row;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BatchesTest {
  /** Rows are set:length; batches are the indexes of their rows, {@code |} between sets. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          0:3                             ; 4 ;  9 ; 0
          0:30                            ; 4 ;  9 ; 0
          0:3 0:2 0:1                     ; 4 ;  9 ; 2 1 0
          0:3 0:2 0:1                     ; 2 ;  9 ; 0, 2 1
          0:4 0:3 0:2 0:1                 ; 9 ;  5 ; 3 0, 2 1
          0:5 0:5 0:5 0:1                 ; 9 ; 10 ; 3 2, 0 1
          0:6 0:6 0:6 0:2                 ; 9 ; 10 ; 2, 1, 3 0
          1:3 0:3 1:2 0:1                 ; 4 ; 99 ; 3 1 | 2 0
          1:3 0:3 1:2 0:1                 ; 4 ;  6 ; 3 1, 2 0
          0:5 1:1 1:1 1:1                 ; 4 ;  9 ; 0, 1 2 3
          2:1 1:1 0:1 2:1 1:1 0:1         ; 9 ;  9 ; 2 5 | 1 4 | 0 3
          2:1 1:1 0:1 2:1 1:1 0:1         ; 5 ;  9 ; 2 5 | 1 4, 0 3
          0:1 1:1 1:1 1:1 2:1             ; 4 ;  9 ; 1 2 3, 0 | 4
          """)
  void longRunsStandAloneInEqualPartsAndShortOnesShare(
      String rows, int batchSize, int batchTokens, String expected) {
    List<Batch> batches = Batches.of(rows(rows), batchSize, batchTokens, null);

    assertThat(batches.stream().map(BatchesTest::show).collect(Collectors.joining(", ")))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          0:3                     ; 0
          0:1 0:2                 ; 0, 1
          0:1 0:2 0:3             ; 0, 1 2
          1:3 0:3 1:2 0:1         ; 3 1, 2 0
          0:1 1:1 1:2 2:1 2:2     ; 0 | 1, 2 | 3 4
          """)
  void halvesAreTheFirstAndTheLastRowsEachARunOfItsOwn(String rows, String expected) {
    Batch batch = Batches.of(rows(rows), 99, 999, null).get(0);

    assertThat(batch.halves().stream().map(BatchesTest::show).collect(Collectors.joining(", ")))
        .isEqualTo(expected);
    for (Batch half : batch.halves()) {
      for (Part part : half.parts()) {
        if (batch.rows() > 1) {
          int tokens = part.rows().stream().mapToInt(Row::length).sum();
          assertThat(part.run()).isEqualTo(new Planner.Run(tokens, 1, half.parts().size() == 1));
        }
      }
    }
  }

  private static List<Row> rows(String rows) {
    String[] texts = rows.split(" ");
    return IntStream.range(0, texts.length)
        .mapToObj(
            i -> {
              String[] parts = texts[i].split(":");
              return new Row(i, Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
            })
        .toList();
  }

  private static String show(Batch batch) {
    return batch.parts().stream().map(BatchesTest::show).collect(Collectors.joining(" | "));
  }

  private static String show(Part part) {
    return part.rows().stream()
        .map(row -> Integer.toString(row.index()))
        .collect(Collectors.joining(" "));
  }

  /** Set, tokens of its run, batches of its run, whether alone in them. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          0:4 0:3 0:2 0:1 ; 9 ;  5 ; 0 10 2 true, 0 10 2 true
          1:3 0:3 1:2 0:1 ; 4 ; 99 ; 0 4 1 false, 1 5 1 false
          0:1 1:1 1:1 1:1 ; 4 ;  9 ; 1 3 1 true, 0 1 1 true
          """)
  void partsKnowTheirRuns(String rows, int batchSize, int batchTokens, String expected) {
    assertThat(
            Batches.of(rows(rows), batchSize, batchTokens, null).stream()
                .flatMap(batch -> batch.parts().stream())
                .map(
                    part ->
                        part.set()
                            + " "
                            + part.run().tokens()
                            + " "
                            + part.run().batches()
                            + " "
                            + part.run().alone())
                .collect(Collectors.joining(", ")))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({"0, 0 | 1 | 2", "1, 1 | 0 | 2", "2, 2 | 0 | 1"})
  void setsComeInTheOrderAskedFor(int first, String expected) {
    Comparator<Integer> order = Comparator.comparing(set -> set != first);

    List<Batch> batches = Batches.of(rows("0:1 1:1 2:1"), 9, 9, order);

    assertThat(show(batches.get(0))).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void everyRowIsInOneBatchAndNoBatchIsOverItsLimits(long seed) {
    Random random = new Random(seed);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      rows.add(new Row(i, random.nextInt(random.nextInt(40) + 1), 1 + random.nextInt(70)));
    }

    List<Batch> batches = Batches.of(rows, 16, 200, null);

    List<Row> all = new ArrayList<>();
    for (Batch batch : batches) {
      assertThat(batch.rows()).isLessThanOrEqualTo(16);
      assertThat(batch.tokens()).isLessThanOrEqualTo(200);
      batch.parts().forEach(part -> all.addAll(part.rows()));
    }
    assertThat(all).containsExactlyInAnyOrderElementsOf(rows);
  }

  /** What the scorer relies on when it finds that a set cannot be loaded. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void aSetThatIsTakenOutLeavesTheBatchesBeforeTheOneAheadOfIt(long seed) {
    Random random = new Random(seed);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      rows.add(new Row(i, random.nextInt(random.nextInt(30) + 1), 1 + random.nextInt(70)));
    }
    List<Batch> all = Batches.of(rows, 16, 200, null);
    for (int first = 1; first < all.size(); first++) {
      for (Part part : all.get(first).parts()) {
        List<Row> left = rows.stream().filter(row -> row.set() != part.set()).toList();
        boolean isFirst =
            all.subList(0, first).stream()
                .flatMap(batch -> batch.parts().stream())
                .noneMatch(before -> before.set() == part.set());
        if (isFirst) {
          assertThat(Batches.of(left, 16, 200, null).subList(0, first - 1))
              .isEqualTo(all.subList(0, first - 1));
        }
      }
    }
  }
}
