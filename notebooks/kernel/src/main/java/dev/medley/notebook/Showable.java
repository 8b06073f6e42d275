package dev.medley.notebook;

import java.util.Map;

/** What knows how a notebook shows it. */
public interface Showable {
  /** The same content by MIME type, {@code text/plain} among them; binary ones in base64. */
  Map<String, String> mime();
}
