package dev.medley.notebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

class ChartsTest {
  @Test
  void barsAreAsLongAsTheirNumbers() throws Exception {
    Svg svg = new BarChart("Speed", "rows/s").bar("base", "a", 80).bar("a < b", "b", 20.5).svg();
    Document drawn = parse(svg);
    assertThat(drawn.getElementsByTagName("title").item(0).getTextContent()).isEqualTo("Speed");
    assertThat(width(drawn, 1)).isEqualTo(360);
    assertThat(width(drawn, 2)).isCloseTo(360 * 20.5 / 80, within(0.1));
    assertThat(fill(drawn, 1)).isNotEqualTo(fill(drawn, 2));
    assertThat(svg.text()).isEqualTo("Speed\nbase: 80 rows/s, a\na < b: 20.5 rows/s, b");
  }

  @Test
  void wordsEndWithinThePicture() throws Exception {
    BarChart bars = new BarChart("A title", "rows/s");
    ScatterChart points = new ScatterChart("A title");
    for (String kind : List.of("one kind", "another kind", "one more kind", "the last of kinds")) {
      bars.bar("label", kind + " with a long name", 3);
      points.point(kind + " with a long name", 1, 2, null);
    }
    for (Svg svg : List.of(bars.svg(), points.svg())) {
      Document drawn = parse(svg);
      double width = number(drawn.getDocumentElement(), "width");
      for (int i = 0; i < drawn.getElementsByTagName("text").getLength(); i++) {
        Element text = (Element) drawn.getElementsByTagName("text").item(i);
        if (text.getAttribute("text-anchor").equals("start")) {
          double end = number(text, "x") + Drawing.width(text.getTextContent());
          assertThat(end).as(text.getTextContent()).isLessThan(width);
        }
      }
    }
  }

  @Test
  void confusionMatrixCounts() throws Exception {
    ConfusionMatrix matrix =
        new ConfusionMatrix("Labels").add("ham", "ham").add("ham", "spam").add("spam", "spam");
    assertThat(matrix.svg().text())
        .isEqualTo(
            """
            Labels
            2 of 3 right
            expected  ham  spam
            ham       1    1
            spam      0    1""");
    assertThat(parse(matrix.svg()).getElementsByTagName("rect").getLength()).isEqualTo(1 + 4);
  }

  @Test
  void pointsStandWhereTheirNumbersAre() throws Exception {
    Svg svg =
        new ScatterChart("Plan")
            .axes("rows", "ms")
            .logarithmic()
            .point("merged", 10, 1, null)
            .point("merged", 1000, 100, null)
            .point("merged", 100, 10, "middle")
            .svg();
    Document drawn = parse(svg);
    Element low = (Element) drawn.getElementsByTagName("circle").item(0);
    Element high = (Element) drawn.getElementsByTagName("circle").item(1);
    Element middle = (Element) drawn.getElementsByTagName("circle").item(2);
    assertThat(number(middle, "cx"))
        .isCloseTo((number(low, "cx") + number(high, "cx")) / 2, within(0.2));
    assertThat(number(middle, "cy"))
        .isCloseTo((number(low, "cy") + number(high, "cy")) / 2, within(0.2));
    assertThat(number(low, "cy")).isGreaterThan(number(high, "cy"));
    assertThat(middle.getTextContent()).isEqualTo("middle");
    assertThatThrownBy(() -> new ScatterChart("Plan").logarithmic().point("a", 0, 1, null).svg())
        .hasMessage("logarithmic axis: expected numbers above 0, got 0.0");
  }

  @Test
  void axisHasRoundTicks() {
    assertThat(new Axis("x", false).scale(0.02, 0.98).ticks().stream().map(Axis::text))
        .containsExactly("0", "0.2", "0.4", "0.6", "0.8", "1");
    assertThat(new Axis("x", true).scale(3, 2000).ticks().stream().map(Axis::text))
        .containsExactly("1", "10", "100", "1,000", "10,000");
  }

  @Test
  void mapKeepsTheDirectionInWhichVectorsDiffer() {
    double[][] map =
        PrincipalComponents.map(
            List.of(
                List.of(1.0, 3.0, 5.0),
                List.of(1.0, -3.0, 5.0),
                List.of(2.0, 0.0, 5.0),
                List.of(0.0, 0.0, 5.0)));
    assertThat(map[0]).containsExactly(new double[] {3, 0}, within(1e-9));
    assertThat(map[1]).containsExactly(new double[] {-3, 0}, within(1e-9));
    assertThat(map[2]).containsExactly(new double[] {0, 1}, within(1e-9));
    assertThat(map[3]).containsExactly(new double[] {0, -1}, within(1e-9));
  }

  private static Document parse(Svg svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(svg.xml().getBytes(StandardCharsets.UTF_8)));
  }

  private static double width(Document drawn, int rectangle) {
    return number((Element) drawn.getElementsByTagName("rect").item(rectangle), "width");
  }

  private static String fill(Document drawn, int rectangle) {
    return ((Element) drawn.getElementsByTagName("rect").item(rectangle)).getAttribute("fill");
  }

  private static double number(Element element, String attribute) {
    return Double.parseDouble(element.getAttribute(attribute));
  }
}
