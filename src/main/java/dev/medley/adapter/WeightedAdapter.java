package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.adapter.AdapterConfig.Bias;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.Combination.MajoritySign;
import dev.medley.adapter.Combination.Prune;
import dev.medley.adapter.Combination.Type;
import dev.medley.adapter.MixedSet.Member;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.StoredType;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import dev.medley.tensor.TensorWriter;
import dev.medley.tensor.TorchRandom;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.LongStream;

/**
 * One LoRA made of several, by PEFT's {@code add_weighted_adapter}: of the rank r' that the type
 * gives and of scaling 1 (lora_alpha = r'), in float32, on every module that a member changes.
 * Factors of fewer ranks are filled up with zeros.
 *
 * <p>It differs from PEFT where PEFT loses something: {@code use_rslora} is not taken over from the
 * first member, which scales the result by √r'; a head that one member brings comes along, where
 * PEFT puts the base's in its place; and each module is named, so that {@code layers_to_transform}
 * and {@code exclude_modules} of the first member take nothing from the others.
 */
public final class WeightedAdapter {
  private static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
          .build();

  private final List<Member> members;
  private final Combination how;
  private final BaseModules base;
  private final NDManager owner;
  private final TorchRandom random;
  private final long rank;
  private final Map<String, NDArray> tensors = new TreeMap<>();
  private final Set<String> targets = new TreeSet<>();

  /**
   * One member's share of a module.
   *
   * @param a [r, in]
   * @param b [out, r]
   */
  private record Factors(NDArray a, NDArray b, double s, double weight) {}

  private WeightedAdapter(
      List<Member> members, Combination how, BaseModules base, String root, NDManager owner) {
    this.members = members;
    this.how = how;
    this.base = base;
    this.owner = owner;
    this.random = new TorchRandom(how.seed());
    this.rank = rank();
    Map<Module, List<Factors>> all = new LinkedHashMap<>();
    for (Module module : base.all()) {
      List<Factors> factors = factors(module);
      if (!factors.isEmpty()) {
        all.put(module, factors);
        targets.add(module.path());
      }
    }
    all.forEach((module, factors) -> skipDrawnByPeft(module, factors.get(0)));
    all.forEach((module, factors) -> combine(module, factors, root));
    for (Member member : members) {
      member
          .adapter()
          .parts()
          .parameters()
          .forEach((name, array) -> tensors.put(key(root, name), inFloat32(asStored(name, array))));
    }
  }

