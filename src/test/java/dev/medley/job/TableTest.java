package dev.medley.job;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import picocli.CommandLine.Help.Ansi;

class TableTest {
  @Test
  void columnsAreAsWideAsTheirLongestCellAndNoWiderThanTheirLimit() {
    Table table = new Table(8, 10, 6);
    table.row("NAME", "TARGETS", "SIZE");
    table.row("a", "query, value, key", "1 B");
    table.note("first problem");
    table.row("/long/path/of/it", "x", "2 B");
    assertThat(table)
        .hasToString(
            """
            NAME      TARGETS     SIZE
            a         query,      1 B
                      value, key
                first problem
            /long/    x           2 B
            path/of/
            it
            """);
  }

  @Test
  void notesAndLongWordsStayWithinTheWidth() {
    Table table = new Table(10);
    table.note("word ".repeat(40) + "\n" + "x".repeat(250));
    assertThat(table.toString().lines()).allMatch(line -> line.length() <= Table.WIDTH);
    assertThat(table.toString().replaceAll("\\s", ""))
        .isEqualTo("word".repeat(40) + "x".repeat(250));
  }

  @Test
  void coloursAreForTerminalsAloneAndTakeNoPlace() {
    Table table = new Table(10, 5);
    table.head("NAME", "SIZE");
    table.row("a", "1 B");
    table.problem("a problem");
    table.bad("problems", "1");
    String painted = table.shown(Ansi.ON);
    assertThat(painted)
        .isEqualTo(
            "\u001b[1mNAME      SIZE\u001b[0m\na         1 B\n"
                + "\u001b[31m    a problem\u001b[0m\n\u001b[31mproblems  1\u001b[0m\n");
    assertThat(painted.replaceAll("\u001b\\[\\d*m", "")).isEqualTo(table.toString());
    assertThat(table.shown(Ansi.OFF)).isEqualTo(table.toString());
  }

  @Test
  void bytesAreShortNumbers() {
    assertThat(Table.bytes(1023)).isEqualTo("1023 B");
    assertThat(Table.bytes(1024)).isEqualTo("1.0 KiB");
    assertThat(Table.bytes(90_387_606)).isEqualTo("86.2 MiB");
    assertThat(Table.bytes(3L << 30)).isEqualTo("3.0 GiB");
  }
}
