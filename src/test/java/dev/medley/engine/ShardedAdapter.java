package dev.medley.engine;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.io.Checkpoint;
import dev.medley.io.Location;
import dev.medley.io.SafetensorsWriter;
import dev.medley.io.Storage;
import dev.medley.io.TensorInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;

/** An adapter whose weights are in two files, as of one that is too large for one. */
final class ShardedAdapter {
  static final List<String> WEIGHTS =
      List.of(
          "adapter_model-00001-of-00002.safetensors",
          "adapter_model-00002-of-00002.safetensors",
          "adapter_model.safetensors.index.json");

  private ShardedAdapter() {}

  /** Writes another adapter so into a folder. */
  static Path of(Path adapter, Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.copy(adapter.resolve("adapter_config.json"), folder.resolve("adapter_config.json"));
    ObjectNode index = new ObjectMapper().createObjectNode();
    ObjectNode shards = index.putObject("weight_map");
    Location location = Location.of(adapter.toString());
    try (Checkpoint file = Checkpoint.open(Storage.standard(), location, "adapter_model")) {
      List<TensorInfo> tensors = List.copyOf(file.tensors().values());
      int half = tensors.size() / 2;
      write(file, tensors.subList(0, half), folder.resolve(WEIGHTS.get(0)), shards);
      write(file, tensors.subList(half, tensors.size()), folder.resolve(WEIGHTS.get(1)), shards);
    }
    Files.writeString(folder.resolve(WEIGHTS.get(2)), index.toString());
    return folder;
  }

  private static void write(Checkpoint file, List<TensorInfo> tensors, Path shard, ObjectNode map)
      throws IOException {
    List<SafetensorsWriter.Tensor> copies = new ArrayList<>();
    for (TensorInfo tensor : tensors) {
      byte[] bytes = new byte[(int) tensor.bytes()];
      file.slice(tensor, 0, bytes.length).get(bytes);
      List<Long> shape = LongStream.of(tensor.shape()).boxed().toList();
      copies.add(
          new SafetensorsWriter.Tensor(
              tensor.name(), tensor.type(), shape, into -> into.write(bytes)));
      map.put(tensor.name(), shard.getFileName().toString());
    }
    SafetensorsWriter.write(shard, Map.of("format", "pt"), copies);
  }
}
