package dev.medley.job;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** transformers and PEFT in a process of their own, which waits for one run after the other. */
final class PeftSide implements AutoCloseable {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final Process process;
  private final BufferedReader answers;
  private final BufferedWriter orders;

  private PeftSide(Process process) {
    this.process = process;
    this.answers = process.inputReader();
    this.orders = process.outputWriter();
  }

  /** One run: how long it took there, and each prompt's tokens. */
  record Run(double seconds, int[][] tokens) {}

  static PeftSide start(String python, Path folder, int threads) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
            python, "jobs/bench/peft_generation.py", folder.toString(), "" + threads);
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    PeftSide side = new PeftSide(builder.start());
    side.answer(); // the versions: it is ready
    return side;
  }

  Run run(String way, int newTokens, List<String> adapterOf) throws IOException {
    ObjectNode order = MAPPER.createObjectNode();
    order.put("way", way).put("new_tokens", newTokens);
    order.set("adapter_of", MAPPER.valueToTree(adapterOf));
    orders.write(MAPPER.writeValueAsString(order));
    orders.newLine();
    orders.flush();
    JsonNode answer = answer();
    return new Run(
        answer.get("seconds").doubleValue(),
        MAPPER.treeToValue(answer.get("tokens"), int[][].class));
  }

  private JsonNode answer() throws IOException {
    String line = answers.readLine();
    if (line == null) {
      throw new IOException("the Python side ended; what it said stands above");
    }
    return MAPPER.readTree(line);
  }

  @Override
  public void close() throws IOException {
    orders.close();
    process.destroy();
  }
}
