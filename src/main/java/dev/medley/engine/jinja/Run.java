package dev.medley.engine.jinja;

import java.time.Clock;

/** One rendering: its clock, and what it may still do. A template is a stranger's program. */
final class Run {
  private static final int DEEPEST = 100;

  final Clock clock;
  private long left;
  private int depth;

  /**
   * @param work steps taken and characters or elements made, together
   */
  Run(Clock clock, long work) {
    this.clock = clock;
    this.left = work;
  }

  void step() {
    made(1);
  }

  /** Counts something of this length before it is made. */
  void made(long length) {
    left -= length;
    if (left < 0 || length < 0) {
      throw new JinjaException("does more than a chat template needs to do, and was stopped");
    }
  }

  /** Counts a search for a part, which may have to look at much of it at every place. */
  void search(String text, String part) {
    made((long) (text.length() * (1 + part.length() / 32.0)));
  }

  void enter() {
    if (++depth > DEEPEST) {
      throw new JinjaException("calls itself more than " + DEEPEST + " deep, and was stopped");
    }
  }

  void leave() {
    depth--;
  }
}
