package dev.medley.notebook;

import java.util.Map;

/**
 * A drawing.
 *
 * @param xml with {@code <svg xmlns=…>} at its root
 * @param text that says the same to who does not see it
 */
public record Svg(String xml, String text) implements Showable {
  @Override
  public Map<String, String> mime() {
    return Map.of("image/svg+xml", xml, "text/plain", text);
  }
}
