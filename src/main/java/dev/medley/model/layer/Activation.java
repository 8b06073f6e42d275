package dev.medley.model.layer;

import ai.djl.ndarray.NDArray;
import dev.medley.io.JsonObject;
import dev.medley.tensor.Kernels;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/** HF's {@code hidden_act} functions, each with the names that configs use. */
public enum Activation {
  GELU(Kernels::geluInto, "gelu", "gelu_python"),
  GELU_TANH(Kernels::geluTanhInto, "gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh"),
  RELU(Kernels::reluInto, "relu"),
  SILU(Kernels::siluInto, "silu", "swish");

  private final Consumer<NDArray> function;
  private final List<String> names;

  Activation(Consumer<NDArray> function, String... names) {
    this.function = function;
    this.names = List.of(names);
  }

  /** x, with each of its elements overwritten. */
  public NDArray into(NDArray x) {
    function.accept(x);
    return x;
  }

  /** Reads the name under {@code key}. */
  public static Activation parse(JsonObject config, String key) {
    return parse(config, key, "gelu");
  }

  /** The same with another default. */
  public static Activation parse(JsonObject config, String key, String orElse) {
    String name = config.string(key, orElse);
    for (Activation activation : values()) {
      if (activation.names.contains(name)) {
        return activation;
      }
    }
    List<String> known = Arrays.stream(values()).flatMap(a -> a.names.stream()).toList();
    config.problem(key + ": expected one of " + known + ", found " + name);
    return GELU;
  }
}
