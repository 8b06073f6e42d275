package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Another JVM on the tests' class path. Its heap is touched whole at the start, so that its
 * resident size grows by native memory alone.
 */
public final class ChildJvm {
  private ChildJvm() {}

  public static Process start(Class<?> main, String... args) throws IOException {
    return new ProcessBuilder(command(main, args)).redirectErrorStream(true).start();
  }

  /** The same after a line of shell, such as {@code ulimit -f 128}. */
  public static Process limited(String shell, Class<?> main, String... args) throws IOException {
    List<String> command = new ArrayList<>(List.of("sh", "-c", shell + " && exec \"$@\"", "sh"));
    command.addAll(command(main, args));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  private static List<String> command(Class<?> main, String... args) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch"));
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(args));
    return command;
  }

  /** What it printed; its exit status has to be the one given. */
  public static String finish(Process process, int status) throws Exception {
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(240, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(output).isEqualTo(status);
    return output;
  }

  /** Its output; it has to end with status 0. */
  public static String run(Class<?> main, String... args) throws Exception {
    return finish(start(main, args), 0);
  }
}
