package dev.medley.spark;

import static dev.medley.spark.LocalSpark.adapter;
import static dev.medley.spark.LocalSpark.random;
import static org.apache.spark.sql.functions.col;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.Fixtures;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where in a query a call may stand, and what is computed for it. */
class SqlPlansTest {
  private static final Path SEQUENCE = Fixtures.path("models/bert-sequence");
  private static final String CALL = "medley_classify('support', text, adapter)";

  private final SparkSession session = LocalSpark.session().newSession();

  /** Labels by id, by the transformer. */
  private final Map<Integer, String> labels = new TreeMap<>();

  @BeforeEach
  void register() {
    TextClassifier support =
        new TextClassifier()
            .setModel(SEQUENCE.toString())
            .setAdapterCol("adapter")
            .addAdapter("qv", adapter(SEQUENCE, "qv"))
            .addAdapter("head-7-labels", adapter(SEQUENCE, "head-7-labels"));
    MedleyModels.register(session, "support", support);
    MedleyModels.register(
        session, "plain", new TextClassifier().setModel(SEQUENCE.toString()).setTopK(1));
    Dataset<Row> tickets =
        session.createDataFrame(random(60, 11, "qv", "head-7-labels", null), LocalSpark.ROWS);
    tickets.createOrReplaceTempView("tickets");
    support
        .transform(tickets)
        .selectExpr("id", "prediction.label")
        .collectAsList()
        .forEach(row -> labels.put(row.getInt(0), row.getString(1)));
    assertThat(labels.values().stream().distinct().count()).isGreaterThan(2);
  }

  private Map<Integer, String> labels(String sql) {
    Map<Integer, String> found = new TreeMap<>();
    session
        .sql(sql)
        .collectAsList()
        .forEach(row -> assertThat(found.put(row.getInt(0), row.getString(1))).isNull());
    return found;
  }

  private Map<String, Long> counts() {
    return labels.values().stream()
        .collect(Collectors.groupingBy(label -> label, TreeMap::new, Collectors.counting()));
  }

  private Map<String, Long> counts(Dataset<Row> counted) {
    Map<String, Long> found = new TreeMap<>();
    counted.collectAsList().forEach(row -> found.put(row.getString(0), row.getLong(1)));
    return found;
  }

  private String most() {
    return counts().entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
  }

  private List<Integer> idsOf(String label) {
    return labels.keySet().stream().filter(id -> labels.get(id).equals(label)).toList();
  }

  private static List<Integer> ids(Dataset<Row> rows) {
    return rows.collectAsList().stream().map(row -> row.getInt(0)).sorted().toList();
  }

  @Test
  void callsStandInSelectWhereOrderByGroupByAndAggregates() {
    assertThat(labels("select id, " + CALL + ".label from tickets")).isEqualTo(labels);
    String label = most();
    assertThat(
            ids(session.sql("select id from tickets where " + CALL + ".label = '" + label + "'")))
        .isEqualTo(idsOf(label));
    assertThat(
            session
                .sql("select id from tickets order by " + CALL + ".label, id desc")
                .collectAsList())
        .extracting(row -> row.getInt(0))
        .isEqualTo(
            labels.keySet().stream()
                .sorted(
                    java.util.Comparator.comparing((Integer id) -> labels.get(id))
                        .thenComparing(java.util.Comparator.reverseOrder()))
                .toList());
    assertThat(
            counts(
                session.sql(
                    "select "
                        + CALL
                        + ".label, count(*) from tickets group by "
                        + CALL
                        + ".label")))
        .isEqualTo(counts());
    assertThat(
            session
                .sql(
                    "select count(distinct "
                        + CALL
                        + ".label), max("
                        + CALL
                        + ".label),"
                        + " min(id) from tickets having max("
                        + CALL
                        + ".label) is not null")
                .collectAsList())
        .containsExactly(
            RowFactory.create(
                (long) counts().size(), counts().keySet().stream().reduce((a, b) -> b).get(), 0));
  }

