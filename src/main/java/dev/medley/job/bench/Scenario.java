package dev.medley.job.bench;

import java.util.List;

/** Some of the benchmark's figures, which are measured together. */
interface Scenario {
  /** Names of its figures (P2) and of the rows that it scores (S3); either asks for it. */
  List<String> names();

  /** Runs it. */
  List<Figure> run(Workbench bench);
}
