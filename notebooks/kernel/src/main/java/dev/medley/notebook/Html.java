package dev.medley.notebook;

import java.util.Map;

/**
 * A piece of a page.
 *
 * @param text for who cannot show HTML
 */
public record Html(String html, String text) implements Showable {
  /** With its tags left out as the text. */
  public Html(String html) {
    this(html, html.replaceAll("<[^>]*>", " ").replaceAll("\\s+", " ").strip());
  }

  @Override
  public Map<String, String> mime() {
    return Map.of("text/html", html, "text/plain", text);
  }

  /** Text as it stands in HTML and SVG, attributes included. */
  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
