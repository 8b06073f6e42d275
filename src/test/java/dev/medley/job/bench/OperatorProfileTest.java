package dev.medley.job.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.medley.Fixtures;
import dev.medley.job.bench.OperatorProfile.Time;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OperatorProfileTest {
  @TempDir Path folder;

  private static Time operator(OperatorProfile profile, String name) {
    return profile.operators().stream()
        .filter(time -> time.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  /** A linear layer and a GELU, as libtorch wrote it. */
  @Test
  void selfTimeIsWithoutWhatAnOperatorCalls() {
    OperatorProfile profile = OperatorProfile.read(Fixtures.path("profile/trace.json"), 12);

    assertThat(profile.kernels())
        .extracting(Time::name, Time::calls)
        .containsExactly(tuple("linear", 1), tuple("gelu", 1));
    assertThat(profile.kernels().get(0).totalMillis()).isEqualTo(8.965282, within(1e-9));
    // aten::mm less two of aten::resolve_conj
    Time product = operator(profile, "aten::mm");
    assertThat(product.totalMillis()).isEqualTo(8.443788, within(1e-9));
    assertThat(product.selfMillis()).isEqualTo(8.443788 - 0.003436 - 0.000111, within(1e-9));
    // aten::matmul less reshape, mm and _unsafe_view
    assertThat(operator(profile, "aten::matmul").selfMillis())
        .isEqualTo(8.473433 - 0.006773 - 8.443788 - 0.003577, within(1e-9));
    // a call in one of the same name
    Time linear = operator(profile, "linear");
    assertThat(linear.calls()).isEqualTo(2);
    assertThat(linear.totalMillis()).isEqualTo(8.965282, within(1e-9));
    assertThat(linear.selfMillis()).isEqualTo(8.965282 - 8.529048, within(1e-9));
    assertThat(profile.outsideMillis()).isEqualTo(12 - 8.965282 - 0.357558, within(1e-9));
  }

  @Test
  void selfTimesAreAllThatIsInsideOfAny() {
    OperatorProfile profile = OperatorProfile.read(Fixtures.path("profile/trace.json"), 12);
    double self = profile.operators().stream().mapToDouble(Time::selfMillis).sum();
    assertThat(self + profile.outsideMillis()).isEqualTo(12, within(1e-9));
    assertThat(profile.operators())
        .isSortedAccordingTo((a, b) -> Double.compare(b.selfMillis(), a.selfMillis()));
  }

  @Test
  void operatorsOfOneThreadAreNotInsideThoseOfAnother() throws IOException {
    Path trace =
        Files.writeString(
            folder.resolve("trace.json"),
            """
            [{"name": "a", "ph": "X", "ts": 0, "dur": 1000, "tid": 1},
             {"name": "b", "ph": "X", "ts": 0, "dur": 1000, "tid": 1},
             {"name": "c", "ph": "X", "ts": 200, "dur": 100, "tid": 2},
             {"name": "b", "ph": "X", "ts": 1000, "dur": 500, "tid": 1}]
            """);
    OperatorProfile profile = OperatorProfile.read(trace, 2);
    assertThat(profile.kernels())
        .containsExactly(
            new Time("a", 1, 1, 0), new Time("b", 1, 0.5, 0.5), new Time("c", 1, 0.1, 0.1));
    assertThat(operator(profile, "b")).isEqualTo(new Time("b", 2, 1.5, 1.5));
  }

  @Test
  void profileSeesTheKernelsOfThisThread() {
    try (NDManager owner = Torch.manager(Device.cpu())) {
      NDArray x = owner.ones(new Shape(4, 8));
      Kernels.tanh(x).close(); // TorchScript looks at it when it is first called
      Kernels.tanh(x).close();
      OperatorProfile profile =
          OperatorProfile.of(
              () -> {
                Kernels.tanh(x).close();
                Kernels.tanh(x).close();
              },
              folder.resolve("trace.json"));
      assertThat(profile.kernels()).extracting(Time::name, Time::calls).contains(tuple("tanh", 2));
      assertThat(operator(profile, "aten::tanh").calls()).isEqualTo(2);
      assertThat(profile.outsideMillis()).isPositive();
      assertThat(profile.toString()).contains("CALLED FROM JAVA", "OPERATOR", "outside any");
    }
  }
}
