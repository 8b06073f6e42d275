package dev.medley.guide;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * Statements, or one expression, in a method around them. It has the imports that the guide leaves
 * out and the names that a page takes for granted, and computes every Dataset that is declared.
 *
 * @param block whose paths stay as the page has them
 * @param local its lines with paths of an example
 */
record JavaBlock(Block block, List<String> local) {
  private static final String IMPORTS =
      """
      package guide;
      import dev.medley.adapter.Combination;
      import dev.medley.adapter.Combination.Type;
      import dev.medley.engine.*;
      import dev.medley.guide.ExampleData;
      import dev.medley.spark.*;
      import java.nio.file.Path;
      import java.util.*;
      import org.apache.spark.sql.*;
      import static org.apache.spark.sql.functions.col;
      """;

  /** Names that pages take for granted, where a value is asked for. */
  private static final Pattern GIVEN =
      Pattern.compile(
          "(?<![\\w.\"'])(spark|rows|mails|tickets|documents|chats|questions|incoming|vectors"
              + "|classifier)\\b(?![\"'(])");

  private static final Pattern DECLARED = Pattern.compile("(?m)^[\\w<>\\[\\], ]+ (\\w+) =");
  private static final Pattern DATASET = Pattern.compile("(?m)^Dataset<Row> (\\w+) =");

  /** A session in one JVM has no executors that could be given resources. */
  private static final String WANTS_A_CLUSTER = "scoring resources: expected none in local mode";

  /**
   * Compiles many at once, which takes a tenth of the time. Those that are wrong have a message.
   */
  static Compiled compile(List<Block> blocks, Example example) throws IOException {
    Map<Block, String> wrong = new HashMap<>();
    List<JavaBlock> right = new ArrayList<>();
    for (Block block : blocks) {
      right.add(new JavaBlock(block, example.local(block.text()).lines().toList()));
    }
    Path classes = Files.createDirectories(example.fresh("classes"));
    for (Map<Block, String> found = compile(right, classes); !found.isEmpty(); ) {
      wrong.putAll(found);
      right.removeIf(java -> wrong.containsKey(java.block));
      found = compile(right, classes);
    }
    return new Compiled(blocks, wrong, classes, example);
  }

  /** Classes of those that could be compiled, and the compiler's words on the others. */
  record Compiled(List<Block> blocks, Map<Block, String> wrong, Path classes, Example example) {
    /** Runs one. */
    void check(Block block) throws Exception {
      if (wrong.containsKey(block)) {
        throw new AssertionError(wrong.get(block));
      }
      PrintStream out = System.out;
      System.setOut(new PrintStream(OutputStream.nullOutputStream())); // a page prints a lot
      URL[] path = {classes.toUri().toURL()};
      try (URLClassLoader loader = new URLClassLoader(path, getClass().getClassLoader())) {
        loader
            .loadClass("guide." + name(block))
            .getMethod("run", ExampleData.class)
            .invoke(null, new ExampleData(example).forSql());
      } catch (InvocationTargetException e) {
        Throwable thrown = e.getCause();
        boolean wantsCluster = block.text().contains("ScoringResources");
        if (!wantsCluster || !String.valueOf(thrown.getMessage()).startsWith(WANTS_A_CLUSTER)) {
          throw new AssertionError(block.where() + ": " + thrown, thrown);
        }
      } finally {
        System.setOut(out);
      }
    }
  }

  private static String name(Block block) {
    return block.page().getFileName().toString().replaceAll("\\W", "_") + block.line();
  }

  /** What is wrong, by block. */
  private static Map<Block, String> compile(List<JavaBlock> blocks, Path classes) {
    DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
    List<String> options =
        List.of(
            "-Xlint:all,-classfile,-try", // a page may close what it never names
            "-proc:none",
            "-d",
            classes.toString(),
            "-classpath",
            System.getProperty("java.class.path"));
    List<Source> sources = blocks.stream().map(Source::new).toList();
    if (!sources.isEmpty()) {
      ToolProvider.getSystemJavaCompiler()
          .getTask(null, null, found, options, null, sources)
          .call();
    }
    Map<Block, String> wrong = new HashMap<>();
    for (Diagnostic<? extends JavaFileObject> each : found.getDiagnostics()) {
      if (each.getSource() instanceof Source source) {
        int index =
            Math.max(0, (int) (each.getLineNumber() - source.java.head().lines().count() - 1));
        Block block = source.java.block;
        wrong.putIfAbsent(block, block.where(index) + ": " + each.getMessage(Locale.ROOT));
      }
    }
    return wrong;
  }

  private static final class Source extends SimpleJavaFileObject {
    private final JavaBlock java;

    Source(JavaBlock java) {
      super(URI.create("string:///guide/" + name(java.block) + ".java"), Kind.SOURCE);
      this.java = java;
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
      return java.head() + java.lines(false) + java.end() + "}}\n";
    }
  }

  private String head() {
    return IMPORTS + lines(true) + "\npublic final class " + name(block) + " {\n" + method();
  }

  /** Its imports, or all but them, each in its own line either way. */
  private String lines(boolean areImports) {
    return local.stream()
        .map(line -> line.startsWith("import ") == areImports ? line : "")
        .collect(Collectors.joining("\n"));
  }

  private String method() {
    String code = lines(false);
    Set<String> declared = names(DECLARED, code);
    StringBuilder method = new StringBuilder();
    method.append("public static void run(ExampleData data) throws Exception {\n");
    for (String name : names(GIVEN, code)) {
      if (!declared.contains(name)) {
        method.append("var ").append(name).append(" = data.").append(name).append("();\n");
      }
    }
    return method.append(isExpression() ? "ExampleData.use(\n" : "").toString();
  }

  private String end() {
    StringBuilder end = new StringBuilder(isExpression() ? ");\n" : "\n");
    for (String name : names(DATASET, lines(false))) {
      end.append("ExampleData.use(").append(name).append(");\n");
    }
    return end.toString();
  }

  private boolean isExpression() {
    return local.get(local.size() - 1).endsWith(")");
  }

  private static Set<String> names(Pattern pattern, String code) {
    return pattern
        .matcher(code)
        .results()
        .map((MatchResult found) -> found.group(1))
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }
}