  @Test
  void callsOfWhatAnAggregateGivesComeAfterIt() {
    Dataset<Row> scored =
        session.sql(
            "select adapter, medley_classify('support', max(text), adapter).label, count(*)"
                + " from tickets group by adapter");
    List<Row> expected =
        session
            .sql(
                "select adapter, medley_classify('support', t, adapter).label, c from"
                    + " (select adapter, max(text) as t, count(*) as c from tickets group by"
                    + " adapter)")
            .collectAsList();
    assertThat(scored.collectAsList()).containsExactlyInAnyOrderElementsOf(expected);
    assertThat(SqlPlans.run(scored)).containsEntry("texts", 3L);
  }

  @Test
  void callsStandInWindowsAndGenerators() {
    assertThat(
            session
                .sql(
                    "select id, row_number() over (partition by "
                        + CALL
                        + ".label order by id)"
                        + " from tickets order by id")
                .collectAsList())
        .extracting(row -> row.getInt(1))
        .isEqualTo(
            labels.keySet().stream().map(id -> idsOf(labels.get(id)).indexOf(id) + 1).toList());
    Dataset<Row> exploded =
        session.sql(
            "select id, s.label from tickets lateral view explode(" + CALL + ".scores) as s");
    assertThat(exploded.count())
        .isEqualTo(
            session.sql("select sum(size(" + CALL + ".scores)) from tickets").first().getLong(0));
  }

  @Test
  void callsStandInSubqueriesUnionsAndJoins() {
    String label = most();
    assertThat(
            ids(
                session.sql(
                    "select id from tickets where id in (select id from tickets where "
                        + CALL
                        + ".label = '"
                        + label
                        + "')")))
        .isEqualTo(idsOf(label));
    assertThat(
            session
                .sql(
                    "select id from tickets where "
                        + CALL
                        + ".label in (select concat('"
                        + label
                        + "', ''))")
                .count())
        .isEqualTo(idsOf(label).size());
    assertThat(
            session
                .sql("select 1 where (select max(" + CALL + ".label) from tickets) is not null")
                .count())
        .isEqualTo(1);
    assertThat(
            session
                .sql(
                    "with scored as (select id, "
                        + CALL
                        + ".label as l from tickets)"
                        + " select a.id, b.l from scored a join scored b on a.id = b.id"
                        + " where a.l = b.l")
                .count())
        .isEqualTo(60);
    Dataset<Row> scored =
        session.sql(
            "select id, "
                + CALL
                + " as p from tickets union all select id, "
                + CALL
                + " from tickets where id < 5");
    assertThat(scored.count()).isEqualTo(65);
    assertThat(scored.join(scored, "id").count()).isEqualTo(55 + 4 * 5);
    assertThat(
            ids(
                session.sql(
                    "select a.id from tickets a, tickets b where a.id = b.id and"
                        + " medley_classify('support', a.text, b.adapter).label = '"
                        + label
                        + "'")))
        .isEqualTo(idsOf(label));
  }

  @Test
  void callsStandInViewsAndCreateTableAs(@TempDir Path folder) {
    session.sql("create temporary view scored as select id, " + CALL + ".label from tickets");
    assertThat(labels("select * from scored")).isEqualTo(labels);
    session.sql(
        "create table made using parquet location '"
            + folder.resolve("made")
            + "' as select id, "
            + CALL
            + ".label from tickets");
    try {
      assertThat(labels("select * from made")).isEqualTo(labels);
      session.sql("insert into made select id + 100, " + CALL + ".label from tickets where id < 3");
      assertThat(session.table("made").count()).isEqualTo(63);
    } finally {
      session.sql("drop table made");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"true", "false"})
  void resultsAreTheSameWithAndWithoutAdaptiveExecution(String adaptive) {
    session.conf().set("spark.sql.adaptive.enabled", adaptive);
    String counted =
        "select l, count(*) from (select "
            + CALL
            + ".label as l, id from tickets"
            + " distribute by id) group by l order by l";
    assertThat(counts(session.sql(counted))).isEqualTo(counts());
    assertThat(SqlPlans.run(session.sql(counted))).containsEntry("texts", 60L);
  }

