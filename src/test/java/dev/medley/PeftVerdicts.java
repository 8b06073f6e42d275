package dev.medley;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.AdapterMutants.Mutant;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What PEFT makes of the mutants that Medley accepts. A mutant that nobody has asked PEFT about is
 * written to {@code target/mutants}, where src/test/python/mutations.py finds it.
 */
public final class PeftVerdicts {
  private static final Path UNKNOWN = Path.of("target/mutants");

  private final JsonNode verdicts;
  private final Fixtures.Expected outputs;

  /** Reads the fixtures; arrays belong to {@code owner}. */
  public PeftVerdicts(NDManager owner) {
    try {
      verdicts = new ObjectMapper().readTree(Fixtures.path("mutations/verdicts.json").toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    outputs = Fixtures.expected("mutations", "outputs", owner);
  }

  /** The verdict on that very mutant; null where there is none, and then it is written down. */
  public String of(Mutant mutant) {
    JsonNode verdict = verdicts.path(mutant.of()).path(mutant.kind() + " | " + mutant.what());
    if (verdict.path(0).asText().equals(mutant.digest())) {
      return verdict.path(1).asText();
    }
    Path folder = mutant.writeTo(UNKNOWN.resolve(mutant.digest()));
    try {
      Files.writeString(folder.resolve("mutant.txt"), mutant.id(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return null;
  }

  /** What PEFT computes under a verdict that names an output; null where it names none. */
  public NDArray output(String verdict, String module) {
    String name = verdict + "." + module;
    return outputs.has(name) ? outputs.get(name) : null;
  }
}
