package dev.medley.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What a row's adapter column means: an ordered mixed set of named members, each with a weight.
 *
 * <ul>
 *   <li>nothing, {@code ""}, {@code "__base__"}: the base model alone
 *   <li>{@code "math"}: that adapter, or the named set
 *   <li>{@code "math+polite"}, {@code ["math", "polite"]}: both, in that order
 *   <li>{@code "0.7*math+0.3*polite"}: each member's contribution scaled
 * </ul>
 *
 * @param members in order; none for the base model
 */
public record AdapterRef(List<Member> members) {
  /** PEFT's word for the base model in {@code adapter_names}. */
  public static final String BASE = "__base__";

  /** The base model alone. */
  static final AdapterRef NONE = new AdapterRef(List.of());

  /** Size of the smallest weight. */
  private static final double LEAST = 1e-6;

  private static final Pattern MEMBER =
      Pattern.compile("\\s*(?:(-?[0-9.]+(?:[eE]-?[0-9]+)?)\\s*\\*)?\\s*([^*]*?)\\s*");

  /** With it {@code 1e+3*b} would be two adapters. */
  private static final Pattern NUMBER_BEGINS = Pattern.compile("-?[0-9.]+[eE]");

  /** One adapter and the factor of its contribution. */
  public record Member(String name, double weight) {
    @Override
    public String toString() {
      return weight == 1 ? name : weight + "*" + name;
    }
  }

  /** One adapter, or a named set, as it is. */
  static AdapterRef of(String name) {
    return new AdapterRef(List.of(new Member(name, 1)));
  }

  /**
   * The same with named sets in place of their names; a weight before a set is each member's.
   *
   * @throws IllegalArgumentException for weights whose product is next to nothing
   */
  public AdapterRef expand(Map<String, AdapterRef> sets) {
    List<Member> expanded = new ArrayList<>();
    for (Member member : members) {
      AdapterRef set = sets.get(member.name());
      if (set == null) {
        expanded.add(member);
      } else {
        for (Member m : set.members) {
          expanded.add(new Member(m.name, checked(member.weight * m.weight, member.toString())));
        }
      }
    }
    return new AdapterRef(List.copyOf(expanded));
  }

  /** Whether it is one adapter as it is, and so no set of its own. */
  boolean isPlain() {
    return members.size() == 1 && members.get(0).weight() == 1;
  }

  @Override
  public String toString() {
    return members.isEmpty()
        ? BASE
        : members.stream().map(Member::toString).collect(Collectors.joining("+"));
  }

  /** Throws IllegalArgumentException where an element cannot be read. */
  public static AdapterRef parse(List<String> elements) {
    List<Member> members = new ArrayList<>();
    for (String element : elements) {
      if (element == null || element.isBlank() || element.strip().equals(BASE)) {
        if (elements.size() > 1) {
          throw new IllegalArgumentException(
              "adapter: expected names only in an array, found " + element + " in " + elements);
        }
        continue;
      }
      for (String member : element.split("\\+", -1)) {
        members.add(member(member, element));
      }
    }
    return new AdapterRef(List.copyOf(members));
  }

  private static Member member(String text, String element) {
    Matcher matcher = MEMBER.matcher(text);
    if (!matcher.matches() || matcher.group(2).isEmpty() || matcher.group(2).equals(BASE)) {
      throw new IllegalArgumentException(
          "adapter: expected name, a+b or 0.7*a+0.3*b, found " + element);
    }
    double weight = 1;
    if (matcher.group(1) != null) {
      try {
        weight = Double.parseDouble(matcher.group(1));
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(
            "adapter: expected a number before *, found " + matcher.group(1) + " in " + element, e);
      }
    }
    return new Member(matcher.group(2), checked(weight, element));
  }

  /** One that is next to nothing would leave the base's output where an adapter's was asked for. */
  static double checked(double weight, String element) {
    if (!(Math.abs(weight) >= LEAST && Math.abs(weight) <= 1 / LEAST)) {
      throw new IllegalArgumentException(
          "adapter: expected weights of a size from "
              + LEAST
              + " to "
              + 1 / LEAST
              + ", found "
              + weight
              + " in "
              + element);
    }
    return weight;
  }

  /** Throws IllegalArgumentException for a name that a column could not mean. */
  public static void checkName(String name) {
    if (name.isBlank()
        || !name.equals(name.strip())
        || name.equals(BASE)
        || name.contains("+")
        || name.contains("*")) {
      throw new IllegalArgumentException(
          "adapter name: expected one without +, * and outer blanks that is not "
              + BASE
              + ", got \""
              + name
              + "\"");
    }
    if (name.chars().anyMatch(Character::isISOControl) || NUMBER_BEGINS.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "adapter name: expected one without line breaks and the like, which is not how a number"
              + " such as 1e-3 begins, got \""
              + name
              + "\"");
    }
  }
}
