package dev.medley.adapter;

import static dev.medley.Close.assertClose;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.AdapterMutants;
import dev.medley.AdapterMutants.Mutant;
import dev.medley.PeftVerdicts;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Sound adapters of every type, each with one change: refused by a message that names what is
 * wrong, or computed as PEFT computes that very adapter. A sound message names a key or tensor, and
 * says what was expected or found.
 */
class AdapterMutationTest {
  private static final double TOLERANCE = 1e-5;
  private static final Pattern SAYS =
      Pattern.compile(
          "expected|unexpected|unknown key|not supported|not allowed|would change nothing"
              + "|no regular expression|PEFT has no");

  /**
   * What PEFT reads for training alone, and fails on where it cannot be read: the numbers must be
   * those of the sound adapter.
   */
  private static final Set<String> INERT =
      Set.of(
          "corda_config",
          "d_initial",
          "eva_config",
          "init_lora_weights",
          "init_weights",
          "lora_dropout",
          "lora_ga_config",
          "megatron_config",
          "module_dropout",
          "orth_reg_weight",
          "peft_version",
          "projection_prng_key",
          "random_seed",
          "tfinal",
          "tinit",
          "total_step",
          "vera_dropout");

  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(AdapterType.class)
  void mutantIsRefusedByNameOrIsAsInPeft(AdapterType type) {
    Map<String, int[]> counts = new TreeMap<>();
    List<String> wrong = new ArrayList<>();
    try (NDManager owner = NDManager.newBaseManager()) {
      PeftVerdicts verdicts = new PeftVerdicts(owner);
      List<String> folders = LayerFixture.folders(type).toList();
      for (String fixture : folders) {
        AdapterMutants sound = new AdapterMutants(fixture).withTensors();
        if (fixture.equals(folders.get(0))) {
          sound.withFiles().withNames().withConfig();
        }
        try (NDManager mine = owner.newSubManager()) {
          LayerFixture layers = LayerFixture.of(fixture, mine);
          for (Mutant mutant : sound.all()) {
            int[] count = counts.computeIfAbsent(mutant.kind(), kind -> new int[2]);
            String problem = judge(mutant, layers, sound, verdicts, count);
            if (problem != null) {
              wrong.add(mutant.id() + ": " + problem);
            }
          }
        }
      }
    }
    counts.forEach(
        (kind, n) ->
            System.out.printf("%-9s %-45s %4d refused %4d as PEFT%n", type, kind, n[0], n[1]));
    assertThat(wrong).isEmpty();
    assertThat(counts.values().stream().mapToInt(n -> n[0]).sum()).isGreaterThan(100);
    assertThat(counts.values().stream().mapToInt(n -> n[1]).sum()).isGreaterThan(10);
  }

  private String judge(
      Mutant mutant,
      LayerFixture layers,
      AdapterMutants sound,
      PeftVerdicts verdicts,
      int[] count) {
    Path files = mutant.writeTo(folder.resolve(mutant.digest()));
    Location location = Location.of(files.toString());
    try (NDManager owner = NDManager.newBaseManager()) {
      Adapter adapter;
      try {
        adapter = layers.load(location, owner);
      } catch (LoadException e) {
        count[0]++;
        return named(mutant, sound, e.getMessage());
      } catch (RuntimeException e) {
        return "expected a LoadException, got " + e;
      }
      count[1]++;
      List<String> problems = layers.check(location).problems();
      if (!problems.isEmpty()) {
        return "loads, though the driver's check finds " + problems;
      }
      String verdict = verdicts.of(mutant);
      boolean isInert =
          mutant.kind().equals("config") && INERT.contains(mutant.what().split(" ")[0]);
      if (verdict != null && verdict.startsWith("fails") && isInert) {
        verdict = verdicts.of(sound.all().get(0));
      }
      if (verdict == null) {
        return "accepted, and nobody has asked PEFT: run src/test/python/mutations.py";
      }
      for (String module : layers.modules()) {
        NDArray expected = verdicts.output(verdict, module);
        if (expected == null) {
          return "accepted, and in PEFT: " + verdict;
        }
        for (NDArray output : layers.outputs(module, adapter)) {
          try {
            assertClose(output, expected, TOLERANCE);
          } catch (AssertionError e) {
            return "accepted, and " + module + " is not as in PEFT: " + e.getMessage();
          }
        }
      }
      return null;
    }
  }

  /** What is missing in a message; null for nothing. */
  private static String named(Mutant mutant, AdapterMutants sound, String message) {
    String key = mutant.what().split(" ")[0];
    boolean isConfig = mutant.kind().equals("config");
    List<String> names = new ArrayList<>(List.of(isConfig ? key + ":" : below(key)));
    if (isConfig) {
      names.addAll(List.of(key + ".", key + "[", key + " and ", "lin.base_layer.bias: expected"));
      // tensors or keys that another type or variant has, or has not
      names.addAll(key.equals("peft_type") ? List.of(": unknown key", ": expected ") : List.of());
      names.addAll(
          List.of("lora_diag: expected", "magnitude_vector: expected", "lora_B.bias: exp"));
    }
    if (isConfig || mutant.kind().equals("no tensors")) {
      sound.keys().forEach(k -> names.add(below(k)));
    }
    names.add("would change nothing: expected some module to be changed"); // and which were asked
    if (names.stream().noneMatch(message::contains)) {
      return "the message does not name " + key + ": " + message;
    }
    return SAYS.matcher(message).find() ? null : "the message says too little: " + message;
  }

  private static String below(String key) {
    return key.replaceFirst("^base_model\\.model\\.", "");
  }
}