  /**
   * Makes it.
   *
   * @param members each with its weight, of any sign
   * @param hasHead whether the members were trained on a model with a head, and so how PEFT names
   *     their modules
   * @param owner of the arrays made
   * @throws IllegalArgumentException where a member cannot be combined, with every reason
   */
  public static WeightedAdapter of(
      List<Member> members, Combination how, BaseModules base, boolean hasHead, NDManager owner) {
    if (members.isEmpty()) {
      throw new IllegalArgumentException("adapters: expected at least one, found none");
    }
    Combination used = members.size() == 1 ? how.alone() : how;
    if (members.size() > 1) {
      how.check();
    }
    List<String> problems = new ArrayList<>();
    for (Member member : members) {
      check(member, problems);
    }
    for (int i = 0; i < members.size(); i++) {
      for (int j = 0; j < i; j++) {
        checkHeads(members.get(j).adapter(), members.get(i).adapter(), problems);
      }
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "add_weighted_adapter: " + String.join("\n  ", new LinkedHashSet<>(problems)));
    }
    String root = "base_model.model." + (hasHead ? base.prefix() + "." : "");
    return new WeightedAdapter(members, used, base, root, owner);
  }

  private static void check(Member member, List<String> problems) {
    Adapter adapter = member.adapter();
    if (!Double.isFinite(member.weight())) {
      problems.add(adapter + ": expected a finite weight, got " + member.weight());
    }
    if (!(adapter.config().method() instanceof Lora.Config lora)) {
      problems.add(
          adapter + ": expected LORA, found " + adapter.config().type() + ", which has no factors");
      return;
    }
    if (lora.dora()) {
      problems.add(adapter + ": use_dora: its magnitudes are of its own change and not additive");
    }
    if (lora.correction() != BaseCorrection.NONE) {
      problems.add(
          adapter
              + ": "
              + lora.correction()
              + " also changes the base's weights, which the result could not do");
    }
    if (lora.bias()) {
      problems.add(adapter + ": lora_bias: PEFT leaves it out of the result");
    }
    if (!lora.trainableTokens().isEmpty()) {
      problems.add(
          adapter + ": trainable_token_indices: rows in place of the base's have no factors");
    }
    Adapter.Parts parts = adapter.parts();
    boolean replaces =
        parts.parameters().keySet().stream()
            .anyMatch(name -> !adapter.report().saved().contains(module(name)));
    if (adapter.config().bias() != Bias.NONE || replaces) {
      problems.add(
          adapter
              + ": replaces biases or embeddings of the base outside of modules_to_save; PEFT, too,"
              + " has no place for them in the result");
    }
  }

  private static void checkHeads(Adapter one, Adapter other, List<String> problems) {
    if (one == other) {
      return;
    }
    Set<String> both = new TreeSet<>(one.report().saved());
    both.retainAll(other.report().saved());
    for (String path : both) {
      problems.add(
          path
              + ": both "
              + one
              + " and "
              + other
              + " bring it in modules_to_save, and PEFT combines no such modules");
    }
  }

  private static String module(String parameter) {
    return parameter.substring(0, parameter.lastIndexOf('.'));
  }

  private long rank() {
    long[] ranks =
        members.stream()
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
              + members.stream().map(Member::adapter).toList()
              + "; cat and the svd types take any");
    }
    return ranks[0];
  }

  private List<Factors> factors(Module module) {
    List<Factors> factors = new ArrayList<>();
    for (Member member : members) {
      Adapter.Parts parts = member.adapter().parts();
      if (module.kind() == Kind.EMBEDDING
          && parts.embeddings().get(module.path()) instanceof Lora.Table table) {
        NDArray a = inFloat32(mine(owner, Kernels.transpose(table.at())));
        factors.add(new Factors(a, inFloat32(table.b()), table.s(), member.weight()));
      } else if (parts.linears().get(module.path()) instanceof Lora lora) {
        factors.add(
            new Factors(inFloat32(lora.a()), inFloat32(lora.b()), lora.s(), member.weight()));
      }
    }
    return factors;
  }

  /** Leaves out what PEFT draws for the new adapter's first values, before it overwrites them. */
  private void skipDrawnByPeft(Module module, Factors like) {
    long a = rank * like.a.getShape().get(1);
    long b = rank * like.b.getShape().get(0);
    if (module.kind() == Kind.EMBEDDING) {
      random.skipNormal(a);
      random.skipNormal(b);
      random.skipNormal(b);
    } else {
      random.skipUniform(2 * a + b);
    }
  }

  private void combine(Module module, List<Factors> factors, String root) {
    boolean isTable = module.kind() == Kind.EMBEDDING;
    NDArray a;
    NDArray b;
    try (NDManager scratch = owner.newSubManager()) {
      if (how.type() == Type.CAT) {
        a = mine(scratch, Kernels.concat(scaled(factors, scratch)));
        b =
            mine(
                scratch,
                Kernels.transpose(mine(scratch, Kernels.concat(columns(factors, scratch)))));
      } else if (how.type().svd) {
        NDArray delta = delta(factors, isTable, scratch); // [out, in]
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
      String path = module.path() + (isTable ? ".lora_embedding_" : ".lora_");
      String end = isTable ? "" : ".weight";
      tensors.put(key(root, path + "A" + end), filledUp(a, scratch));
      NDArray bt = filledUp(mine(scratch, Kernels.transpose(b)), scratch);
      try (bt) {
        tensors.put(key(root, path + "B" + end), mine(owner, Kernels.transpose(bt)));
      }
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

  /** Of the members' ΔW, as PEFT lays them out: tables [v, d]. */
  private NDArray delta(List<Factors> factors, boolean isTable, NDManager scratch) {
    List<NDArray> deltas = new ArrayList<>();
    float[] weights = new float[factors.size()];
    for (Factors f : factors) {
      weights[deltas.size()] = (float) f.weight;
      NDArray product = mine(scratch, Kernels.product(f.b, f.a)); // [out, in]
      NDArray delta = mine(scratch, Kernels.scale(product, f.s));
      deltas.add(isTable ? mine(scratch, Kernels.transpose(delta)) : delta);
    }
    NDArray merged = merged(deltas, weights, scratch);
    return isTable ? mine(scratch, Kernels.transpose(merged)) : merged;
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
      return mine(owner, Kernels.scale(x, 1));
    }
    NDArray zeros = scratch.zeros(new Shape(missing, x.getShape().get(1)));
    return mine(owner, Kernels.concat(List.of(x, zeros)));
  }

  /** A Conv1D's weight is [in, out] in a file. */
  private NDArray asStored(String parameter, NDArray array) {
    boolean isTurned =
        base.all().stream()
            .anyMatch(m -> m.kind() == Kind.CONV1D && parameter.equals(m.parameter("weight")));
    return isTurned ? mine(owner, Kernels.transpose(array)) : array;
  }

  private NDArray inFloat32(NDArray array) {
    return mine(owner, Kernels.to(array, Precision.FLOAT32));
  }

  private static NDArray mine(NDManager manager, NDArray array) {
    array.attach(manager);
    return array;
  }

  /** PEFT's name in the file: modules of the head stand beside the base model. */
  private String key(String root, String name) {
    boolean inHead =
        base.all().stream().anyMatch(m -> m.place().isHead() && name.startsWith(m.path() + "."));
    return (inHead ? "base_model.model." : root) + name;
  }

  /** PEFT's names and tensors, float32. */
  public Map<String, NDArray> tensors() {
    return tensors;
  }

  /** r', which is lora_alpha, too. */
  public long r() {
    return rank;
  }

  /** {@code adapter_config.json}: the first member's, with what the result has of its own. */
  public String config() {
    try {
      ObjectNode json = (ObjectNode) MAPPER.readTree(members.get(0).adapter().config().json());
      json.put("r", rank).put("lora_alpha", rank).put("use_rslora", false);
      json.put("init_lora_weights", true).put("inference_mode", true);
      json.putObject("rank_pattern");
      json.putObject("alpha_pattern");
      json.putNull("layers_to_transform").putNull("layers_pattern").putNull("exclude_modules");
      ArrayNode names = json.putArray("target_modules");
      targets.forEach(names::add);
      json.putNull("modules_to_save");
      json.put("ensure_weight_tying", false); // what it adds to a config is said below
      for (Member member : members) {
        AdapterConfig config = member.adapter().config();
        if (!member.adapter().report().saved().isEmpty()) {
          if (!json.path("modules_to_save").isArray()) {
            json.putArray("modules_to_save");
          }
          ArrayNode saved = (ArrayNode) json.get("modules_to_save");
          config.modulesToSave().forEach(saved::add);
          if (config.method().ensuresWeightTying()) {
            member.adapter().report().saved().forEach(saved::add);
          }
          if (!config.taskType().isEmpty()) {
            json.put("task_type", config.taskType());
          }
        }
      }
      return MAPPER.writeValueAsString(MAPPER.treeToValue(json, TreeMap.class)) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("the first member's config was read before", e);
    }
  }

  /** Writes {@code adapter_config.json} and {@code adapter_model.safetensors}. */
  public void write(Path folder) throws IOException {
    List<SafetensorsWriter.Tensor> file = new ArrayList<>();
    tensors.forEach(
        (key, array) ->
            file.add(
                new SafetensorsWriter.Tensor(
                    key,
                    StoredType.F32,
                    LongStream.of(array.getShape().getShape()).boxed().toList(),
                    out -> TensorWriter.write(array, StoredType.F32, out))));
    SafetensorsWriter.write(
        folder.resolve("adapter_model.safetensors"), Map.of("format", "pt"), file);
    Files.writeString(folder.resolve("adapter_config.json"), config());
  }
}
