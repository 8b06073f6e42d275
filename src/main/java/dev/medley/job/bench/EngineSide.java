package dev.medley.job.bench;

import dev.medley.engine.Engine;
import dev.medley.engine.Prediction.Embedding;
import dev.medley.engine.Request;
import dev.medley.engine.Result;
import java.util.List;

/** Our side: rows through an engine, tokenising included. */
final class EngineSide {
  private EngineSide() {}

  /** Scores rows, of which none may fail. */
  static Scored run(Engine engine, Rows rows) {
    List<Request> requests = rows.requests();
    CpuClock clock = CpuClock.start();
    List<Result> results = engine.run(requests);
    return new Scored(
        clock.sample(rows.size(), rows.tokens()),
        results.stream().map(EngineSide::vector).toArray(float[][]::new));
  }

  private static float[] vector(Result result) {
    if (result.prediction() == null) {
      throw new IllegalStateException(result.error().toString());
    }
    return ((Embedding) result.prediction()).values();
  }
}
