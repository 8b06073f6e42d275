package dev.medley.engine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.engine.Validation.AdapterCheck;
import dev.medley.io.JsonObject;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Sha256;
import dev.medley.io.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A mixed set saved in a folder of its own, as {@code mixed_set.json}: which adapters in which
 * order and with which weights, the hashes of their files, and the base they were put together for.
 * Such a folder may stand wherever an adapter's may. PEFT has no such thing.
 *
 * @param base last part of the base's path, for people
 * @param fingerprint of the base, see {@link #fingerprint}
 * @param members innermost first
 */
public record SetManifest(String base, String fingerprint, List<Member> members) {
  /** The name of the file. */
  public static final String FILE = "mixed_set.json";

  private static final String FORMAT = "medley-mixed-set";
  private static final long VERSION = 1;
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  /**
   * One adapter of the set.
   *
   * @param source with the hash of its weights
   * @param configSha256 hash of {@code adapter_config.json}
   */
  public record Member(String name, double weight, AdapterSource source, String configSha256) {}

  /**
   * Describes a set of a spec's adapters; reads all of their files and the base's.
   *
   * @param expression as in an adapter column: {@code 0.7*math+polite}, or a named set
   * @throws LoadException where the members, or the base, cannot be used so
   */
  public static SetManifest of(Storage storage, EngineSpec spec, String expression) {
    List<String> problems = new ArrayList<>();
    EngineSpec whole = expand(spec, storage, problems);
    AdapterRef ref = AdapterRef.parse(List.of(expression)).expand(whole.namedSets());
    problems.addAll(problems(storage, whole, ref));
    if (!problems.isEmpty()) {
      throw new LoadException("set " + expression, problems);
    }
    List<Member> members = new ArrayList<>();
    for (AdapterRef.Member member : ref.members()) {
      AdapterSource source = whole.adapters().get(member.name());
      Location folder = source.location();
      String weights = source.hash(storage);
      String config = Sha256.of(storage.fetch(folder.resolve("adapter_config.json")));
      AdapterSource pinned = source.absolute().withSha256(weights);
      members.add(new Member(member.name(), member.weight(), pinned, config));
    }
    Location base = Location.of(spec.base());
    return new SetManifest(base.name(), fingerprint(storage, base), List.copyOf(members));
  }

  /** What keeps the members from being put together, and from being used at all. */
  private static List<String> problems(Storage storage, EngineSpec whole, AdapterRef ref) {
    Map<String, AdapterSource> adapters = new LinkedHashMap<>();
    String name = "set";
    for (AdapterRef.Member member : ref.members()) {
      AdapterSource source = whole.adapters().get(member.name());
      if (source == null) {
        return List.of("no adapter is named " + member.name());
      }
      adapters.put(member.name(), source);
      name = name.equals(member.name()) ? name + "'" : name;
    }
    List<String> elements = ref.members().stream().map(AdapterRef.Member::toString).toList();
    EngineSpec alone = whole.with(whole.base(), adapters).withSets(Map.of(name, elements));
    Validation validation = Validation.of(alone, storage);
    List<String> problems = new ArrayList<>(validation.problems());
    List<AdapterCheck> checks = validation.adapters();
    for (String problem :
        checks.stream().flatMap(check -> check.problems().stream()).distinct().toList()) {
      if (!problem.endsWith(AdapterChecks.NOWHERE)
          || checks.stream().allMatch(check -> check.problems().contains(problem))) {
        problems.add(problem);
      }
    }
    return problems;
  }

  /**
   * What a base is: the hash of the names and hashes of its {@code config.json} and weights.
   * Another split into files is another base.
   */
  public static String fingerprint(Storage storage, Location base) {
    return hashOf(
        storage,
        base,
        storage.list(base).stream()
            .filter(name -> name.equals("config.json") || name.endsWith(".safetensors")));
  }

  /** Of the hashes and names of some of a folder's files. */
  static String hashOf(Storage storage, Location folder, Stream<String> names) {
    StringBuilder files = new StringBuilder();
    names
        .distinct()
        .sorted()
        .forEach(
            name ->
                files
                    .append(Sha256.of(storage.fetch(folder.resolve(name))))
                    .append("  ")
                    .append(name)
                    .append('\n'));
    return Sha256.of(files.toString());
  }

  /** Whether a folder, or the path of the file itself, is a manifest's. */
  public static boolean isAt(Storage storage, Location folder) {
    return folder.name().equals(FILE)
        || !storage.exists(folder.resolve("adapter_config.json"))
            && storage.exists(folder.resolve(FILE));
  }

  /** Reads a folder's, or the file itself. Throws LoadException with every problem. */
  public static SetManifest read(Storage storage, Location folderOrFile) {
    Location folder = folderOrFile.name().equals(FILE) ? folderOrFile.parent() : folderOrFile;
    JsonObject json = JsonObject.read(storage, folder.resolve(FILE));
    if (!FORMAT.equals(json.string("format")) || json.integer("version", 0) != VERSION) {
      json.problem("format: expected " + FORMAT + ", version " + VERSION);
    }
    JsonObject base = json.object("base");
    List<Member> members = new ArrayList<>();
    JsonNode list = json.node("members");
    if (list == null || !list.isArray() || list.isEmpty()) {
      json.problem("members: expected at least one, found " + list);
    } else {
      for (JsonNode member : list) {
        members.add(
            member(
                folder,
                JsonObject.parse(
                    member.toString(), json.where() + " members[" + members.size() + "]")));
      }
    }
    String name = base == null ? null : base.string("name");
    String fingerprint = base == null ? null : base.string("fingerprint");
    if (base != null) {
      base.done();
    }
    json.done();
    return new SetManifest(name, fingerprint, List.copyOf(members));
  }

  private static Member member(Location folder, JsonObject json) {
    String path = json.string("path");
    String sha256 = json.string("sha256");
    String name = json.string("name");
    double weight = json.number("weight", 1);
    List<String> labels = json.strings("labels");
    String configSha256 = json.string("config_sha256");
    Member member = null;
    try {
      AdapterRef.checkName(name);
      boolean whole = path.startsWith("/") || path.contains(":/");
      String uri = whole ? path : path.equals(".") ? folder.uri() : folder.resolve(path).uri();
      if (!folder.isLocal() && Location.of(uri).isLocal()) {
        throw new IllegalArgumentException(
            "path: expected a place beside the set or a URI, since the set is not on this machine,"
                + " found "
                + path);
      }
      AdapterSource source = AdapterSource.of(uri, labels).withSha256(sha256);
      member = new Member(name, weight, source, configSha256);
    } catch (IllegalArgumentException e) {
      json.problem(e.getMessage());
    }
    json.done();
    return member;
  }

  /**
   * Writes the file, and the folder if there is none. A member below it is named by its place
   * there.
   */
  public void write(Path folder) {
    ObjectNode json = JSON.createObjectNode();
    json.put("format", FORMAT).put("version", VERSION);
    json.putObject("base").put("name", base).put("fingerprint", fingerprint);
    for (Member member : members) {
      ObjectNode entry = json.withArray("members").addObject();
      entry.put("name", member.name()).put("weight", member.weight());
      entry.put("path", path(folder, member.source().location()));
      entry.put("sha256", member.source().sha256()).put("config_sha256", member.configSha256());
      if (!member.source().labels().isEmpty()) {
        member.source().labels().forEach(entry.putArray("labels")::add);
      }
    }
    try {
      Files.createDirectories(folder);
      Path half = Files.createTempFile(folder, FILE, ".tmp");
      Files.writeString(half, JSON.writeValueAsString(json) + "\n");
      Files.move(half, folder.resolve(FILE), StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String path(Path folder, Location adapter) {
    Path own = folder.toAbsolutePath().normalize();
    if (!adapter.isLocal() || !adapter.path().startsWith(own)) {
      return adapter.toString(); // without the user of a URI, who may have a password
    }
    String relative = own.relativize(adapter.path()).toString();
    return relative.isEmpty() ? "." : relative;
  }

  /**
   * A spec with each manifest among its adapters replaced by its members, named {@code set/member},
   * and by a named set. What does not fit is added to the problems.
   */
  static EngineSpec expand(EngineSpec spec, Storage storage, List<String> problems) {
    Map<String, AdapterSource> adapters = new LinkedHashMap<>();
    Map<String, List<String>> sets = new LinkedHashMap<>(spec.sets());
    Map<String, AdapterSource> manifests = new LinkedHashMap<>();
    List<String> names = List.copyOf(spec.adapters().keySet());
    List<Boolean> saved =
        InParallel.map(names, name -> isSaved(storage, spec.adapters().get(name)));
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      (saved.get(i) ? manifests : adapters).put(name, spec.adapters().get(name));
    }
    if (manifests.isEmpty()) {
      return spec;
    }
    String fingerprint;
    try {
      fingerprint = fingerprint(storage, Location.of(spec.base()));
    } catch (LoadException e) {
      problems.add(e.getMessage());
      return spec.with(spec.base(), adapters);
    }
    manifests.forEach(
        (name, source) -> {
          List<String> found = new ArrayList<>();
          try {
            SetManifest manifest = read(storage, source.location());
            if (!fingerprint.equals(manifest.fingerprint)) {
              found.add(
                  "was put together for the base "
                      + manifest.base
                      + " with fingerprint "
                      + manifest.fingerprint
                      + ", found one with "
                      + fingerprint
                      + "; save it again over this base");
            }
            if (source.sha256() != null || !source.labels().isEmpty()) {
              found.add("sha256 and labels are an adapter's; a saved set has those of its members");
            }
            List<String> elements = manifest.enter(name, adapters, storage, found);
            if (sets.put(name, elements) != null) {
              found.add("another set has the same name");
            }
          } catch (LoadException e) {
            found.add(e.getMessage());
          }
          found.forEach(problem -> problems.add("set " + name + ": " + problem));
        });
    return spec.with(spec.base(), adapters).withSets(sets);
  }

  /** What cannot be reached counts as an adapter, of whose rows alone that is then an error. */
  private static boolean isSaved(Storage storage, AdapterSource source) {
    try {
      return source.configJson() == null && isAt(storage, source.location());
    } catch (LoadException e) {
      return false;
    }
  }

  /** Puts the members among adapters; returns what the set is made of. */
  private List<String> enter(
      String name, Map<String, AdapterSource> adapters, Storage storage, List<String> problems) {
    List<String> elements = new ArrayList<>();
    Map<String, Member> entered = new HashMap<>();
    for (Member member : members) {
      String full = name + "/" + member.name();
      elements.add(member.weight() == 1 ? full : member.weight() + "*" + full);
      Member other = entered.putIfAbsent(full, member);
      boolean again = other != null && other.source().equals(member.source());
      if (other == null ? adapters.put(full, member.source()) != null : !again) {
        problems.add("another adapter is named " + full);
      }
      Location config = member.source().location().resolve("adapter_config.json");
      String found = Sha256.of(storage.fetch(config));
      if (!found.equals(member.configSha256())) {
        problems.add(
            config
                + ": config_sha256: expected "
                + member.configSha256()
                + ", found "
                + found
                + "; the file has changed since the set was saved");
      }
    }
    return elements;
  }
}
