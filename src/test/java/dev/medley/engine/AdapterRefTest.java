package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.medley.engine.AdapterRef.Member;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterRefTest {
  private static List<Member> members(String... elements) {
    return AdapterRef.parse(Arrays.asList(elements)).members();
  }

  @Test
  void nothingIsTheBase() {
    assertThat(members()).isEmpty();
    assertThat(members("")).isEmpty();
    assertThat(members("  ")).isEmpty();
    assertThat(members("__base__")).isEmpty();
    assertThat(members(" __base__ ")).isEmpty();
    assertThat(members((String) null)).isEmpty();
  }

  @Test
  void nameIsOneMember() {
    assertThat(members("math")).containsExactly(new Member("math", 1));
    assertThat(members(" de-at/v2.1 ")).containsExactly(new Member("de-at/v2.1", 1));
  }

  @Test
  void setsKeepTheirOrderAndWeights() {
    assertThat(members("b+a")).containsExactly(new Member("b", 1), new Member("a", 1));
    assertThat(members("b", "a")).containsExactly(new Member("b", 1), new Member("a", 1));
    assertThat(members("0.7*a + -3e-1 * b"))
        .containsExactly(new Member("a", 0.7), new Member("b", -0.3));
  }

  @ParameterizedTest
  @ValueSource(strings = {"a+", "+a", "a++b", "0.7*", "*a", "x*a", "1.2.3*a", "a+__base__", "a*b"})
  void whatCannotBeReadIsNotTheBase(String column) {
    assertThatThrownBy(() -> members(column))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(column);
  }

  @Test
  void arrayHoldsNamesOnly() {
    assertThatThrownBy(() -> members("a", null))
        .hasMessage("adapter: expected names only in an array, found null in [a, null]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " a", "a+b", "2*a", "__base__", "a\n+b", "a\nb", "1e", "-2.5E"})
  void nameThatAColumnCouldNotMeanIsRefused(String name) {
    assertThatThrownBy(() -> AdapterRef.checkName(name))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageEndingWith("got \"" + name + "\"");
  }
}
