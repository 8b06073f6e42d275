package dev.medley.engine;

import java.util.List;

/**
 * Where a row's result comes from: which bytes made it, how and on what. It says what was done, not
 * what was planned; of a row in error it says what is known, and null for the rest.
 *
 * @param base fingerprint of the base model, see {@link SetManifest#fingerprint}
 * @param adapterSet the ordered set that the row asked for with every named set and weight written
 *     out, the same for all spellings, such as {@code 0.7*math+polite}; {@code __base__} for none;
 *     null where the adapter column could not be read
 * @param adapters the set's members in its order, none for the base; null where no forward pass
 *     took the row
 * @param version of Medley
 * @param mode {@code base}, {@code added} (the set's shares to the base's products), {@code merged}
 *     (into weights for the rows of a window) or {@code scratch} (into weights anew for each
 *     product); null where no forward pass took the row
 * @param device as torch writes it: {@code cpu}, {@code cuda:0}
 * @param tokens that the model was given for the row, those that it generated included; null where
 *     no forward pass took the row
 * @param truncated whether the text has more tokens than that; null where it was not made into any
 */
public record Lineage(
    String base,
    String adapterSet,
    List<Member> adapters,
    String version,
    String mode,
    String device,
    Integer tokens,
    Boolean truncated) {

  /**
   * An adapter as it was loaded.
   *
   * @param weight that its contribution has
   * @param sha256 of {@code adapter_model.safetensors}; where that is split into several files, of
   *     their hashes and names
   * @param configSha256 of {@code adapter_config.json}
   */
  public record Member(String name, double weight, String sha256, String configSha256) {
    Member weighing(double other) {
      return new Member(name, other, sha256, configSha256);
    }
  }
}
