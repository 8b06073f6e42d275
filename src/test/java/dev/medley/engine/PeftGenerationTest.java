package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.engine.DecoderFolder.Generated;
import dev.medley.engine.Prediction.Generation;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Running batches against what transformers and PEFT generate, row by row. */
class PeftGenerationTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"llama", "gpt2"})
  void greedyTokensOfEveryRowAreThoseOfPeft(String name) {
    DecoderFolder.of(name, folder);
    Map<Integer, List<Generated>> byLength =
        DecoderFolder.generated(name).stream()
            .collect(
                Collectors.groupingBy(Generated::maxNewTokens, TreeMap::new, Collectors.toList()));
    byLength.forEach(
        (length, rows) -> {
          TextGeneration task = TextGeneration.AUTO.withMaxNewTokens(length);
          EngineSpec spec = EngineSpec.of(folder.toString(), task, DecoderFolder.adapters(name));
          try (Engine engine = Engine.load(spec)) {
            List<Result> results = engine.run(rows.stream().map(Generated::request).toList());
            for (int i = 0; i < rows.size(); i++) {
              Generated row = rows.get(i);
              assertThat(results.get(i).error()).as(row.set()).isNull();
              Generation generation = (Generation) results.get(i).prediction();
              assertThat(generation.tokens()).as(row.set()).isEqualTo(row.greedy());
              boolean eos = row.greedy()[row.greedy().length - 1] == 1;
              assertThat(generation.finishReason())
                  .isEqualTo(eos ? FinishReason.EOS : FinishReason.LENGTH);
            }
          }
        });
  }
}
