package dev.medley.job.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.job.bench.Workbench.Side;
import java.util.List;

/**
 * S10: two cores of Spark as two tasks of one thread, and as one task of two; and P11, how often
 * the base was loaded by all the jobs of those.
 */
record SparkCores() implements Scenario {
  private static final int ROUNDS = 3;

  @Override
  public List<String> names() {
    return List.of("S10", "P11");
  }

  @Override
  public List<Figure> run(Workbench bench) {
    String what = "local[2], 2 tasks of 1 thread : 1 of 2";
    try (LineProcess two = start(bench, 1)) {
      Side tasks = new Side("2 tasks of 1 thread", chunk -> sample(bench, two, chunk));
      if (bench.settings().quick()) {
        bench.time(1, tasks);
        return List.of(Figure.of("S10", what, "not with --quick"), baseLoads(two, 2));
      }
      try (LineProcess one = start(bench, 2)) {
        Side threads = new Side("1 task of 2 threads", chunk -> sample(bench, one, chunk));
        bench.time(1, tasks, threads); // loads, and what Spark does once
        List<Samples> all = bench.time(ROUNDS, tasks, threads);
        return List.of(
            Figure.ratio("S10", what, all.get(0), all.get(1)), baseLoads(two, ROUNDS + 2));
      }
    }
  }

  private static Figure baseLoads(LineProcess spark, int jobs) {
    int loads = ask(spark, 0).get("base_loads").asInt();
    String what = "base loads of a JVM, " + jobs + " jobs of 2 tasks";
    return new Figure("P11", what, "" + loads, "1", loads == 1, null, null);
  }

  private static LineProcess start(Workbench bench, int cpusPerTask) {
    Settings settings = bench.settings();
    Part.adapters(Job.S3.chunks(bench, settings.chunkRows(), ROUNDS))
        .forEach(bench.adapters()::folder); // written here, not by both
    return ChildJvm.start(
        SparkProbe.class,
        List.of("-Xmx1g"),
        settings.model().toString(),
        settings.work().toString(),
        "" + settings.chunkRows(),
        "" + ROUNDS,
        "" + cpusPerTask);
  }

  private static Sample sample(Workbench bench, LineProcess spark, int chunk) {
    JsonNode answer = ask(spark, chunk);
    Rows rows = Job.S3.chunks(bench, bench.settings().chunkRows(), ROUNDS).get(chunk);
    return new Sample(
        rows.size(),
        rows.tokens(),
        answer.get("seconds").doubleValue(),
        answer.get("cpu_seconds").doubleValue());
  }

  private static JsonNode ask(LineProcess spark, int chunk) {
    ObjectNode order = LineProcess.JSON.createObjectNode().put("chunk", chunk);
    return spark.ask(order);
  }
}
