package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** A change of what programs can call is seen, as a difference of public-api.txt. */
class PublicApiTest {
  private static final Path COMMITTED = Path.of("src", "test", "resources", "public-api.txt");
  private static final Pattern WORD = Pattern.compile("(?<![\\w/\"])[A-Z]\\w+");
  private static final String WRITE = "public-api.write";

  @Test
  void nothingThatProgramsCallHasChanged() throws Exception {
    List<String> found = PublicApi.lines();
    if (System.getProperty(WRITE) != null) {
      Files.write(COMMITTED, found);
    }
    assertThat(difference(Files.readAllLines(COMMITTED), found))
        .as(
            "public API: what is gone (-) and new (+). Where that is meant, write it down and commit"
                + " it: ./mvnw test -Dtest=PublicApiTest -D"
                + WRITE)
        .isEmpty();
  }

  @Test
  void typesThatTheGuidesJavaNamesAreInIt() throws Exception {
    Set<String> named = new TreeSet<>();
    for (Path page : Block.pages()) {
      for (Block block : Block.of(page)) {
        if (Kind.of(block) == Kind.JAVA) {
          WORD.matcher(block.text()).results().forEach(word -> named.add(word.group()));
        }
      }
    }
    String all = String.join("\n", PublicApi.lines());
    List<String> ours = new ArrayList<>();
    for (String folder : List.of("engine", "spark", "adapter", "model", "tensor", "io")) {
      for (String word : named) {
        if (Files.exists(Path.of("src/main/java/dev/medley", folder, word + ".java"))) {
          ours.add("dev.medley." + folder + "." + word);
        }
      }
    }
    assertThat(ours).contains("dev.medley.spark.TextClassifier", "dev.medley.engine.Engine");
    assertThat(ours).allSatisfy(type -> assertThat(all).contains(" " + type));
  }

  @Test
  void whatIsGoneAndWhatIsNewIsSaid() {
    List<String> before = List.of("public class A is B", "  public int a()", "public class C");
    List<String> after = List.of("public class A is B", "  public long a()", "public class C is D");
    assertThat(difference(before, after).lines())
        .containsExactly(
            "- public class A:  public int a()",
            "- public class C",
            "+ public class A:  public long a()",
            "+ public class C is D");
    assertThat(difference(before, before)).isEmpty();
  }

  /** Members that are only here or there, each below its type. */
  private static String difference(List<String> before, List<String> after) {
    List<String> old = inFull(before);
    List<String> now = inFull(after);
    List<String> difference = new ArrayList<>();
    old.stream().filter(line -> !now.contains(line)).forEach(line -> difference.add("- " + line));
    now.stream().filter(line -> !old.contains(line)).forEach(line -> difference.add("+ " + line));
    return String.join("\n", difference);
  }

  private static List<String> inFull(List<String> lines) {
    List<String> full = new ArrayList<>();
    String type = "";
    for (String line : lines) {
      type = line.startsWith(" ") ? type : line;
      full.add(line.startsWith(" ") ? type.replaceFirst(" is .*", "") + ":" + line : line);
    }
    return full;
  }
}