  @Test
  void equalCallsAreOneAndCallsOfAModelShareItsPasses() {
    Dataset<Row> twice =
        session.sql(
            "select "
                + CALL
                + ".label, upper("
                + CALL
                + ".label), try_"
                + CALL
                + ".prediction_error, id from tickets where "
                + CALL
                + ".score > 0");
    assertThat(SqlPlans.run(twice)).containsEntry("texts", 60L);
    assertThat(SqlPlans.scores(twice)).hasSize(1);

    Dataset<Row> both =
        session.sql(
            "select "
                + CALL
                + ", medley_classify('support', upper(text), adapter) from tickets"
                + " where id < 20");
    Map<String, Long> together = SqlPlans.run(both.coalesce(1));
    assertThat(together).containsEntry("texts", 40L);
    assertThat(SqlPlans.scores(both)).hasSize(1);
    long alone =
        SqlPlans.run(session.sql("select " + CALL + " from tickets where id < 20").coalesce(1))
            .get("forwards");
    assertThat(together.get("forwards")).isLessThan(2 * alone);

    Dataset<Row> models =
        session.sql("select " + CALL + ", medley_classify('plain', text) from tickets");
    assertThat(SqlPlans.run(models)).containsEntry("texts", 120L);
    assertThat(SqlPlans.scores(models)).hasSize(2);
  }

  @Test
  void callsMayBeNested() {
    Map<Integer, String> inner =
        labels("select id, medley_classify('plain', text).label from tickets");
    Map<Integer, String> nested =
        labels(
            "select id, medley_classify('support', medley_classify('plain', text).label, null).label"
                + " from tickets");
    Map<Integer, String> apart = new TreeMap<>();
    inner.forEach(
        (id, label) ->
            apart.put(
                id,
                session
                    .sql("select medley_classify('support', '" + label + "', null).label")
                    .first()
                    .getString(0)));
    assertThat(nested).isEqualTo(apart);
  }

