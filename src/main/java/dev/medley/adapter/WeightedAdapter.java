package dev.medley.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.adapter.BaseModules.Kind;
import dev.medley.adapter.BaseModules.Module;
import dev.medley.adapter.Combination.Type;
import dev.medley.adapter.MixedSet.Member;
import dev.medley.adapter.WeightedMethod.Share;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.StoredType;
import dev.medley.tensor.Kernels;
import dev.medley.tensor.Precision;
import dev.medley.tensor.TensorWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.LongStream;

/**
 * One LoRA or (IA)³ made of several, by PEFT's {@code add_weighted_adapter}: in float32, on every
 * module that a member changes, whether the task runs it or not.
 *
 * <p>It differs from PEFT where PEFT loses something: {@code use_rslora} is not taken over from the
 * first member, which scales the result by √r'; a head that one member brings comes along, where
 * PEFT puts the base's in its place, and so does the change of a head that {@code
 * ensure_weight_tying} asks for; and each module is named, so that {@code layers_to_transform} and
 * {@code exclude_modules} of the first member take nothing from the others.
 */
public final class WeightedAdapter {
  private static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
          .build();

  private final WeightedMembers members;
  private final WeightedMethod method;
  private final BaseModules base;
  private final String root;
  private final NDManager owner;
  private final Map<String, NDArray> tensors = new TreeMap<>();
  private final Set<String> targets = new TreeSet<>();

  private WeightedAdapter(
      WeightedMembers members,
      WeightedMethod method,
      BaseModules base,
      String root,
      NDManager owner) {
    this.members = members;
    this.method = method;
    this.base = base;
    this.root = root;
    this.owner = owner;
    Map<Module, List<Share>> all = new LinkedHashMap<>();
    for (Module module : modules()) {
      List<Share> shares = shares(module);
      if (!shares.isEmpty()) {
        all.put(module, shares);
        targets.add(module.path());
      }
    }
    method.begin(all);
    boolean isNothing = true;
    for (var entry : all.entrySet()) {
      Module module = entry.getKey();
      Map<String, NDArray> made = method.combine(module, entry.getValue(), owner);
      isNothing &= !module.place().isRun() || method.isNothing(made);
      made.forEach((name, array) -> put(module.parameter(name), array));
    }
    for (Member member : members.list()) {
      Map<String, NDArray> brought = member.adapter().parts().parameters();
      isNothing &= brought.isEmpty();
      brought.forEach((name, array) -> put(name, inFloat32(asStored(name, array))));
      members
          .idle(member.adapter())
          .parameters()
          .forEach((name, array) -> put(name, inFloat32(array)));
    }
    if (isNothing) {
      throw new IllegalArgumentException(
          "add_weighted_adapter: "
              + members
              + " would change nothing that this task runs: every module comes out as the base's;"
              + " choose other weights, or another density or svd_clamp");
    }
  }

  /**
   * Makes it.
   *
   * @param members of one type, LORA or IA3, each with its weight, of any sign
   * @param idle of members that have tensors for modules which the task does not run
   * @param how null for what the type's {@code add_weighted_adapter} does by default; IA3's takes
   *     no arguments
   * @param hasHead whether the members were trained on a model with a head, and so how PEFT names
   *     their modules
   * @param owner of the arrays made
   * @throws IllegalArgumentException where a member cannot be combined, with every reason, and
   *     where the result is zero or not finite
   */
  public static WeightedAdapter of(
      List<Member> members,
      Map<Adapter, IdleModules> idle,
      Combination how,
      BaseModules base,
      boolean hasHead,
      NDManager owner) {
    WeightedMembers checked = new WeightedMembers(members, idle);
    checked.check();
    String root = "base_model.model." + (hasHead ? base.prefix() + "." : "");
    return new WeightedAdapter(checked, method(checked, how), base, root, owner);
  }

  private static WeightedMethod method(WeightedMembers members, Combination how) {
    if (members.first().type() == AdapterType.LORA) {
      return new WeightedLora(members, how == null ? Combination.of(Type.SVD) : how);
    }
    if (how != null) {
      throw new IllegalArgumentException(
          "combination_type: expected none for IA3, whose vectors are added up, got " + how.type());
    }
    return new WeightedIa3();
  }

  /** In the order in which PEFT meets them. */
  private List<Module> modules() {
    List<Module> modules = new ArrayList<>(base.all());
    Set<String> unknown = new TreeSet<>();
    members
        .list()
        .forEach(member -> unknown.addAll(members.idle(member.adapter()).linears().keySet()));
    modules.forEach(module -> unknown.remove(module.path()));
    unknown.forEach(path -> modules.add(IdleModules.unknown(path)));
    return modules;
  }

  private List<Share> shares(Module module) {
    List<Share> shares = new ArrayList<>();
    for (Member member : members.list()) {
      Adapter adapter = member.adapter();
      LinearAdapter linear = adapter.parts().linears().get(module.path());
      if (linear == null) {
        linear = members.idle(adapter).linears().get(module.path());
      }
      EmbeddingAdapter table = adapter.parts().embeddings().get(module.path());
      if (linear != null || table != null) {
        shares.add(new Share(adapter, member.weight(), linear, table));
      }
    }
    return shares;
  }

  private void put(String name, NDArray array) {
    members.checkFinite(name, array);
    tensors.put(key(name), array);
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
  private String key(String name) {
    boolean inHead =
        base.all().stream()
            .filter(module -> module.place().isHead())
            .anyMatch(module -> name.startsWith(module.path().split("\\.")[0] + "."));
    return (inHead ? "base_model.model." : root) + name;
  }

  /** PEFT's names and tensors, float32. */
  public Map<String, NDArray> tensors() {
    return tensors;
  }

  /** {@code adapter_config.json}: the first member's, with what the result has of its own. */
  public String config() {
    try {
      ObjectNode json = (ObjectNode) MAPPER.readTree(members.first().json());
      method.configure(json);
      json.put("inference_mode", true).putNull("exclude_modules");
      ArrayNode names = json.putArray("target_modules");
      targets.forEach(names::add);
      json.putNull("modules_to_save");
      for (Member member : members.list()) {
        AdapterConfig config = member.adapter().config();
        if (!members.saved(member.adapter()).isEmpty()) {
          if (!json.path("modules_to_save").isArray()) {
            json.putArray("modules_to_save");
          }
          ArrayNode saved = (ArrayNode) json.get("modules_to_save");
          config.modulesToSave().forEach(saved::add);
          if (config.method().ensuresWeightTying()) {
            members.saved(member.adapter()).forEach(saved::add);
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
