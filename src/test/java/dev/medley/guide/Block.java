package dev.medley.guide;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A block of code on a page of README or the guide: fenced, or indented by four blanks.
 *
 * @param line of the page on which its text begins, from 1
 * @param language as the fence says; of an indented block empty
 * @param comment the HTML comment right above it; empty for none
 */
record Block(Path page, int line, String language, String comment, String text) {
  private static final Path SITE = Path.of("src", "site", "markdown");
  private static final Pattern FENCE = Pattern.compile("```(\\w*)");
  private static final Pattern COMMENT = Pattern.compile("<!--\\s*(.*?)\\s*-->");
  private static final String INDENT = "    ";

  /** README and every page of the site. */
  static List<Path> pages() throws IOException {
    try (Stream<Path> files = Files.walk(SITE)) {
      return Stream.concat(
              Stream.of(Path.of("README.md")),
              files.filter(file -> file.toString().endsWith(".md")).sorted())
          .toList();
    }
  }

  /** All blocks of a page, in its order. */
  static List<Block> of(Path page) throws IOException {
    return of(page, Files.readAllLines(page));
  }

  static List<Block> of(Path page, List<String> lines) {
    List<Block> blocks = new ArrayList<>();
    String comment = "";
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i);
      Matcher fence = FENCE.matcher(line);
      Matcher remark = COMMENT.matcher(line);
      if (fence.matches()) {
        int end = i + 1;
        while (!lines.get(end).equals("```")) {
          end++;
        }
        blocks.add(block(page, i + 1, fence.group(1), comment, lines.subList(i + 1, end)));
        i = end;
      } else if (line.startsWith(INDENT) && beginsABlock(lines, i)) {
        int end = i;
        while (end < lines.size() && (lines.get(end).isBlank() || isIndented(lines.get(end)))) {
          end++;
        }
        List<String> text = lines.subList(i, end).stream().map(Block::withoutIndent).toList();
        blocks.add(block(page, i, "", comment, text));
        i = end - 1;
      } else if (remark.matches()) {
        comment = remark.group(1);
        continue;
      }
      comment = line.isBlank() ? comment : "";
    }
    return blocks;
  }

  /** Else it goes on with a paragraph or an item of a list. */
  private static boolean beginsABlock(List<String> lines, int i) {
    int above = i - 1;
    while (above >= 0 && lines.get(above).isBlank()) {
      above--;
    }
    return above < i - 1 && !lines.get(above).startsWith("- ");
  }

  private static boolean isIndented(String line) {
    return line.startsWith(INDENT);
  }

  private static String withoutIndent(String line) {
    return line.isBlank() ? "" : line.substring(INDENT.length());
  }

  private static Block block(
      Path page, int above, String language, String comment, List<String> lines) {
    String text = String.join("\n", lines).stripTrailing();
    return new Block(page, above + 1, language, comment, text);
  }

  List<String> lines() {
    return text.lines().toList();
  }

  /** Where it stands, as editors and compilers write it. */
  String where() {
    return where(0);
  }

  /** Where one of its lines stands, from 0. */
  String where(int index) {
    return page + ":" + (line + index);
  }

  @Override
  public String toString() {
    return where();
  }
}
