package dev.medley.job.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.SafetensorsWriter.Tensor;
import dev.medley.job.bench.EncoderShape.Linear;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * PEFT folders with random weights for all linear layers of an encoder, each written when it is
 * first asked for. The first letter of a name says the type: {@code lora17}, {@code oft3}.
 */
final class AdapterFolders {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String WEIGHTS = "adapter_model.safetensors";
  private static final String CONFIG = "adapter_config.json";
  private static final int OFT_BLOCK = 32;

  /** Rank of LoRA, LoHa and LoKr. */
  static final int RANK = 8;

  private final Path folder;
  private final EncoderShape shape;

  AdapterFolders(Path folder, EncoderShape shape) {
    this.folder = folder;
    this.shape = shape;
  }

  /** Where that adapter is; written now unless it is there. */
  Path folder(String name) {
    Path path = folder.resolve(name);
    if (!Files.exists(path.resolve(WEIGHTS))) {
      try {
        Files.createDirectories(path);
        String type = name.replaceFirst("\\d+$", "");
        int number = Integer.parseInt(name.substring(type.length()));
        JSON.writeValue(path.resolve(CONFIG).toFile(), config(type));
        SafetensorsWriter.write(
            path.resolve(WEIGHTS), Map.of("format", "pt"), tensors(type, number));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return path;
  }

  /** Bytes of that adapter's weights. */
  long bytes(String name) {
    try {
      return Files.size(folder(name).resolve(WEIGHTS));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * A LoRA whose file is as long as any other, and holds a header and zeros that take no room on
   * the disk: enough for an adapter that is registered and never used.
   */
  Path hollow(String name) {
    Path path = folder.resolve(name);
    Path model = folder("lora0");
    try {
      if (!Files.exists(path)) {
        Files.createDirectories(path);
        Files.copy(model.resolve(CONFIG), path.resolve(CONFIG));
        try (RandomAccessFile from = new RandomAccessFile(model.resolve(WEIGHTS).toFile(), "r");
            RandomAccessFile to = new RandomAccessFile(path.resolve(WEIGHTS).toFile(), "rw")) {
          byte[] header = new byte[8 + (int) Long.reverseBytes(from.readLong())];
          from.seek(0);
          from.readFully(header);
          to.write(header);
          to.setLength(from.length());
        }
      }
      return path;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, Object> config(String type) {
    Map<String, Object> config = new HashMap<>();
    config.put("target_modules", EncoderShape.TARGETS);
    config.put("inference_mode", true);
    switch (type) {
      case "lora" -> config.putAll(Map.of("peft_type", "LORA", "r", RANK, "lora_alpha", 2 * RANK));
      case "loha" -> config.putAll(Map.of("peft_type", "LOHA", "r", RANK, "alpha", RANK));
      case "lokr" -> config.putAll(Map.of("peft_type", "LOKR", "r", RANK, "alpha", RANK));
      case "oft" -> config.putAll(Map.of("peft_type", "OFT", "r", 0, "oft_block_size", OFT_BLOCK));
      default ->
          throw new IllegalArgumentException("expected lora, loha, lokr or oft, got " + type);
    }
    return config;
  }

  private List<Tensor> tensors(String type, int number) {
    List<Tensor> tensors = new ArrayList<>();
    for (Linear linear : shape.linears()) {
      String module = "base_model.model." + linear.name() + ".";
      int in = linear.in();
      int out = linear.out();
      double std = 1 / Math.sqrt(in);
      switch (type) {
        case "lora" -> {
          add(tensors, module + "lora_A.weight", std, number, RANK, in);
          add(tensors, module + "lora_B.weight", 0.05, number, out, RANK);
        }
        case "loha" -> {
          for (String w : List.of("1", "2")) {
            add(tensors, module + "hada_w" + w + "_a", 0.25, number, out, RANK);
            add(tensors, module + "hada_w" + w + "_b", 0.25, number, RANK, in);
          }
        }
        case "lokr" -> lokr(tensors, module, number, out, in);
        default -> {
          int blocks = in / OFT_BLOCK;
          add(
              tensors,
              module + "oft_R.weight",
              0.02,
              number,
              blocks,
              OFT_BLOCK * (OFT_BLOCK - 1) / 2);
        }
      }
    }
    return tensors;
  }

  /** w1 [l, m] whole, w2 [k, n] of rank r where that is less. */
  private static void lokr(List<Tensor> tensors, String module, int number, int out, int in) {
    int l = smallFactor(out);
    int m = smallFactor(in);
    int k = out / l;
    int n = in / m;
    add(tensors, module + "lokr_w1", 0.1, number, l, m);
    if (2 * RANK < Math.max(k, n)) {
      add(tensors, module + "lokr_w2_a", 0.1, number, k, RANK);
      add(tensors, module + "lokr_w2_b", 0.1, number, RANK, n);
    } else {
      add(tensors, module + "lokr_w2", 0.1, number, k, n);
    }
  }

  /** The largest divisor that is not above the root: PEFT's factorization(n, -1). */
  private static int smallFactor(int n) {
    int factor = (int) Math.sqrt(n);
    while (n % factor != 0) {
      factor--;
    }
    return factor;
  }

  private static void add(List<Tensor> tensors, String name, double std, int seed, long... shape) {
    tensors.add(RandomTensors.normal(name, std, seed, shape));
  }
}
