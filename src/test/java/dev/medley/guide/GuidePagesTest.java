package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.spark.TextClassifier;
import dev.medley.spark.TextEmbedder;
import dev.medley.spark.TextGenerator;
import dev.medley.spark.TextScorer;
import dev.medley.spark.TokenClassifier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.Params;
import org.junit.jupiter.api.Test;

/** Pages of the guide are in its menu, and what they link to is there. */
class GuidePagesTest {
  private static final Path SITE = Path.of("src", "site", "markdown");
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");
  private static final Pattern ANCHOR = Pattern.compile("<a id=\"([^\"]+)\"></a>");

  private static String text(Path page) throws IOException {
    String text = Files.readString(page);
    for (Block block : Block.of(page)) {
      text = text.replace(block.text(), "");
    }
    return text;
  }

  /** Also by an anchor of the page's own: a site's headings have other names than GitHub's. */
  @Test
  void everyLinkLeadsSomewhere() throws IOException {
    List<String> lost = new ArrayList<>();
    for (Path page : Block.pages()) {
      for (String link : links(page)) {
        String[] parts = link.split("#", 2);
        Path target = parts[0].isEmpty() ? page : page.resolveSibling(parts[0]).normalize();
        boolean isThere =
            Files.exists(target) && (parts.length == 1 || anchors(target).contains(parts[1]));
        if (!link.startsWith("https://") && !isThere) {
          lost.add(page + ": " + link);
        }
      }
    }
    assertThat(lost).as("a heading that is linked to wants <a id=\"…\"></a> above it").isEmpty();
  }

  private static Set<String> links(Path page) throws IOException {
    return LINK.matcher(text(page)).results().map(m -> m.group(1)).collect(Collectors.toSet());
  }

  private static Set<String> anchors(Path page) throws IOException {
    return ANCHOR.matcher(text(page)).results().map(m -> m.group(1)).collect(Collectors.toSet());
  }

  /** An anchor has the name that GitHub gives to the heading below it, where both are looked at. */
  @Test
  void anchorsAreNamedForTheHeadingsBelowThem() throws IOException {
    for (Path page : Block.pages()) {
      List<String> lines = Files.readAllLines(page);
      for (int i = 0; i < lines.size(); i++) {
        for (MatchResult anchor : ANCHOR.matcher(lines.get(i)).results().toList()) {
          String heading = lines.get(i + 2).replaceFirst("^#+ ", "");
          assertThat(anchor.group(1))
              .as(page + ":" + (i + 1))
              .isEqualTo(
                  heading.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9 -]", "").replace(' ', '-'));
        }
      }
    }
  }

  @Test
  void everyPageIsInTheMenu() throws IOException {
    String menu = Files.readString(Path.of("src", "site", "site.xml"));
    Set<String> named =
        Pattern.compile("href=\"([^\"]+)\\.html\"")
            .matcher(menu)
            .results()
            .map(item -> item.group(1) + ".md")
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(pages(SITE))
        .map(page -> SITE.relativize(page).toString())
        .hasSameElementsAs(top(named));
  }

  private static Set<String> top(Set<String> named) {
    assertThat(named).contains("decisions/index.md");
    Set<String> top = new TreeSet<>(named);
    top.remove("decisions/index.md");
    return top;
  }

  /** The title of a decision, without its number, is what the list says of it. */
  @Test
  void everyDecisionIsInTheirList() throws IOException {
    Path folder = SITE.resolve("decisions");
    List<String> rows = new ArrayList<>();
    for (Path page : pages(folder)) {
      String name = page.getFileName().toString();
      if (!name.equals("index.md")) {
        String title = Files.readAllLines(page).get(0).replaceFirst("^# \\d+\\.? ", "");
        rows.add("| [" + name.substring(0, 4) + "](" + name + ") | " + title + " |");
      }
    }
    assertThat(Files.readAllLines(folder.resolve("index.md")))
        .filteredOn(line -> line.startsWith("| ["))
        .containsExactlyElementsOf(rows);
  }

  @Test
  void parametersThatAllTransformersHave() throws IOException {
    Set<String> common = new TreeSet<>();
    Arrays.stream(new TextClassifier().params()).forEach(param -> common.add(param.name()));
    for (Params other :
        List.of(new TextEmbedder(), new TokenClassifier(), new TextGenerator(), new TextScorer())) {
      common.retainAll(Arrays.stream(other.params()).map(Param::name).toList());
    }
    List<String> lines = Files.readAllLines(SITE.resolve("datasets.md"));
    int table = lines.indexOf("| parameter | what it says | default |");
    Set<String> said = new TreeSet<>();
    for (String line : lines.subList(table + 2, lines.indexOf("## Vectors"))) {
      if (line.startsWith("| ")) {
        said.addAll(List.of(line.split("\\|")[1].replace("`", "").strip().split(", ")));
      }
    }
    assertThat(said).isEqualTo(common);
  }

  private static List<Path> pages(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".md")).sorted().toList();
    }
  }

  @Test
  void pictureHasATitleAndWords() throws IOException {
    String picture = Files.readString(Path.of("src/site/resources/images/concepts.svg"));
    assertThat(picture).contains("role=\"img\"", "<title", "<desc", "prefers-color-scheme: dark");
    assertThat(picture).doesNotContain("<script", "href=\"http");
  }
}
