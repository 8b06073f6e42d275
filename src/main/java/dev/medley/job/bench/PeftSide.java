package dev.medley.job.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * transformers and PEFT in a process of their own, a script of {@code jobs/bench} that answers each
 * line of JSON by one.
 */
final class PeftSide implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();

  private final Process process;
  private final BufferedReader answers;
  private final BufferedWriter orders;
  private final String versions;

  private PeftSide(Process process) {
    this.process = process;
    this.answers = process.inputReader();
    this.orders = process.outputWriter();
    JsonNode ready = answer();
    this.versions =
        "torch %s, transformers %s, peft %s"
            .formatted(
                ready.path("torch").asText(),
                ready.path("transformers").asText(),
                ready.path("peft").asText());
  }

  /** Starts the script and waits until it has loaded what it needs. */
  static PeftSide start(String python, String script, String... arguments) {
    List<String> command =
        new ArrayList<>(List.of(python, Path.of("jobs", "bench", script).toString()));
    command.addAll(Arrays.asList(arguments));
    try {
      return new PeftSide(
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot run " + python + ": " + e.getMessage(), e);
    }
  }

  /** Such as {@code torch 2.7.1, transformers 4.57.0, peft 0.18.0}. */
  String versions() {
    return versions;
  }

  /** One run. */
  JsonNode ask(ObjectNode order) {
    try {
      orders.write(JSON.writeValueAsString(order));
      orders.newLine();
      orders.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("the Python side ended; what it said stands above", e);
    }
    return answer();
  }

  private JsonNode answer() {
    try {
      String line = answers.readLine();
      if (line == null) {
        throw new IOException("the Python side ended; what it said stands above");
      }
      return JSON.readTree(line);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    process.destroy();
  }
}
