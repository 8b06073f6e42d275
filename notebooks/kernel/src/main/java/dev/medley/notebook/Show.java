package dev.medley.notebook;

import java.awt.image.RenderedImage;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.spark.sql.Dataset;

/**
 * What cells call to show more than the value of their last expression. The kernel imports these
 * methods into every notebook.
 *
 * <pre>{@code
 * display(scored);                                // a Dataset's first 20 rows, as a table
 * display(table(scored, 5));
 * display(new ScatterChart("Vectors").points("a", xy));
 * display(html("<b>bold</b>"));
 * display(ImageIO.read(file));                    // any RenderedImage
 * }</pre>
 */
public final class Show {
  /** Where it goes: there is one notebook in a kernel's JVM, and cells have no object of it. */
  private static volatile Consumer<Map<String, String>> notebook =
      mime -> System.out.println(mime.get("text/plain"));

  private Show() {}

  /** Shows a value below the cell, now. */
  public static void display(Object value) {
    notebook.accept(mime(value));
  }

  /** The first rows of a Dataset. */
  public static Table table(Dataset<?> rows, int most) {
    return Table.of(rows, most);
  }

  /** A piece of a page. */
  public static Html html(String html) {
    return new Html(html);
  }

  /** A drawing, as an SVG document. */
  public static Svg svg(String xml) {
    return new Svg(xml, "drawing");
  }

  static void to(Consumer<Map<String, String>> where) {
    notebook = where;
  }

  /** Anything by MIME type; plain text where there is nothing better. */
  static Map<String, String> mime(Object value) {
    if (value instanceof Showable showable) {
      return showable.mime();
    }
    if (value instanceof Dataset<?> rows) {
      return rows.isStreaming()
          ? Map.of("text/plain", rows + ", a stream")
          : Table.of(rows, Table.ROWS).mime();
    }
    if (value instanceof RenderedImage image) {
      return Png.of(image).mime();
    }
    return Map.of("text/plain", String.valueOf(value));
  }
}
