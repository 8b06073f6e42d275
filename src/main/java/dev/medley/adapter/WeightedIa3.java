package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * One (IA)³ of several: l = Σ wᵢ·lᵢ on each module, over the members that have it. One that leaves
 * a module alone counts as l = 0 there and not as 1, as in PEFT: with weights that add up to 1, a
 * module that only some members change is scaled down.
 */
final class WeightedIa3 implements WeightedMethod {
  private final Set<String> feedForward = new TreeSet<>();

  @Override
  public void begin(Map<Module, List<Share>> modules) {
    modules.forEach(
        (module, shares) -> {
          List<Boolean> kinds = shares.stream().map(WeightedIa3::isFeedForward).distinct().toList();
          if (kinds.size() > 1) {
            throw new IllegalArgumentException(
                "add_weighted_adapter: "
                    + module.path()
                    + ": expected members that agree whether it is one of feedforward_modules, found "
                    + members(shares, true)
                    + " that name it and "
                    + members(shares, false)
                    + " that do not; one scales its input and the other its output");
          }
          if (kinds.get(0)) {
            feedForward.add(module.path());
          }
        });
  }

  private static boolean isFeedForward(Share share) {
    return share.linear() instanceof Ia3.FeedForward;
  }

  private static List<String> members(List<Share> shares, boolean areFeedForward) {
    return shares.stream()
        .filter(share -> isFeedForward(share) == areFeedForward)
        .map(share -> share.member().toString())
        .distinct()
        .toList();
  }

  @Override
  public Map<String, NDArray> combine(Module module, List<Share> shares, NDManager owner) {
    try (NDManager scratch = owner.newSubManager()) {
      NDArray sum = null;
      for (Share share : shares) {
        NDArray l = vector(share.linear());
        l = mine(scratch, Kernels.to(l, Precision.FLOAT32));
        l = mine(scratch, Kernels.scale(l, share.weight()));
        sum = sum == null ? l : mine(scratch, Kernels.add(sum, l));
      }
      long n = sum.getShape().get(0);
      NDArray l = isFeedForward(shares.get(0)) ? sum.reshape(1, n) : sum.reshape(n, 1);
      l.attach(owner);
      return Map.of("ia3_l", l);
    }
  }

  private static NDArray vector(LinearAdapter adapter) {
    return adapter instanceof Ia3.FeedForward input ? input.l() : ((Ia3) adapter).l();
  }

  private static NDArray mine(NDManager manager, NDArray array) {
    array.attach(manager);
    return array;
  }

  @Override
  public boolean isNothing(Map<String, NDArray> tensors) {
    return Kernels.isNear(tensors.get("ia3_l"), 1, 0);
  }

  @Override
  public void configure(ObjectNode json) {
    json.put("init_ia3_weights", true);
    ArrayNode names = json.putArray("feedforward_modules");
    feedForward.forEach(names::add);
  }
}
