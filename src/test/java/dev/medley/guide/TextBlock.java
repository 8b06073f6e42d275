package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.opentest4j.TestAbortedException;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Blocks that are compared with something: coordinates, Python, pictures, what was printed. */
final class TextBlock {
  /** Nodes with quoted labels, arrows with maybe quoted words, as mermaid has flowcharts. */
  private static final String NODE = "\\w+(\\[\"[^\"]+\"\\])?";

  private static final String EDGE = NODE + "(( & | -->(\\|\"[^\"]+\"\\|)? )" + NODE + ")+";

  private TextBlock() {}

  /** Each dependency is one of the pom's, in its version, or Medley itself. */
  static void checkMaven(Block block) throws Exception {
    Document pom = xml(Files.readString(Path.of("pom.xml")));
    List<String> known = dependencies(pom, pom);
    known.add(
        Stream.of("groupId", "artifactId", "version")
                .map(name -> resolved(child(pom.getDocumentElement(), name), pom))
                .collect(Collectors.joining(":"))
            + ":compile");
    List<String> named;
    try {
      named = dependencies(xml(block.text()), pom);
    } catch (org.xml.sax.SAXException e) {
      throw new AssertionError(block.where() + ": " + e.getMessage(), e);
    }
    assertThat(known).as(block.where()).containsAll(named);
    assertThat(named).as(block.where()).isNotEmpty();
  }

  private static Document xml(String text) throws Exception {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    var builder = DocumentBuilderFactory.newInstance().newDocumentBuilder();
    builder.setErrorHandler(null); // which prints
    return builder.parse(new ByteArrayInputStream(bytes));
  }

  private static List<String> dependencies(Document document, Document pom) {
    NodeList all = document.getElementsByTagName("dependency");
    return Stream.iterate(0, i -> i < all.getLength(), i -> i + 1)
        .map(i -> dependency((Element) all.item(i), pom))
        .collect(Collectors.toList());
  }

  private static String dependency(Element dependency, Document pom) {
    String scope = child(dependency, "scope");
    return Stream.of("groupId", "artifactId", "version", "classifier")
            .map(name -> child(dependency, name))
            .filter(text -> !text.isEmpty())
            .map(text -> resolved(text, pom))
            .collect(Collectors.joining(":"))
        + ":"
        + (scope.isEmpty() ? "compile" : scope);
  }

  private static String child(Element element, String name) {
    for (var node = element.getFirstChild(); node != null; node = node.getNextSibling()) {
      if (node.getNodeName().equals(name)) {
        return node.getTextContent().strip();
      }
    }
    return "";
  }

  /** With the pom's own properties, those of its first list, in place of their names. */
  private static String resolved(String text, Document pom) {
    Element properties = (Element) pom.getElementsByTagName("properties").item(0);
    String value = text;
    while (value.contains("${")) {
      String name = value.replaceFirst("(?s).*?\\$\\{([^}]+)}.*", "$1");
      value = value.replace("${" + name + "}", child(properties, name));
    }
    return value;
  }

  /** The page shows a file, which can be looked at with Python's tools. */
  static void checkPython(Block block) throws Exception {
    Path file = Path.of(block.comment());
    assertThat(block.comment()).as(block.where() + ": the comment above").endsWith(".py");
    assertThat(file).as(block.where()).exists().content().isEqualTo(block.text() + "\n");
    parse(block, file);
  }

  /** Where there is a Python; the page is compared with the file in any case. */
  private static void parse(Block block, Path file) throws Exception {
    String code = "import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])";
    Process python;
    try {
      python =
          new ProcessBuilder("python3", "-c", code, file.toString())
              .redirectErrorStream(true)
              .start();
    } catch (IOException e) {
      throw new TestAbortedException("no python3 to parse " + block.where(), e);
    }
    String said = new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(python.waitFor()).as(block.where() + ": " + said).isZero();
  }

  /** A flowchart in the small part of mermaid's language that is used here. */
  static void checkMermaid(Block block) {
    List<String> lines = block.lines();
    assertThat(lines.get(0)).as(block.where()).matches("flowchart (LR|TD)");
    for (int i = 1; i < lines.size(); i++) {
      assertThat(lines.get(i).strip()).as(block.where(i)).matches(EDGE);
    }
  }

  /** The law as LinearAdapter says it. */
  static void checkFormula(Block block) throws IOException {
    Path law = Path.of("src", "main", "java", "dev", "medley", "adapter", "LinearAdapter.java");
    assertThat(Files.readString(law)).as(block.where()).contains(block.text());
  }

  /**
   * The comment above names the command, and the titles of columns are words that the command's
   * code has.
   */
  static void checkPrinted(Block block, Example example) throws IOException {
    String command = block.comment().substring(Kind.PRINTED_BY.length()).replaceFirst(",.*", "");
    CommandBlock.check(new Block(block.page(), block.line(), "sh", "", command), example);
    String code = sources();
    for (String title : block.lines().get(0).strip().split(" {2,}")) {
      String last = title.replaceFirst(".* (?=rows/s)", "");
      assertThat(code).as(block.where() + ": " + title).contains(last);
    }
  }

  /** Of the command line and the benchmark. */
  static String sources() throws IOException {
    StringBuilder code = new StringBuilder();
    try (Stream<Path> files = Files.walk(Path.of("src", "main", "java", "dev", "medley", "job"))) {
      for (Path file : files.filter(each -> each.toString().endsWith(".java")).toList()) {
        code.append(Files.readString(file));
      }
    }
    return code.toString();
  }
}
