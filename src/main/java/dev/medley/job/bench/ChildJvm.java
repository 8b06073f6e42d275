package dev.medley.job.bench;

import java.lang.management.ManagementFactory;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A JVM of its own for what can be set only once in each: libtorch's threads, or a heap that is in
 * memory from the start.
 */
final class ChildJvm {
  private ChildJvm() {}

  /**
   * Starts a main class on the class path and with the options of this JVM.
   *
   * @param options more of them, which win
   */
  static LineProcess start(Class<?> main, List<String> options, String... arguments) {
    return start(main, Map.of(), options, arguments);
  }

  /** The same with variables of the environment. */
  static LineProcess start(
      Class<?> main, Map<String, String> environment, List<String> options, String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(option -> !option.startsWith("-javaagent"))
        .forEach(command::add);
    command.addAll(options);
    command.add("-cp");
    command.add(classPath(main));
    command.add(main.getName());
    command.addAll(Arrays.asList(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().remove("OMP_NUM_THREADS"); // the child says how many
    builder.environment().putAll(environment);
    return LineProcess.start(builder);
  }

  /** What spark-submit adds to a program is on its class loader, not on the class path. */
  private static String classPath(Class<?> main) {
    Set<String> path = new LinkedHashSet<>();
    try {
      if (main.getClassLoader() instanceof URLClassLoader loader) {
        for (URL url : loader.getURLs()) {
          path.add(Path.of(url.toURI()).toString());
        }
      }
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
    path.add(System.getProperty("java.class.path"));
    return String.join(System.getProperty("path.separator"), path);
  }
}
