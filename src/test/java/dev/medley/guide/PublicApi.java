package dev.medley.guide;

import dev.medley.engine.Engine;
import dev.medley.engine.FeatureExtraction;
import dev.medley.engine.PeftModel;
import dev.medley.engine.Prediction;
import dev.medley.engine.RowException;
import dev.medley.engine.TextClassification;
import dev.medley.engine.TextGeneration;
import dev.medley.engine.TextScoring;
import dev.medley.engine.TokenClassification;
import dev.medley.engine.UnfitAdapterException;
import dev.medley.engine.Validation;
import dev.medley.spark.MedleyExtensions;
import dev.medley.spark.MedleyFunctions;
import dev.medley.spark.MedleyModels;
import dev.medley.spark.MedleyPlugin;
import dev.medley.spark.ScoringResources;
import dev.medley.spark.TextClassifier;
import dev.medley.spark.TextEmbedder;
import dev.medley.spark.TextGenerator;
import dev.medley.spark.TextScorer;
import dev.medley.spark.TokenClassifier;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What programs call: the types that the guide begins with, those that their signatures name, and
 * so on. A type is a line, and so is each of its members that others can see.
 */
final class PublicApi {
  /** What the guide's pages begin with; all else follows from their signatures. */
  private static final List<Class<?>> ENTRIES =
      List.of(
          Engine.class,
          PeftModel.class,
          Validation.class,
          FeatureExtraction.class,
          TextClassification.class,
          TokenClassification.class,
          TextGeneration.class,
          TextScoring.class,
          Prediction.class,
          TextEmbedder.class,
          TextClassifier.class,
          TokenClassifier.class,
          TextGenerator.class,
          TextScorer.class,
          MedleyFunctions.class,
          MedleyModels.class,
          MedleyExtensions.class,
          MedleyPlugin.class,
          ScoringResources.class,
          RowException.class,
          UnfitAdapterException.class);

  /**
   * What Medley's packages hand to one another, and Java has no other word than public for. A
   * member that names one of these, or a tensor, is theirs.
   */
  private static final Pattern OUR_OWN =
      Pattern.compile(
          "\\bai\\.djl\\.|\\bdev\\.medley\\."
              + "(engine\\.(BaseModel|DevicePermits|Meter|InParallel)"
              + "|adapter\\.(BaseModules|AdapterReport|Work)"
              + "|model\\.(TokenBatch|TextModel|Head|Labels)"
              + "|io\\.(JsonObject|Checkpoint|Sha256))\\b");

  private static final Pattern OURS = Pattern.compile("dev\\.medley\\.[\\w.$]+");

  private final Map<String, Set<String>> lines = new TreeMap<>();

  private PublicApi() {}

  /** One line a type or member, sorted. */
  static List<String> lines() throws ClassNotFoundException {
    PublicApi api = new PublicApi();
    Deque<Class<?>> open = new ArrayDeque<>(ENTRIES);
    Set<Class<?>> seen = new LinkedHashSet<>();
    while (!open.isEmpty()) {
      Class<?> type = open.remove();
      if (isVisible(type) && seen.add(type)) {
        open.addAll(api.add(type));
      }
    }
    return api.lines.values().stream().flatMap(Set::stream).toList();
  }

  private static boolean isVisible(Class<?> type) {
    return isVisible(type.getModifiers())
        && (type.getDeclaringClass() == null || isVisible(type.getDeclaringClass()));
  }

  private static boolean isVisible(int modifiers) {
    return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
  }

  /** Adds a type; gives those of ours that it names. */
  private List<Class<?>> add(Class<?> type) throws ClassNotFoundException {
    Set<String> members = new TreeSet<>();
    for (Class<?> declares = type; isOfType(declares, type); declares = declares.getSuperclass()) {
      members.addAll(members(declares, type));
    }
    Set<String> all = new LinkedHashSet<>();
    all.add(header(type));
    members.stream()
        .filter(member -> !OUR_OWN.matcher(member).find())
        .forEach(member -> all.add("  " + member));
    lines.put(type.getName(), all);
    List<Class<?>> named = new ArrayList<>();
    for (String name :
        all.stream()
            .flatMap(line -> OURS.matcher(line).results())
            .map(MatchResult::group)
            .collect(Collectors.toSet())) {
      named.add(Class.forName(name, false, PublicApi.class.getClassLoader()));
    }
    return named;
  }

