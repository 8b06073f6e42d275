package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.job.CommandLineRun;
import dev.medley.job.Medley;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/**
 * Command lines as a shell takes them. What each names is looked up: variables in {@code
 * jobs/medley}, files in the repository, goals in the pom. Medley's own are parsed, and those run
 * that end soon.
 */
final class CommandBlock {
  private static final Pattern VARIABLE = Pattern.compile("([A-Z_]+)=(\"[^\"]*\"|\\S*)\\s*(.*)");
  private static final Pattern PROPERTIES = Pattern.compile("--properties-file (\\S+)");
  private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");

  /** Those that take minutes, or what nobody has here. */
  private static final List<String> LONG = List.of("bench", "quickstart");

  private final Block block;
  private final Example example;

  private CommandBlock(Block block, Example example) {
    this.block = block;
    this.example = example;
  }

  static void check(Block block, Example example) throws IOException {
    new CommandBlock(block, example).check();
  }

  private void check() throws IOException {
    for (int i = 0; i < block.lines().size(); i++) {
      String line = block.lines().get(i).replaceAll("(^|\\s)#.*", "").strip();
      for (String command : line.isEmpty() ? new String[0] : line.split(" && ")) {
        try {
          check(command);
        } catch (AssertionError | IllegalArgumentException | ParameterException e) {
          throw new AssertionError(block.where(i) + ": " + e.getMessage(), e);
        }
      }
    }
  }

  private void check(String command) throws IOException {
    String rest = command.replaceFirst("^export ", "");
    for (Matcher set = VARIABLE.matcher(rest); set.matches(); set = VARIABLE.matcher(rest)) {
      assertThat(Files.readString(Path.of("jobs", "medley"))).contains(set.group(1));
      Matcher properties = PROPERTIES.matcher(set.group(2));
      if (properties.find()) {
        assertThat(Path.of(properties.group(1).replace("\"", ""))).exists();
      }
      rest = set.group(3);
    }
    if (rest.startsWith("./mvnw ")) {
      maven(words(rest));
    } else if (rest.startsWith("jobs/medley")) {
      medley(words(rest.replace("[key=value …]", "batch-size=16")));
    } else if (!rest.isEmpty()) {
      throw new AssertionError("expected jobs/medley or ./mvnw, found " + rest);
    }
  }

  private static List<String> words(String command) {
    List<String> words = new ArrayList<>();
    Matcher word = WORD.matcher(command);
    while (word.find()) {
      words.add(word.group(1) == null ? word.group(2) : word.group(1));
    }
    return words.subList(1, words.size());
  }

  /** Phases of its life cycle, goals of the pom's plugins, its profiles and properties. */
  private static void maven(List<String> words) throws IOException {
    String pom = Files.readString(Path.of("pom.xml"));
    for (String word : words) {
      if (word.matches("package|verify|install|site|-B|-q|-ntp|-DskipTests|-Dtest=\\w+")) {
        continue;
      }
      if (word.startsWith("-P")) {
        assertThat(pom).contains("<id>" + word.substring(2) + "</id>");
      } else if (word.startsWith("-D")) {
        assertThat(pom).contains("<" + word.substring(2).replaceFirst("=.*", "") + ">");
      } else {
        assertThat(word).matches("[a-z]+:[a-z-]+");
        assertThat(pom).contains("<artifactId>maven-" + word.replaceFirst(":.*", "-plugin"));
      }
    }
  }

  private void medley(List<String> words) throws IOException {
    List<String> arguments = new ArrayList<>();
    for (String word : words) {
      arguments.add(
          switch (word) {
            case "JOB.conf" -> example.path("job.conf").toString();
            case "PATH" -> example.path("adapters/spam").toString();
            case "SET" -> "tone+spam";
            case "FOLDER" -> example.path("set").toString();
            default -> word;
          });
    }
    CommandLine.ParseResult parsed =
        new CommandLine(new Medley()).parseArgs(arguments.toArray(String[]::new));
    for (String option : List.of("--only", "--profile")) {
      int at = words.indexOf(option);
      for (String figure : at < 0 ? new String[0] : words.get(at + 1).split(",")) {
        assertThat(TextBlock.sources()).containsPattern("\\b" + figure + "\\b");
      }
    }
    boolean isNew = example.ran().add(arguments); // pages repeat each other
    if (!parsed.hasSubcommand() || LONG.contains(arguments.get(0)) || !isNew) {
      return;
    }
    arguments = new ArrayList<>(arguments);
    if (arguments.get(0).equals("score")) {
      arguments.add("output.path=" + example.fresh("out"));
    }
    CommandLineRun run = CommandLineRun.of(arguments.toArray(String[]::new));
    assertThat(run.code()).as("%s%n%s%s", arguments, run.out(), run.err()).isZero();
  }
}
