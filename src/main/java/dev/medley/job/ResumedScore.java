package dev.medley.job;

import dev.medley.engine.Validation;
import dev.medley.io.LoadException;
import dev.medley.job.JobConf.Output;
import dev.medley.job.JobConf.Resume;
import dev.medley.spark.ChunkedOutput;
import dev.medley.spark.ChunkedScoring;
import dev.medley.spark.ChunkedScoring.Outcome;
import dev.medley.spark.ScoringCounters;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;

/** A job whose output is committed by chunks, so that a second run goes on where one has ended. */
record ResumedScore(Outcome outcome) {

  /** Scores what is missing or outdated. */
  static ResumedScore run(
      SparkSession spark, JobConf conf, Validation validation, ScoringCounters counters) {
    Output output = conf.output();
    Resume resume = conf.resume();
    ChunkedOutput chunks =
        new ChunkedOutput(
            output.path(),
            output.format().toString(),
            output.options(),
            resume.key(),
            resume.chunkRows());
    return new ResumedScore(
        ChunkedScoring.score(
            spark,
            session -> Rows.read(session, conf.input()),
            rows -> Rows.flat(rows, output),
            validation,
            conf.columns(),
            chunks,
            counters));
  }

  /** What keeps a run from going on there; nothing is written. */
  static List<String> problems(JobConf conf) {
    try {
      ChunkedOutput.checkOwn(conf.output().path(), Session.hadoop());
      return List.of();
    } catch (LoadException e) {
      return List.of(e.getMessage());
    }
  }

  /** For people, beside the rows that were scored. */
  Map<String, Long> counts() {
    Map<String, Long> counts = new LinkedHashMap<>();
    counts.put("rows reused", outcome.reusedRows());
    counts.put("rows kept", outcome.keptRows());
    counts.put("chunks written", outcome.writtenChunks());
    counts.put("chunks kept", outcome.keptChunks());
    return counts;
  }
}