  /** The type itself, and what it inherits from where nobody can look. */
  private static boolean isOfType(Class<?> declares, Class<?> type) {
    return declares == type
        || declares != null && declares.getName().startsWith("dev.medley.") && !isVisible(declares);
  }

  private static String header(Class<?> type) {
    String kind =
        type.isRecord()
            ? "record"
            : type.isEnum() ? "enum" : type.isInterface() ? "interface" : "class";
    String parents = parents(type).sorted().collect(Collectors.joining(", "));
    String subclasses =
        type.isSealed()
            ? " permits "
                + Arrays.stream(type.getPermittedSubclasses())
                    .map(Class::getName)
                    .collect(Collectors.joining(", "))
            : "";
    String modifiers = Modifier.toString(type.getModifiers() & ~Modifier.INTERFACE);
    return (modifiers + " " + kind + " " + type.getName())
            .replaceAll("\\b(static|abstract) (?=record|enum|interface)", "")
        + variables(type.getTypeParameters())
        + (parents.isEmpty() ? "" : " is " + parents)
        + subclasses;
  }

  /** What others can see of it: of a class that they cannot, its own parents. */
  private static Stream<String> parents(Class<?> type) {
    Class<?> parent = type.getSuperclass();
    boolean isOurs = parent != null && parent.getName().startsWith("dev.medley.");
    Stream<String> above =
        isOurs && !isVisible(parent)
            ? parents(parent)
            : Stream.ofNullable(type.getGenericSuperclass()).map(Type::getTypeName);
    Stream<String> interfaces = Arrays.stream(type.getGenericInterfaces()).map(Type::getTypeName);
    return Stream.concat(above, interfaces)
        .filter(name -> !name.matches("java\\.lang\\.(Object|Record|Enum<.*)"));
  }

  private static Set<String> members(Class<?> declares, Class<?> type) {
    Set<String> members = new TreeSet<>();
    for (Field field : declares.getDeclaredFields()) {
      if (isVisible(field.getModifiers()) && !field.isSynthetic()) {
        members.add(field.toGenericString().replaceAll("[\\w.$]+\\.(\\w+)$", "$1"));
      }
    }
    if (declares == type) {
      for (Constructor<?> constructor : declares.getDeclaredConstructors()) {
        if (isVisible(constructor.getModifiers()) && !constructor.isSynthetic()) {
          members.add(Modifier.toString(constructor.getModifiers()) + " new" + rest(constructor));
        }
      }
    }
    for (Method method : declares.getDeclaredMethods()) {
      if (isVisible(method.getModifiers()) && !method.isSynthetic()) {
        String variables = variables(method.getTypeParameters());
        members.add(
            Modifier.toString(method.getModifiers() & Modifier.methodModifiers())
                + " "
                + (variables.isEmpty() ? "" : variables + " ")
                + method.getGenericReturnType().getTypeName()
                + " "
                + method.getName()
                + rest(method));
      }
    }
    return members;
  }

  private static String rest(Executable executable) {
    return Arrays.stream(executable.getGenericParameterTypes())
        .map(Type::getTypeName)
        .collect(Collectors.joining(", ", "(", executable.isVarArgs() ? ")..." : ")"));
  }

  private static String variables(TypeVariable<?>[] variables) {
    return variables.length == 0
        ? ""
        : Arrays.stream(variables)
            .map(v -> v.getName() + " extends " + v.getBounds()[0].getTypeName())
            .collect(Collectors.joining(", ", "<", ">"));
  }
}
