package dev.medley.adapter;

import dev.medley.io.LoadException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * How the tensors of one adapter landed on one base.
 *
 * @param missingKeys tensors that the config asks for and the file lacks, PEFT's {@code
 *     missing_keys}
 * @param unexpectedKeys tensors of the file that no module takes, PEFT's {@code unexpected_keys}
 * @param idleKeys tensors that land on a module which this task does not run, such as a
 *     classifier's under feature extraction
 * @param problems everything that makes the adapter unfit, the two lists above included
 * @param targets paths of the modules that it changes
 * @param saved paths of the modules that it brings whole, PEFT's {@code modules_to_save}
 * @param shapes of the parameters that the adapter brings whole, by name; weights of the base only
 *     where they were read and are not the base's own
 * @param bias whether it has biases in place of the base's, PEFT's {@code bias} other than none
 * @param bytes of its tensors in the file
 * @param work of its changes to linear maps
 */
public record AdapterReport(
    List<String> missingKeys,
    List<String> unexpectedKeys,
    List<String> idleKeys,
    List<String> problems,
    Set<String> targets,
    Set<String> saved,
    Map<String, long[]> shapes,
    boolean bias,
    long bytes,
    Work work) {

  /** Throws all problems at once; {@code where} names the adapter's folder. */
  public void orThrow(String where) {
    if (!problems.isEmpty()) {
      throw new LoadException(where, problems);
    }
  }

  /** Whether the parameter is one of a module that the adapter brings whole. */
  boolean owns(String parameter) {
    return saved.contains(parameter.substring(0, parameter.lastIndexOf('.')));
  }

  /** Whether it is brought for {@code bias} alone, and so gives way to who brings its module. */
  private boolean isBiasAlone(String parameter) {
    return bias && parameter.endsWith(".bias") && !owns(parameter);
  }

  /**
   * Why two adapters cannot stand in one set: every parameter has one owner, a module that one
   * brings whole is not changed by the other, and, as in PEFT, one alone may replace biases.
   */
  public static List<String> conflicts(
      String name, AdapterReport one, String otherName, AdapterReport other) {
    List<String> problems = new ArrayList<>();
    Set<String> both = new TreeSet<>(one.shapes.keySet());
    both.retainAll(other.shapes.keySet());
    both.removeIf(parameter -> one.isBiasAlone(parameter) || other.isBiasAlone(parameter));
    for (String parameter : both) {
      problems.add(
          parameter
              + ": both "
              + name
              + " and "
              + otherName
              + " bring it; a set takes it from one member");
    }
    problems.addAll(brought(name, one, otherName, other));
    problems.addAll(brought(otherName, other, name, one));
    if (one.bias && other.bias) {
      problems.add(
          "bias: both "
              + name
              + " and "
              + otherName
              + " replace the base's biases; PEFT, too, takes one adapter with bias in a set");
    }
    return problems;
  }

  private static List<String> brought(
      String owner, AdapterReport whole, String name, AdapterReport change) {
    return change.targets.stream()
        .filter(whole.saved::contains)
        .sorted()
        .map(
            path ->
                path
                    + ": "
                    + owner
                    + " brings this module whole and "
                    + name
                    + " changes it; a set takes it from one member")
        .toList();
  }
}
