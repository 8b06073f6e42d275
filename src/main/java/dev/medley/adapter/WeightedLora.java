package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.Combination.MajoritySign;
import dev.medley.adapter.Combination.Prune;
import dev.medley.adapter.Combination.Type;
import dev.medley.adapter.MixedSet.Member;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import dev.medley.tensor.TorchRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;

/**
 * One LoRA of several: of the rank r' that the type gives and of scaling 1 (lora_alpha = r').
 * Factors of fewer ranks are filled up with zeros.
 */
final class WeightedLora implements WeightedMethod {
  private final WeightedMembers members;
  private final Combination how;
  private final TorchRandom random;
  private final long rank;

  /**
   * One member's share of a module.
   *
   * @param a [r, in]
   * @param b [out, r]
   */
  private record Factors(NDArray a, NDArray b, double s, double weight) {}

  WeightedLora(WeightedMembers members, Combination how) {
    if (members.list().size() > 1) {
      how.check();
    }
    this.members = members;
    this.how = members.list().size() == 1 ? how.alone() : how;
    this.random = new TorchRandom(how.seed());
    this.rank = rank();
  }

  private long rank() {
    long[] ranks =
        members.list().stream()
            .map(member -> (Lora.Config) member.adapter().config().method())
            .mapToLong(lora -> lora.ranks().largest(lora.r()))
            .toArray();
    if (how.type() == Type.CAT) {
      return LongStream.of(ranks).sum();
    }
    if (how.type().svd) {
      return how.svdRank() == null ? LongStream.of(ranks).max().getAsLong() : how.svdRank();
    }
    if (LongStream.of(ranks).distinct().count() > 1) {
      throw new IllegalArgumentException(
          "add_weighted_adapter: "
              + how.type()
              + " needs members of one rank, found "
              + Arrays.toString(ranks)
              + " for "
              + members.list().stream().map(Member::adapter).toList()
              + "; cat and the svd types take any");
    }
    return ranks[0];
  }

  /**
   * Leaves out what PEFT draws for the new adapter's first values, before it overwrites them: with
   * the init_lora_weights of the first member, which is the new adapter's there.
   */
  @Override
  public void begin(Map<Module, List<Share>> modules) {
    LoraInit init = LoraInit.of(members.first().json());
    modules.forEach(
        (module, shares) -> {
          Share like = shares.get(0);
          if (like.table() instanceof Lora.Table table) {
            init.skipTable(random, rank, table.at().getShape().get(0), table.b().getShape().get(0));
          } else {
            Lora lora = (Lora) like.linear();
            init.skipLinear(random, rank, lora.a().getShape().get(1), lora.b().getShape().get(0));
          }
        });
  }

  private static List<Factors> factors(List<Share> shares, NDManager scratch) {
    List<Factors> factors = new ArrayList<>();
    for (Share share : shares) {
      if (share.table() instanceof Lora.Table table) {
        NDArray a = inFloat32(mine(scratch, Kernels.transpose(table.at())), scratch);
        factors.add(new Factors(a, inFloat32(table.b(), scratch), table.s(), share.weight()));
      } else {
        Lora lora = (Lora) share.linear();
        NDArray a = inFloat32(lora.a(), scratch);
        factors.add(new Factors(a, inFloat32(lora.b(), scratch), lora.s(), share.weight()));
      }
    }
    return factors;
  }

  @Override
  public Map<String, NDArray> combine(Module module, List<Share> shares, NDManager owner) {
    boolean isTable = module.kind() == Kind.EMBEDDING;
    NDArray a;
    NDArray b;
    try (NDManager scratch = owner.newSubManager()) {
      List<Factors> factors = factors(shares, scratch);
      if (how.type() == Type.CAT) {
        a = mine(scratch, Kernels.concat(scaled(factors, scratch)));
        b =
            mine(
                scratch,
                Kernels.transpose(mine(scratch, Kernels.concat(columns(factors, scratch)))));
      } else if (how.type().svd) {
        boolean isTurned = isTable || module.kind() == Kind.CONV1D;
        NDArray delta = delta(factors, isTurned, scratch); // [out, in]
        members.checkFinite(module.path(), delta); // no SVD of others
        long kept = Math.min(rank, Math.min(delta.getShape().get(0), delta.getShape().get(1)));
        a = mine(scratch, Kernels.largest(delta, kept)); // [kept, in]
        b = mine(scratch, Kernels.linear(delta, a, null)); // [out, kept]
        if (how.svdClamp() != null) {
          NDArray free = b;
          b = mine(scratch, Kernels.clampToQuantile(free, a, how.svdClamp()));
          a = mine(scratch, Kernels.clampToQuantile(a, free, how.svdClamp()));
        }
      } else {
        checkRanks(module, factors);
        double[] weights = factors.stream().mapToDouble(f -> f.weight * f.s).toArray();
        float[] ofA = new float[weights.length];
        float[] ofB = new float[weights.length];
        for (int i = 0; i < weights.length; i++) {
          ofB[i] = (float) Math.sqrt(Math.abs(weights[i]));
          ofA[i] = weights[i] >= 0 ? ofB[i] : -ofB[i];
        }
        a = merged(factors.stream().map(Factors::a).toList(), ofA, scratch);
        b = merged(factors.stream().map(Factors::b).toList(), ofB, scratch);
      }
      String start = isTable ? "lora_embedding_" : "lora_";
      String end = isTable ? "" : ".weight";
      a = filledUp(a, scratch);
      a.attach(owner);
      NDArray bt = filledUp(mine(scratch, Kernels.transpose(b)), scratch);
      b = mine(owner, Kernels.transpose(bt));
      return Map.of(start + "A" + end, a, start + "B" + end, b);
    }
  }

