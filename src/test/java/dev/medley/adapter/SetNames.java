package dev.medley.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.medley.adapter.MixedSet.Member;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/** Reads what fixtures call a set, such as {@code 0.7*lora+oft}. */
public final class SetNames {
  private static final List<String> SIX =
      List.of("lora", "loha", "lokr", "adalora", "oft", "shira");

  private SetNames() {}

  /** The members in their order, each adapter by its name. */
  public static List<Member> members(String set, Function<String, Adapter> adapters) {
    return Stream.of(set.split("\\+"))
        .map(
            member -> {
              int star = member.indexOf('*');
              double weight = star < 0 ? 1 : Double.parseDouble(member.substring(0, star));
              return new Member(adapters.apply(member.substring(star + 1)), weight);
            })
        .toList();
  }

  /** Every ordered pair of the six types that PEFT mixes, a hundred larger sets, scaled ones. */
  public static void assertEnough(List<String> sets) {
    for (String inner : SIX) {
      for (String outer : SIX) {
        assertThat(sets).contains(inner + "+" + outer + (inner.equals(outer) ? "2" : ""));
      }
    }
    assertThat(sets.stream().filter(set -> set.matches("[^*+]+(\\+[^*+]+){2,4}")))
        .hasSizeGreaterThanOrEqualTo(100);
    assertThat(sets.stream().filter(set -> set.contains("*"))).hasSizeGreaterThanOrEqualTo(12);
  }
}
