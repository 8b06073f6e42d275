package dev.medley.job.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Another process that answers each line of JSON by one, and says something of itself in a first
 * line when it is ready. What it writes to its error output is shown.
 */
final class LineProcess implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();

  private final String name;
  private final Process process;
  private final BufferedReader answers;
  private final BufferedWriter orders;
  private final JsonNode ready;

  private LineProcess(String name, Process process) {
    this.name = name;
    this.process = process;
    this.answers = process.inputReader();
    this.orders = process.outputWriter();
    this.ready = answer();
  }

  /** Starts it and waits until it is ready. */
  static LineProcess start(ProcessBuilder builder) {
    String name = Path.of(builder.command().get(0)).getFileName().toString();
    try {
      return new LineProcess(name, builder.redirectError(ProcessBuilder.Redirect.INHERIT).start());
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot run " + builder.command().get(0) + ": " + e.getMessage(), e);
    }
  }

  /** A script of {@code jobs/bench}. */
  static LineProcess python(String python, String script, String... arguments) {
    List<String> command =
        new ArrayList<>(List.of(python, Checkout.path("jobs", "bench", script).toString()));
    command.addAll(Arrays.asList(arguments));
    return start(new ProcessBuilder(command));
  }

  /** What it said first. */
  JsonNode ready() {
    return ready;
  }

  /** One line there, one line back. */
  JsonNode ask(JsonNode order) {
    try {
      orders.write(JSON.writeValueAsString(order));
      orders.newLine();
      orders.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(ended(), e);
    }
    return answer();
  }

  private JsonNode answer() {
    try {
      String line = answers.readLine();
      while (line != null && !line.startsWith("{")) { // somebody else's
        line = answers.readLine();
      }
      if (line == null) {
        throw new IOException(ended());
      }
      return JSON.readTree(line);
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }

  private String ended() {
    return name + " ended before it answered; what it said stands above";
  }

  /** Asks for no more, and ends it. */
  @Override
  public void close() {
    process.destroy();
  }
}
