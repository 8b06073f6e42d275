package dev.medley.adapter;

import static dev.medley.Close.assertClose;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.medley.Fixtures;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The law of {@link LinearAdapter}, both ways, for every fixture of every type of the enum. */
class AdapterContractTest {
  private static final double TOLERANCE = 1e-5;

  static Stream<Arguments> layers() {
    return Arrays.stream(AdapterType.values())
        .flatMap(LayerFixture::folders)
        .flatMap(
            folder -> {
              try (NDManager owner = NDManager.newBaseManager()) {
                return LayerFixture.of(folder, owner).modules().stream()
                    .map(module -> Arguments.of(folder, module));
              }
            });
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("layers")
  void dynamicAndMergedGiveWhatPeftGives(String folder, String module) {
    try (NDManager owner = NDManager.newBaseManager()) {
      LayerFixture fixture = LayerFixture.of(folder, owner);
      Adapter adapter = fixture.load(Fixtures.location(folder), owner);
      for (NDArray output : fixture.outputs(module, adapter)) {
        assertClose(output, fixture.get(module, "expected"), TOLERANCE);
      }
    }
  }
}
