package dev.medley.engine;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDManager;
import dev.medley.io.LoadException;
import dev.medley.io.Location;
import dev.medley.io.Storage;
import dev.medley.model.Head;
import dev.medley.model.TextModel;
import dev.medley.tensor.Precision;
import dev.medley.tensor.Torch;
import java.util.List;
import java.util.stream.Stream;

/**
 * A base model in the memory of one device. Immutable, for use by many engines and threads; owns
 * its arrays until {@link #close}.
 */
public final class BaseModel implements AutoCloseable {
  private static final String START_AGAIN = "start the job again";

  private static final List<String> SMALL_FILES =
      List.of(
          "config.json",
          "model.safetensors.index.json",
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "chat_template.jinja",
          "generation_config.json",
          "modules.json",
          "1_Pooling/config.json",
          "sentence_bert_config.json",
          "config_sentence_transformers.json");

  private final Storage storage;
  private final Location folder;
  private final List<String> versions;
  private final Device device;
  private final NDManager owner;
  private final TextModel model;
  private final Precision precision;
  private final SentenceFiles sentenceFiles;
  private String fingerprint; // taken when first asked for

  private BaseModel(
      Storage storage,
      Location folder,
      Head head,
      Device device,
      NDManager owner,
      Precision precision) {
    this.storage = storage;
    this.folder = folder;
    this.device = device;
    this.owner = owner;
    this.precision = precision;
    versions = versions(storage, folder);
    model = TextModel.load(storage, folder, head, owner, precision);
    sentenceFiles = SentenceFiles.of(storage, folder, head);
  }

  /**
   * Loads an HF folder with the head of a task.
   *
   * @throws dev.medley.io.LoadException with every problem
   */
  public static BaseModel load(
      Storage storage, Location folder, Head head, Device device, Precision precision) {
    NDManager owner = Torch.manager(device);
    try {
      BaseModel base = new BaseModel(storage, folder, head, device, owner, precision);
      base.checkUnchanged();
      return base;
    } catch (EngineException e) {
      owner.close();
      if (!Torch.isOutOfMemory(e)) {
        throw e;
      }
      throw new LoadException(
          folder.toString(),
          "the device "
              + Devices.name(device)
              + " has no memory for its weights; make room on the device, or load it in a dtype of"
              + " fewer bytes",
          e);
    } catch (RuntimeException | Error e) {
      owner.close();
      throw e;
    }
  }

  /**
   * Which files a base is made of, each with its length and time of change: another list means that
   * what is in memory is of other files.
   */
  public static List<String> versions(Storage storage, Location folder) {
    return names(storage, folder)
        .map(name -> name + " " + storage.version(folder.resolve(name)))
        .toList();
  }

  /**
   * Throws LoadException where this was made of other files than those of these versions; of local
   * files, whose times each machine has its own of, any will do.
   */
  public void checkMadeOf(List<String> expected) {
    if (!folder.isLocal() && !versions.equals(expected)) {
      throw new LoadException(
          folder.toString(), "its files have changed since the driver found them; " + START_AGAIN);
    }
  }

  /**
   * What a base is, told from its content: the hash of the names and hashes of all of its files,
   * those of the tokenizer among them. Reads them whole.
   */
  public static String contentHash(Storage storage, Location folder) {
    return SetManifest.hashOf(
        storage,
        folder,
        names(storage, folder).filter(name -> storage.exists(folder.resolve(name))));
  }

  private static Stream<String> names(Storage storage, Location folder) {
    return Stream.concat(
        SMALL_FILES.stream(),
        storage.list(folder).stream().filter(name -> name.endsWith(".safetensors")));
  }

  /** Throws LoadException where the files are no longer those that this was made of. */
  void checkUnchanged() {
    if (!versions(storage, folder).equals(versions)) {
      throw new LoadException(
          folder.toString(), "its files have changed since they were read; " + START_AGAIN);
    }
  }

  /**
   * {@link SetManifest#fingerprint} of the files that this was made of; reads them when first
   * asked.
   *
   * @throws LoadException where they have changed
   */
  synchronized String fingerprint() {
    if (fingerprint == null) {
      String found = SetManifest.fingerprint(storage, folder);
      checkUnchanged();
      fingerprint = found;
    }
    return fingerprint;
  }

  /** The model itself. */
  public TextModel model() {
    return model;
  }

  /** Where it lies and is computed. */
  public Device device() {
    return device;
  }

  NDManager owner() {
    return owner;
  }

  Storage storage() {
    return storage;
  }

  Location folder() {
    return folder;
  }

  Precision precision() {
    return precision;
  }

  SentenceFiles sentenceFiles() {
    return sentenceFiles;
  }

  /** The tokenizer for a task; {@code maxLength} is the caller's own limit, 0 for none. */
  TextTokenizer tokenizer(int maxLength, Task task) {
    return TextTokenizer.of(storage, folder, task, model.maxTokens(), maxLength, sentenceFiles);
  }

  @Override
  public void close() {
    owner.close();
  }
}
