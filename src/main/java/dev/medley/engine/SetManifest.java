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
   * @param labelsSha256 hash of the {@code config.json} beside it, which names its labels; null for
   *     none there
   */
  public record Member(
      String name, double weight, AdapterSource source, String configSha256, String labelsSha256) {

    /**
     * Its files as they are now; reads all of them.
     *
     * @throws LoadException where it is no adapter, or a file is missing
     */
    public List<PinnedFile> files(Storage storage) {
      List<PinnedFile> files = new ArrayList<>(smallFiles(storage));
      Location weights = source.hashed(storage);
      files.add(new PinnedFile(weights, "sha256", source.sha256(), source.hash(storage)));
      return files;
    }

    List<PinnedFile> smallFiles(Storage storage) {
      Location folder = source.location();
      Location config = folder.resolve("adapter_config.json");
      if (!storage.exists(config) && isAt(storage, folder)) {
        throw new LoadException(
            folder.toString(),
            "expected an adapter, found a saved set ("
                + FILE
                + "); put the members of that set in its place");
      }
      Location labels = folder.resolve("config.json");
      String found = storage.fetchIfExists(labels).map(Sha256::of).orElse(null);
      return List.of(
          new PinnedFile(config, "config_sha256", configSha256, Sha256.of(storage.fetch(config))),
          new PinnedFile(labels, "labels_sha256", labelsSha256, found));
    }
  }

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
      String labels =
          storage.fetchIfExists(folder.resolve("config.json")).map(Sha256::of).orElse(null);
      AdapterSource pinned = source.absolute().withSha256(weights);
      members.add(new Member(member.name(), member.weight(), pinned, config, labels));
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
      try {
        checkName(member.name());
      } catch (IllegalArgumentException e) {
        return List.of(e.getMessage());
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
    String format = json.string("format", "none");
    long version = json.integer("version", 0);
    if (!FORMAT.equals(format) || version != VERSION) {
      json.problem(
          "format: expected "
              + FORMAT
              + ", version "
              + VERSION
              + ", found "
              + format
              + ", version "
              + version);
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
    json.refuseNulls();
    String path = json.string("path");
    String sha256 = json.string("sha256");
    String name = json.string("name");
    double weight = json.number("weight", 1);
    List<String> labels = json.strings("labels");
    String configSha256 = json.string("config_sha256");
    String labelsSha256 = json.has("labels_sha256") ? json.string("labels_sha256") : null;
    Member member = null;
    try {
      checkName(name);
      AdapterRef.checked(weight, weight + "*" + name);
      boolean whole = path.startsWith("/") || path.contains(":/");
      String uri = whole ? path : path.equals(".") ? folder.uri() : folder.resolve(path).uri();
      if (!folder.isLocal() && Location.of(uri).isLocal()) {
        throw new IllegalArgumentException(
            "path: expected a place beside the set or a URI, since the set is not on this machine,"
                + " found "
                + path);
      }
      AdapterSource source = AdapterSource.of(uri, labels).withSha256(sha256);
      member = new Member(name, weight, source, configSha256, labelsSha256);
    } catch (IllegalArgumentException e) {
      json.problem(e.getMessage());
    }
    json.done();
    return member;
  }

  /** It becomes a part of the adapter's name, and of the path where that is saved. */
  private static void checkName(String name) {
    AdapterRef.checkName(name);
    try {
      Location.of("/").resolve(name);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "name: expected one that may name a folder, found " + name, e);
    }
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
      if (member.labelsSha256() != null) {
        entry.put("labels_sha256", member.labelsSha256());
      }
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
            if (!source.labels().isEmpty()) {
              found.add("labels: a saved set has those of its members; leave them out");
            }
            if (source.sha256() != null && !storage.isArchive(source.location())) {
              found.add(
                  "sha256: expected one of an archive alone, since a saved set has those of its"
                      + " members; leave it out");
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

  /**
   * What cannot be reached counts as an adapter, of whose rows alone that is then an error; so does
   * an archive of another hash, into which nobody looks.
   */
  private static boolean isSaved(Storage storage, AdapterSource source) {
    try {
      if (source.configJson() == null && storage.isArchive(source.location())) {
        source.verify(storage);
      }
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
      member.smallFiles(storage).stream()
          .filter(PinnedFile::hasChanged)
          .forEach(file -> problems.add(file.problem()));
    }
    return elements;
  }
}