  private void checkRanks(Module module, List<Factors> factors) {
    long[] ranks = factors.stream().mapToLong(f -> f.a.getShape().get(0)).toArray();
    if (LongStream.of(ranks).distinct().count() > 1) {
      throw new IllegalArgumentException(
          "add_weighted_adapter: "
              + how.type()
              + " needs members of one rank, found "
              + Arrays.toString(ranks)
              + " at "
              + module.path()
              + " by their rank_pattern; cat and the svd types take any");
    }
  }

  private static List<NDArray> scaled(List<Factors> factors, NDManager scratch) {
    return factors.stream().map(f -> mine(scratch, Kernels.scale(f.a, f.weight * f.s))).toList();
  }

  private static List<NDArray> columns(List<Factors> factors, NDManager scratch) {
    return factors.stream().map(f -> mine(scratch, Kernels.transpose(f.b))).toList();
  }

  /** Of the members' ΔW. A table's and a Conv1D's is [in, out] where PEFT prunes it. */
  private NDArray delta(List<Factors> factors, boolean isTurned, NDManager scratch) {
    List<NDArray> deltas = new ArrayList<>();
    float[] weights = new float[factors.size()];
    for (Factors f : factors) {
      weights[deltas.size()] = (float) f.weight;
      NDArray product = mine(scratch, Kernels.product(f.b, f.a)); // [out, in]
      NDArray delta = mine(scratch, Kernels.scale(product, f.s));
      deltas.add(isTurned ? mine(scratch, Kernels.transpose(delta)) : delta);
    }
    NDArray merged = merged(deltas, weights, scratch);
    return isTurned ? mine(scratch, Kernels.transpose(merged)) : merged;
  }

  /** Task arithmetic, TIES, DARE: what PEFT's {@code merge_utils} make of matrices of one shape. */
  private NDArray merged(List<NDArray> parts, float[] weights, NDManager scratch) {
    List<NDArray> pruned = parts.stream().map(part -> pruned(part, scratch)).toList();
    NDArray factors = scratch.create(weights);
    return mine(
        scratch,
        how.type().elects
            ? Kernels.electedSum(pruned, factors, how.majoritySign() == MajoritySign.FREQUENCY)
            : Kernels.weightedSum(pruned, factors));
  }

  private NDArray pruned(NDArray x, NDManager scratch) {
    if (how.type().prune == Prune.NONE || how.density() >= 1) {
      return x;
    }
    long n = x.getShape().size();
    if (how.type().prune == Prune.MAGNITUDE) {
      return mine(scratch, Kernels.keepLargest(x, (long) (how.density() * n)));
    }
    float[] drawn = random.bernoulli(how.density(), Math.toIntExact(n));
    NDArray mask = scratch.create(drawn, x.getShape());
    return mine(scratch, Kernels.keepMasked(x, mask, how.density()));
  }

  /** With rows of zeros up to the rank. [r, n] → [rank, n] */
  private NDArray filledUp(NDArray x, NDManager scratch) {
    long missing = rank - x.getShape().get(0);
    if (missing == 0) {
      return mine(scratch, Kernels.scale(x, 1));
    }
    NDArray zeros = scratch.zeros(new Shape(missing, x.getShape().get(1)));
    return mine(scratch, Kernels.concat(List.of(x, zeros)));
  }

  private static NDArray inFloat32(NDArray array, NDManager owner) {
    return mine(owner, Kernels.to(array, Precision.FLOAT32));
  }

  private static NDArray mine(NDManager manager, NDArray array) {
    array.attach(manager);
    return array;
  }

  @Override
  public boolean isNothing(Map<String, NDArray> tensors) {
    return tensors.values().stream().anyMatch(Kernels::isZero);
  }

  @Override
  public void configure(ObjectNode json) {
    json.put("r", rank).put("lora_alpha", rank).put("use_rslora", false);
    json.put("init_lora_weights", true);
    json.putObject("rank_pattern");
    json.putObject("alpha_pattern");
    json.putNull("layers_to_transform").putNull("layers_pattern");
    json.put("ensure_weight_tying", false); // what it adds to a config is said in full
  }
}
