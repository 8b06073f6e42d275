package dev.medley.engine;

import dev.medley.adapter.AdapterReport;
import java.util.List;

/**
 * How an adapter's tensors landed on the base, by their names in the file, where PEFT's {@code
 * load_result} has the adapter's name between.
 *
 * @param missingKeys tensors that the config asks for and the file lacks; also those that PEFT
 *     keeps out of its list: of {@code modules_to_save}, biases, and SHiRA's indices
 * @param unexpectedKeys tensors of the file that no module takes
 * @param idleKeys tensors that are for a module which this task does not run
 */
public record LoadResult(
    List<String> missingKeys, List<String> unexpectedKeys, List<String> idleKeys) {

  static LoadResult of(AdapterReport report) {
    return new LoadResult(report.missingKeys(), report.unexpectedKeys(), report.idleKeys());
  }
}
