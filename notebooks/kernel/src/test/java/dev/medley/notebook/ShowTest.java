package dev.medley.notebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.util.Base64;
import java.util.Map;
import javax.imageio.ImageIO;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;

class ShowTest {
  @Test
  void datasetIsATableOfItsFirstRows() {
    SparkSession spark =
        SparkSession.builder().master("local[1]").config("spark.ui.enabled", "false").getOrCreate();
    Dataset<Row> rows =
        spark.sql(
            "select id, '<b>' as text, named_struct('label', 'ham', 'score', 0.98765f) as p,"
                + " array(1.0d, 2.0d, 3.0d, 4.0d, 5.0d) as v, map('a', 1) as m,"
                + " cast(null as string) as none from range(3)");
    assertThat(Show.table(rows, 2).toString())
        .isEqualTo(
            """
            id  text  p                          v                                  m      none
            0   <b>   {label: ham, score: 0.988}  [1.000, 2.000, 3.000, 4.000, … 5]  {a=1}  null
            1   <b>   {label: ham, score: 0.988}  [1.000, 2.000, 3.000, 4.000, … 5]  {a=1}  null
            … the first 2 rows"""
                .replace("p                          v", "p                           v"));
    assertThat(Show.mime(rows).get("text/html"))
        .contains("&lt;b&gt;", "<td style=\"text-align:right\">2</td>")
        .doesNotContain("… the first");
    assertThat(Show.mime(rows.sparkSession().readStream().format("rate").load()))
        .containsOnlyKeys("text/plain");
  }

  @Test
  void imageIsAPng() throws Exception {
    BufferedImage image = new BufferedImage(3, 2, BufferedImage.TYPE_INT_RGB);
    image.setRGB(1, 1, 0x123456);
    Map<String, String> mime = Show.mime(image);
    assertThat(mime).containsEntry("text/plain", "image, 3 x 2");
    byte[] png = Base64.getDecoder().decode(mime.get("image/png"));
    BufferedImage read = ImageIO.read(new ByteArrayInputStream(png));
    assertThat(read.getRGB(1, 1) & 0xffffff).isEqualTo(0x123456);
  }

  @Test
  void anythingElseIsText() {
    assertThat(Show.mime(3.5)).isEqualTo(Map.of("text/plain", "3.5"));
    assertThat(Show.mime(null)).isEqualTo(Map.of("text/plain", "null"));
  }

  @Test
  void tableRefusesARowOfAnotherLength() {
    assertThatThrownBy(() -> Table.columns("a", "b").row(1))
        .hasMessage("row: expected 2 cells, [a, b], got 1");
  }
}
