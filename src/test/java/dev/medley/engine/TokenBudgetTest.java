package dev.medley.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenBudgetTest {
  /** A number is a pass of so many tokens that there was no memory for, {@code +n} n that fit. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      textBlock =
          """
          +9                            ; 4096 ; no
          4096                          ; 2048 ; yes
          4096 2048                     ; 1024 ; yes
          4096 900                      ;  450 ; yes
          100000                        ; 4096 ; no
          4096 +7                       ; 2048 ; yes
          4096 +8                       ; 4096 ; no
          4096 2048 +8                  ; 2048 ; yes
          4096 2048 +16                 ; 4096 ; no
          4096 +8 4096                  ; 2048 ; yes
          4096 +8 4096 +15              ; 2048 ; yes
          4096 +8 4096 +16              ; 4096 ; no
          4096 +8 4096 +16 4096 +31     ; 2048 ; yes
          4096 +8 4096 +16 4096 +32     ; 4096 ; no
          3 1 1                         ;    1 ; yes
          1                             ;    1 ; yes
          """)
  void halvesWhereMemoryEndsAndGrowsBackEverMoreCarefully(String events, int tokens, String isCut) {
    TokenBudget budget = new TokenBudget(4096);
    for (String event : events.split(" ")) {
      if (event.startsWith("+")) {
        for (int i = 0; i < Integer.parseInt(event.substring(1)); i++) {
          budget.fit();
        }
      } else {
        budget.overran(Integer.parseInt(event));
      }
    }
    assertThat(budget.tokens()).isEqualTo(tokens);
    assertThat(budget.isCut()).isEqualTo(isCut.equals("yes"));
  }

  /** Where memory is short for good, of 20 000 passes few are attempts in vain. */
  @Test
  void whatIsShortForGoodCostsFewAttempts() {
    TokenBudget budget = new TokenBudget(4096);
    int inVain = 0;
    for (int pass = 0; pass < 20_000; pass++) {
      if (budget.tokens() > 1000) {
        budget.overran(budget.tokens());
        inVain++;
      } else {
        budget.fit();
      }
    }
    assertThat(inVain).isBetween(10, 40);
  }
}
