package dev.medley.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every block of code in README and on the pages of the guide does what it says. */
class GuideCodeTest {
  @TempDir static Path folder;

  private static Example example;
  private static JavaBlock.Compiled java;

  @BeforeAll
  static void makeExample() throws IOException {
    example = Example.in(folder);
    java = JavaBlock.compile(blocks().filter(b -> Kind.of(b) == Kind.JAVA).toList(), example);
    SparkSession spark = new ExampleData(example).spark();
    String csv = "using csv options (header true) location '" + example.path("adapters.csv") + "'";
    spark.sql("create table " + Example.TABLE + " (name string, uri string) " + csv);
  }

  /** Others want a session of their own. */
  @AfterAll
  static void stop() {
    SparkSession spark = new ExampleData(example).spark();
    spark.sql("drop table " + Example.TABLE);
    spark.stop();
  }

  static Stream<Block> blocks() throws IOException {
    return Block.pages().stream()
        .flatMap(
            page -> {
              try {
                return Block.of(page).stream();
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
  }

  @ParameterizedTest
  @MethodSource("blocks")
  void blockDoesWhatItSays(Block block) throws Exception {
    check(block);
  }

  @Test
  void thereAreBlocksOfEveryKind() throws IOException {
    assertThat(blocks().map(Kind::of).collect(Collectors.toSet()))
        .isEqualTo(EnumSet.allOf(Kind.class));
  }

  private static Block block(String language, String comment, String text) {
    return new Block(Path.of("page.md"), 7, language, comment, text);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "java | int rows = mails; | page.md:7: incompatible types",
        "java | new TextClassifier().setModel(\"models/none\").transform(mails); | page.md:7: dev.medley",
        "java | List<String> raw = new ArrayList(); | page.md:7: found raw type",
        "sql | select medley_sing('support', text) from tickets; | page.md:7: [UNRESOLVED_ROUTINE]",
        "sql | select medley_classify('support', text, 3) from tickets; | page.md:7: ",
        "hocon | adapters-form = \"adapters/*\" | known key is medley.adapters-from",
        "hocon | medley { base = \"models/none\" } | page.md:7: medley validate",
        "conf | spark.executor.core 4 | page.md:7: spark.executor.core",
        "conf | spark.medley.model.support.bass models/bert | spark.medley.model.support.",
        "sh | jobs/medley scoer JOB.conf | page.md:7: Unmatched argument",
        "sh | jobs/medley validate JOB.conf batch-sise=3 | known key is medley.batch-size",
        "sh | ./mvnw -Pspark-9 verify | page.md:7: ",
        "sh | MEDLEY_LIBTROCH=a.jar jobs/medley quickstart | page.md:7: ",
        "sh | rm -rf target | page.md:7: expected jobs/medley or ./mvnw",
        "xml | <a><dependency><groupId>dev.medley</groupId></dependency></a> | page.md:7",
        "xml | <a><b></a> | page.md:7: ",
        "python | import this | page.md:7: the comment above",
        "mermaid | flowchart XY | page.md:7",
        "ruby | puts 1 | page.md:7: expected a block of java",
        "'' | whatever it may be | page.md:7: expected a block of java",
        "'' | f(x) = x·merge(W) | page.md:7",
      })
  void wrongBlockIsSeen(String language, String text, String message) {
    Block block = block(language, "", text);
    assertThatThrownBy(() -> check(block))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "printed by jobs/medley quikstart | ADAPTER | Unmatched argument",
        "printed by jobs/medley quickstart | ADOPTER  TEXT | page.md:7: ADOPTER",
        "src/site/resources/examples/peft_udf.py | import pandas | page.md:7",
      })
  void blockOtherThanItsCommentSaysIsSeen(String comment, String text, String message) {
    String language = comment.endsWith(".py") ? "python" : "";
    assertThatThrownBy(() -> check(block(language, comment, text)))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining(message);
  }

  private static void check(Block block) throws Exception {
    switch (Kind.of(block)) {
      case JAVA -> compiled(block).check(block);
      case SQL -> DataBlock.checkSql(block, example);
      case CONF -> DataBlock.checkConf(block, example);
      case JOB -> JobBlock.check(block, example);
      case SHELL -> CommandBlock.check(block, example);
      case MAVEN -> TextBlock.checkMaven(block);
      case PYTHON -> TextBlock.checkPython(block);
      case MERMAID -> TextBlock.checkMermaid(block);
      case FORMULA -> TextBlock.checkFormula(block);
      case PRINTED -> TextBlock.checkPrinted(block, example);
    }
  }

  private static JavaBlock.Compiled compiled(Block block) throws IOException {
    return java.blocks().contains(block) ? java : JavaBlock.compile(List.of(block), example);
  }
}
