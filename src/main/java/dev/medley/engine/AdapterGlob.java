package dev.medley.engine;

import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** {@code folder/pattern}: the adapter folders directly in a folder whose names match. */
public final class AdapterGlob {
  private static final List<String> SIGNS =
      List.of(
          "adapter_config.json",
          "adapter_model.safetensors",
          "adapter_model.bin",
          SetManifest.FILE);

  private AdapterGlob() {}

  /** Whether the last part, and no other, has one of {@code * ? [} or an opening brace. */
  public static boolean isOne(String glob) {
    int slash = glob.lastIndexOf('/');
    return slash > 0
        && !glob.substring(0, slash).matches(".*[*?\\[{].*")
        && glob.substring(slash + 1).matches(".*[*?\\[{].*");
  }

  /** Where its folders are; IllegalArgumentException where that can be no folder. */
  public static Location parent(String glob) {
    return Location.of(glob.substring(0, glob.lastIndexOf('/')));
  }

  /**
   * Folders of adapters and of saved sets by name, archives of such by their name without {@code
   * .zip} and the like. What has none of an adapter's files is passed over, such as a README; half
   * an adapter is not, nor a broken archive, so that validation reports it.
   *
   * @throws LoadException where none matches, or two of one name do
   */
  public static Map<String, Location> folders(String glob, Storage storage) {
    int slash = glob.lastIndexOf('/');
    Location parent = storage.pinned(parent(glob));
    PathMatcher pattern =
        FileSystems.getDefault().getPathMatcher("glob:" + glob.substring(slash + 1));
    Map<String, Location> folders = new TreeMap<>();
    List<String> problems = new ArrayList<>();
    for (String name : storage.list(parent)) {
      Location folder = parent.resolve(name);
      if (pattern.matches(Path.of(name)) && isAdapter(storage, folder)) {
        String adapter = storage.isArchive(folder) ? folder.stem() : name;
        Location other = folders.put(adapter, folder);
        if (other != null) {
          problems.add(
              "adapter " + adapter + ": expected one, found " + other.name() + " and " + name);
        }
      }
    }
    if (!problems.isEmpty()) {
      throw new LoadException(Location.shown(glob), problems);
    }
    if (folders.isEmpty()) {
      throw new LoadException(
          Location.shown(glob),
          "expected folders with an adapter_config.json or a mixed_set.json, found none");
    }
    return folders;
  }

  private static boolean isAdapter(Storage storage, Location folder) {
    try {
      return SIGNS.stream().anyMatch(file -> storage.exists(folder.resolve(file)));
    } catch (LoadException e) {
      return true;
    }
  }
}