  @Test
  void conditionalCallsAreComputedForAllRows() {
    Dataset<Row> some =
        session.sql("select if(id < 5, " + CALL + ".label, 'none') as l from tickets");
    assertThat(SqlPlans.run(some)).containsEntry("texts", 60L);
    assertThat(some.where("l <> 'none'").count()).isEqualTo(5);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "10 | select %s from tickets where id < 10",
        "10 | select * from (select *, %s as p from tickets) where id < 10",
        "10 | select * from (select *, %s as p from tickets) where id < 10 and p.score >= 0",
        "10 | select * from (select *, %s as p from tickets) where p.score >= 0 and id < 10",
        "10 | select a.id from (select *, %s as p from tickets) a, tickets b where a.id = b.id"
            + " and b.id < 10 and a.id < 10 and a.p.score >= 0",
        " 0 | select count(*) from (select *, %s as p from tickets)",
        " 0 | select id from (select *, %s as p from tickets)",
        "60 | select p from (select *, %s as p,"
            + " medley_classify('support', concat(text, '!'), adapter) as q from tickets)",
        "10 | select id, %s as p from tickets order by id desc limit 10",
        "10 | select * from (select -id as i, %s as p from tickets) order by i, i + 1 limit 10",
        "60 | select id, %s as p from tickets order by p.score, id limit 10",
        " 7 | select %s from (select * from tickets distribute by 1) limit 7",
        " 7 | select id, p.label from (select *, %s as p from (select * from tickets distribute"
            + " by 1)) limit 7"
      })
  void onlyWhatIsAskedForIsComputed(long texts, String sql) {
    Dataset<Row> query = session.sql(sql.formatted(CALL));
    assertThat(SqlPlans.run(query).getOrDefault("texts", 0L)).isEqualTo(texts);
  }

  @Test
  void firstRowsByAColumnAreTheSameThatAllWouldGive() {
    List<Row> all =
        session.sql("select -id as i, " + CALL + ".label from tickets order by i").collectAsList();
    assertThat(
            session
                .sql(
                    "select * from (select -id as i, "
                        + CALL
                        + ".label from tickets) order by i"
                        + " limit 10")
                .collectAsList())
        .isEqualTo(all.subList(0, 10));
  }

  @Test
  void columnsThatNobodyAsksForArePrunedBelow() {
    Dataset<Row> query =
        session.sql(
            "select medley_classify('plain', text).label from"
                + " (select text, upper(text) as unused, id from tickets distribute by id)");
    assertThat(SqlPlans.scores(query).get(0).output().mkString(" "))
        .startsWith("text#")
        .doesNotContain("unused", "id#");
  }

  @Test
  void cachedResultIsNotComputedAgain() {
    Dataset<Row> scored = session.sql("select id, " + CALL + " as p from tickets").cache();
    try {
      assertThat(scored.count()).isEqualTo(60);
      Dataset<Row> again =
          session.sql("select id, " + CALL + " as p from tickets").select("p.label");
      assertThat(again.queryExecution().withCachedData().toString()).contains("InMemoryRelation");
    } finally {
      scored.unpersist();
    }
    assertThat(scored.storageLevel().useMemory()).isFalse();
  }

  @Test
  void explainShowsModelTaskAndAdaptersButNoPath() {
    Dataset<Row> scored = session.sql("select " + CALL + " from tickets");
    for (String mode : List.of("simple", "extended", "formatted", "cost")) {
      String plan =
          session
              .sql(
                  "explain "
                      + (mode.equals("simple") ? "" : mode)
                      + " select "
                      + CALL
                      + " from tickets")
              .first()
              .getString(0);
      assertThat(plan)
          .contains("MedleyScore")
          .contains("support: text-classification, 2 adapters")
          .doesNotContain(SEQUENCE.toString());
    }
    assertThat(scored.queryExecution().toString()).doesNotContain(SEQUENCE.toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "select a.id from tickets a join tickets b on medley_classify('support', a.text, null).label"
            + " = b.text | medley_classify: cannot be used in a join condition; compute it in a"
            + " subquery of the side that has the text",
        "select transform(array(text), t -> medley_classify('support', t, null)) from tickets |"
            + " medley_classify: cannot be used in a lambda function, whose elements are no rows;"
            + " explode the array first",
        "select id from tickets o where exists (select 1 from tickets i where i.id = o.id and"
            + " medley_classify('support', i.text, null).score > 0) | medley_classify: cannot be used"
            + " in a correlated subquery; join instead",
        "select medley_classify('support', concat(text, rand()), null) from tickets |"
            + " medley_classify: expected arguments that are the same each time, found"
            + " concat(tickets.text,"
            + " CAST(rand() AS STRING)); give it a name in a subquery, and that to the function",
        "select medley_classify(text, text, null) from tickets | medley_classify: model: expected a"
            + " constant string, found tickets.text; a call runs one model: choose among calls by"
            + " CASE",
        "select medley_classify('suport', text, null) from tickets | medley_classify: model: no model"
            + " is named suport; did you mean support?",
        "select medley_classify('support', text) from tickets | medley_classify: adapter: expected"
            + " the adapter of each row, found none, though model support: text-classification, 2"
            + " adapters; give null for the base alone: medley_classify(model, text[, adapter])",
        "select medley_embed('support', text, null) from tickets | medley_embed: model support:"
            + " expected one for feature-extraction, found one for text-classification, which"
            + " medley_classify calls",
        "select try_medley_classify('support') from tickets | try_medley_classify: expected 2 to 3"
            + " arguments, found 1; it is try_medley_classify(model, text[, adapter])",
        "select medley_classify('support', text, 5) from tickets | medley_classify: adapter: expected"
            + " string or array<string>, found int",
        "select medley_classify('support', id, null) from tickets | medley_classify: text: expected"
            + " string, found int",
        "select medley_classify('support', text, null) over (order by id) from tickets |"
            + " medley_classify",
        "select sum(distinct medley_classify('support', text, null)) from tickets | medley_classify"
      })
  void whereACallCannotStandItIsRefused(String sql, String message) {
    assertThatThrownBy(() -> session.sql(sql))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining(message);
  }

  @Test
  void nondeterministicValueMayBeNamedFirst() {
    assertThat(
            session
                .sql(
                    "select medley_classify('support', t, null).label from"
                        + " (select concat(text, rand()) as t from tickets)")
                .count())
        .isEqualTo(60);
  }

  @Test
  void tableFunctionScoresAView() {
    List<Row> expected = new ArrayList<>();
    for (Row row :
        session
            .table("tickets")
            .withColumn("t", MedleyFunctions.tryClassify("support", col("text"), col("adapter")))
            .select("id", "text", "adapter", "t.prediction", "t.prediction_error")
            .collectAsList()) {
      expected.add(row);
    }
    for (String call :
        List.of(
            "medley_score('tickets', 'support', 'text', 'adapter')",
            "medley_score(view => 'tickets', model => 'support', text => 'text', adapter =>"
                + " 'adapter')",
            "medley_score(view => table(tickets), model => 'support', text => 'text', adapter =>"
                + " 'adapter')")) {
      Dataset<Row> scored = session.sql("select * from " + call);
      assertThat(scored.columns())
          .containsExactly("id", "text", "adapter", "prediction", "prediction_error");
      assertThat(scored.collectAsList()).isEqualTo(expected);
      assertThat(SqlPlans.run(scored.where("id = 7").select("prediction.label")))
          .containsEntry("texts", 1L);
    }
    assertThat(
            session
                .sql("select prediction from medley_score('tickets', 'support', 'text', null)")
                .collectAsList())
        .isEqualTo(
            session
                .sql("select medley_classify('support', text, null) from tickets")
                .collectAsList());
    assertThat(
            session
                .sql(
                    "select t.id, t.p from medley_score('tickets', 'plain', 'text', prediction =>"
                        + " 'p') as t where p_error is null")
                .schema()
                .simpleString())
        .startsWith("struct<id:int,p:struct<label:string");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "medley_score('tickets', 'support') | medley_score: text: expected the name of the column"
            + " with each row's text, found none; as in medley_score(view => 'rows', model =>"
            + " 'support', text => 'text', adapter => 'adapter')",
        "medley_score(view => 'tickets', modle => 'support', text => 'text') | medley_score: expected"
            + " view, model, text, adapter, prediction, seed, completion, found modle; did you mean"
            + " model?",
        "medley_score('tickets', 'suport', 'text') | medley_score: model: no model is named suport;"
            + " did you mean support?",
        "medley_score('tickets', 'support', 'text') | medley_score: adapter: expected the name of the"
            + " column with each row's adapter, or null for the base, found none",
        "medley_score('tickets', 'plain', 'text', seed => 'id') | medley_score: seed: expected none"
            + " for text-classification, found one",
        "medley_score('nothing', 'support', 'text', 'adapter') | nothing",
        "medley_score('tickets', 'support', 'txt', 'adapter') | txt"
      })
  void tableFunctionSaysWhatIsMissing(String call, String message) {
    assertThatThrownBy(() -> session.sql("select * from " + call))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining(message);
  }

  @Test
  void functionsAreDescribed() {
    assertThat(session.sql("describe function medley_generate").collectAsList().toString())
        .contains("medley_generate(model, text or messages[, adapter[, seed]])");
  }
}
