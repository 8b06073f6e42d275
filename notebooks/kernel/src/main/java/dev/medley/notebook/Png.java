package dev.medley.notebook;

import java.awt.image.RenderedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Base64;
import java.util.Map;
import javax.imageio.ImageIO;

/**
 * An image.
 *
 * @param base64 of the bytes of a PNG file
 * @param text that says the same to who does not see it
 */
public record Png(String base64, String text) implements Showable {
  /** Of what Java has drawn. */
  public static Png of(RenderedImage image) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "png", bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return of(bytes.toByteArray(), "image, " + image.getWidth() + " x " + image.getHeight());
  }

  /** Of a PNG file's bytes. */
  public static Png of(byte[] file, String text) {
    return new Png(Base64.getEncoder().encodeToString(file), text);
  }

  @Override
  public Map<String, String> mime() {
    return Map.of("image/png", base64, "text/plain", text);
  }
}
