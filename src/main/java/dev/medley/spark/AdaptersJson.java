package dev.medley.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.medley.engine.AdapterRef;
import dev.medley.engine.AdapterSource;
import dev.medley.io.Location;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A transformer's adapters as one parameter, since Spark ML saves no maps: {@code {"topic": "path",
 * "mood": {"path": "…", "labels": ["calm", "angry"]}}}.
 */
final class AdaptersJson {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private AdaptersJson() {}

  static String write(Map<String, AdapterSource> adapters) {
    ObjectNode json = MAPPER.createObjectNode();
    adapters.forEach(
        (name, source) -> {
          if (source.labels().isEmpty() && source.sha256() == null) {
            json.put(name, source.uri());
          } else {
            ObjectNode adapter = json.putObject(name).put("path", source.uri());
            if (!source.labels().isEmpty()) {
              source.labels().forEach(adapter.putArray("labels")::add);
            }
            if (source.sha256() != null) {
              adapter.put("sha256", source.sha256());
            }
          }
        });
    return json.toString();
  }

  /** Throws IllegalArgumentException for anything else, and for a name that no row could use. */
  static Map<String, AdapterSource> read(String text) {
    JsonNode json;
    try {
      json = MAPPER.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("adapters: " + e.getOriginalMessage(), e);
    }
    if (!json.isObject()) {
      throw wrong("adapters", "an object of paths by name", json);
    }
    Map<String, AdapterSource> adapters = new LinkedHashMap<>();
    json.properties()
        .forEach(
            adapter -> {
              AdapterRef.checkName(adapter.getKey());
              adapters.put(
                  adapter.getKey(), source("adapters." + adapter.getKey(), adapter.getValue()));
            });
    return adapters;
  }

  static String writeSets(Map<String, List<String>> sets) {
    ObjectNode json = MAPPER.createObjectNode();
    sets.forEach((name, members) -> members.forEach(json.withArray(name)::add));
    return json.toString();
  }

  /** Throws IllegalArgumentException for anything but names with arrays of members. */
  static Map<String, List<String>> readSets(String text) {
    JsonNode json;
    try {
      json = MAPPER.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("sets: " + e.getOriginalMessage(), e);
    }
    if (!json.isObject()) {
      throw wrong("sets", "an object of arrays by name", json);
    }
    Map<String, List<String>> sets = new LinkedHashMap<>();
    for (var set : json.properties()) {
      AdapterRef.checkName(set.getKey());
      List<String> members = new ArrayList<>();
      for (JsonNode member : set.getValue()) {
        members.add(member.asText());
      }
      if (!set.getValue().isArray() || members.isEmpty()) {
        throw wrong("sets." + set.getKey(), "an array of adapters", set.getValue());
      }
      AdapterRef.parse(members);
      sets.put(set.getKey(), members);
    }
    return sets;
  }

  private static AdapterSource source(String where, JsonNode json) {
    if (json.isTextual()) {
      return AdapterSource.of(path(where, json));
    }
    if (!json.isObject()) {
      throw wrong(where, "a path, or an object with path, labels and sha256", json);
    }
    json.fieldNames()
        .forEachRemaining(
            key -> {
              if (!List.of("path", "labels", "sha256").contains(key)) {
                throw new IllegalArgumentException(
                    where + ": expected path, labels and sha256, found key " + key);
              }
            });
    List<String> labels = new ArrayList<>();
    JsonNode array = json.path("labels");
    if (!array.isMissingNode() && !array.isArray()) {
      throw wrong(where + ".labels", "an array of strings", array);
    }
    for (JsonNode label : array) {
      if (!label.isTextual()) {
        throw wrong(where + ".labels", "strings", label);
      }
      labels.add(label.textValue());
    }
    AdapterSource source = AdapterSource.of(path(where + ".path", json.path("path")), labels);
    return json.has("sha256") ? source.withSha256(json.path("sha256").asText()) : source;
  }

  private static String path(String where, JsonNode json) {
    if (!json.isTextual() || json.textValue().isBlank()) {
      throw wrong(where, "a path or URI", json);
    }
    return json.textValue();
  }

  private static IllegalArgumentException wrong(String where, String expected, JsonNode found) {
    return new IllegalArgumentException(
        where
            + ": expected "
            + expected
            + ", found "
            + (found.isMissingNode() ? "none" : Location.redacted(found.toString())));
  }
}
