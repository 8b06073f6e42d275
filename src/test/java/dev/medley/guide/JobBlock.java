package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.job.CommandLineRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A job file, which is validated and run, or lines of one, each validated in a job that has the
 * rest. Lines that begin with the same key are alternatives.
 */
final class JobBlock {
  private JobBlock() {}

  static void check(Block block, Example example) throws IOException {
    String text = example.local(block.text());
    if (text.startsWith("medley {")) {
      Path job = Files.writeString(example.path("whole-" + block.line() + ".conf"), text);
      run(block, "validate", job.toString());
      run(block, "score", job.toString(), "output.path=" + example.fresh("out"));
      return;
    }
    String whole = Files.readString(example.path("job.conf"));
    for (String part : alternatives(text)) {
      String with = whole.substring(0, whole.lastIndexOf('}')) + part + "\n}\n";
      Path job = Files.writeString(example.path("part-" + block.line() + ".conf"), with);
      run(block, "validate", job.toString());
    }
  }

  private static List<String> alternatives(String text) {
    List<String> parts = new ArrayList<>();
    Set<String> keys = new HashSet<>();
    for (String line : text.lines().toList()) {
      if (parts.isEmpty() || !keys.add(line.replaceFirst("\\W*[={ ].*", ""))) {
        parts.add(line);
      } else {
        parts.add(parts.remove(parts.size() - 1) + "\n" + line);
      }
    }
    return parts;
  }

  private static void run(Block block, String... arguments) {
    CommandLineRun run = CommandLineRun.of(arguments);
    assertThat(run.code())
        .as("%s: medley %s%n%s%s", block.where(), arguments[0], run.out(), run.err())
        .isZero();
  }
}
