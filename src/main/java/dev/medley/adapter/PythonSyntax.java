package dev.medley.adapter;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A Python regular expression, read by Python's grammar and written anew in Java's: every sign but
 * letters and digits by its number, so that only what is written here has a meaning there. What the
 * two have no common construct for is refused by a sentence that says what to write instead.
 *
 * <p>The names that are matched are ASCII letters, digits, underscores and dots, at least one: so
 * neither Unicode's classes and cases nor the ends of lines make a difference, and the flags m and
 * s none either.
 *
 * <p>Java asks for no character where the text ends, so {@link BoundedText} cannot count there. A
 * repeat of what may be nothing, as in {@code (a*)*}, is therefore refused, which the two also
 * leave at different times; and of choices between several ways to match nothing, as in {@code
 * (a?|b?)}, the product is bounded.
 */
final class PythonSyntax {
  /** Of groups in groups; Python 3.11 has some 400. */
  private static final int DEEPEST = 100;

  private static final int MOST_TIMES = 65_535;
  private static final int MOST_WAYS = 64;
  private static final int WITHOUT_END = Integer.MAX_VALUE;
  private static final Width NONE = new Width(0, 0);
  private static final Width ONE = new Width(1, 1);
  private static final Width ANCHOR = new Width(0, 0);
  private static final Pattern TIMES = Pattern.compile("\\{(?:(\\d+)(?:(,)(\\d*))?|,(\\d*))}");
  private static final Pattern NAME = Pattern.compile("([A-Za-z_][A-Za-z_0-9]*)");
  private static final Pattern FLAGS = Pattern.compile("([ims]+)\\)");
  private static final Pattern SCOPED_FLAGS = Pattern.compile("([ims]*)(?:-([ims]+))?:");

  private final String python;
  private final StringBuilder java = new StringBuilder();
  private final Map<String, Integer> names = new HashMap<>();
  private final BitSet closed = new BitSet(); // groups
  private final BitSet loose = new BitSet(); // groups that match often, or in a look-around
  private final List<Integer> references = new ArrayList<>();
  private int at;
  private int groups;
  private int lookBehinds;
  private long ways = 1;
  private boolean ignoresCase;

  /** How many characters are matched, {@link #WITHOUT_END} for any number. */
  private record Width(int least, int most) {
    Width then(Width next) {
      return new Width(sum(least, next.least), sum(most, next.most));
    }

    Width or(Width other) {
      return new Width(Math.min(least, other.least), Math.max(most, other.most));
    }

    Width times(int from, int to) {
      return new Width(product(least, from), product(most, to));
    }

    private static int sum(int a, int b) {
      return (int) Math.min(WITHOUT_END, (long) a + b);
    }

    private static int product(int a, int b) {
      return (int) Math.min(WITHOUT_END, (long) a * b);
    }
  }

  private PythonSyntax(String python) {
    this.python = python;
  }

  /**
   * Reads an expression.
   *
   * @throws PatternSyntaxException whose description says what is refused
   */
  static PythonSyntax of(String python) {
    PythonSyntax syntax = new PythonSyntax(python);
    syntax.alternatives(0);
    if (!syntax.isAtEnd()) {
      throw syntax.refused("a ) without its (, on which Python fails");
    }
    if (syntax.references.stream().anyMatch(syntax.loose::get)) {
      throw syntax.refused(
          "a back reference to a group that is repeated or in a look-around, which is not read"
              + " here; write out what it stands for");
    }
    return syntax;
  }

  /** The same in Java. */
  Pattern compile() {
    return Pattern.compile(java.toString(), ignoresCase ? Pattern.CASE_INSENSITIVE : 0);
  }

  /** Numbers of the groups that have names. */
  Map<String, Integer> names() {
    return Map.copyOf(names);
  }

  private Width alternatives(int depth) {
    Width width = null;
    int empty = 0;
    do {
      if (width != null) {
        java.append('|');
      }
      Width one = sequence(depth);
      empty += one.least == 0 ? 1 : 0;
      width = width == null ? one : width.or(one);
    } while (take("|"));
    choose(empty);
    return width;
  }

  private Width sequence(int depth) {
    Width width = NONE;
    for (skipFlags(depth); !isAtEnd() && !isAt("|") && !isAt(")"); skipFlags(depth)) {
      refuseRepeat("nothing that could be repeated");
      int group = groups + 1;
      Width item = item(depth);
      skipComments();
      if (isAtRepeat()) {
        if (item == ANCHOR) {
          refuseRepeat("an anchor");
        }
        item = repeat(item, group);
        skipComments();
        refuseRepeat("a repeat");
      }
      width = width.then(item);
    }
    return width;
  }

  private Width item(int depth) {
    char c = next();
    switch (c) {
      case '(':
        return group(depth + 1);
      case '[':
        oneOf();
        return ONE;
      case '\\':
        return escape();
      case '.':
        java.append('.');
        return ONE;
      case '^', '$':
        java.append(c);
        return ANCHOR;
      default:
        java.append(literal(c));
        return ONE;
    }
  }

  private Width group(int depth) {
    if (depth > DEEPEST) {
      throw refused("groups in more than " + DEEPEST + " groups");
    }
    if (!take("?")) {
      return capture(depth);
    }
    if (take(":")) {
      return rest("(?:", depth);
    }
    if (take("=") || take("!")) {
      return lookAround("(?" + python.charAt(at - 1), depth);
    }
    if (take("<=") || take("<!")) {
      return lookBehind("(?<" + python.charAt(at - 1), depth);
    }
    if (take("P<")) {
      String name = name(">");
      if (names.put(name, groups + 1) != null) {
        throw refused("two groups called " + name + ", on which Python fails");
      }
      return capture(depth);
    }
    if (take("P=")) {
      String name = name(")");
      if (!names.containsKey(name)) {
        throw refused("(?P=" + name + ") without a group (?P<" + name + ">…) before it");
      }
      return reference(names.get(name));
    }
    if (isAt(">")) {
      throw refused("the atomic group (?>…), which Python has since 3.11 only; write (?:…)");
    }
    if (isAt("(")) {
      throw refused("the condition (?(…)…), which Java has not; write two alternatives");
    }
    if (isAt("<")) {
      throw refused("(?<…>…), which Python has not; write (?P<…>…)");
    }
    return flagged(depth);
  }

  private Width flagged(int depth) {
    Matcher flags = SCOPED_FLAGS.matcher(python).region(at, python.length());
    if (flags.lookingAt()) {
      at = flags.end();
      String off = flags.group(2) == null ? "" : flags.group(2);
      if (flags.group(1).chars().anyMatch(flag -> off.indexOf(flag) >= 0)) {
        throw refused("a flag that is turned on and off at once, on which Python fails");
      }
      boolean respects = off.contains("i");
      return rest(respects ? "(?-i:" : flags.group(1).contains("i") ? "(?i:" : "(?:", depth);
    }
    if (FLAGS.matcher(python).region(at, python.length()).lookingAt()) {
      throw refused(
          "flags as in (?i) after the beginning, on which Python fails, also where PEFT puts text"
              + " of its own before them; write (?i:…)");
    }
    String start = python.substring(at, Math.min(python.length(), at + 2));
    throw refused(
        "(?" + start + "…, which is not read here; of flags (?i), (?m) and (?s) are, as is (?i:…)");
  }

  private Width capture(int depth) {
    int group = ++groups;
    Width width = rest("(", depth);
    closed.set(group);
    return width;
  }

  private Width lookAround(String open, int depth) {
    int group = groups + 1;
    rest(open, depth);
    loose.set(group, groups + 1);
    return NONE;
  }

  private Width lookBehind(String open, int depth) {
    int group = groups + 1;
    lookBehinds++;
    Width width = rest(open, depth);
    lookBehinds--;
    loose.set(group, groups + 1);
    if (width.least != width.most) {
      throw refused(
          "a look-behind of no fixed width, on which Python fails; write one for each width");
    }
    return NONE;
  }

  /** What a group has in it, and its end. */
  private Width rest(String open, int depth) {
    java.append(open);
    Width width = alternatives(depth);
    if (!take(")")) {
      throw refused("a ( without its ), on which Python fails");
    }
    java.append(')');
    return width;
  }

  private String name(String end) {
    Matcher name = NAME.matcher(python).region(at, python.length());
    if (!name.lookingAt() || !python.startsWith(end, name.end())) {
      throw refused("a group's name that is no ASCII identifier");
    }
    at = name.end() + 1;
    return name.group();
  }

  private Width reference(int group) {
    if (!closed.get(group)) {
      throw refused(
          "a back reference to group "
              + group
              + ", which has not ended before it, on which Python fails; PEFT's own groups count");
    }
    if (lookBehinds > 0) {
      throw refused("a back reference in a look-behind; write out what it stands for");
    }
    references.add(group);
    java.append("(?:\\").append(group).append(')'); // no digit after it is read with it
    return new Width(0, WITHOUT_END);
  }

  private Width escape() {
    if (isAtEnd()) {
      throw refused("a \\ at the end, on which Python fails");
    }
    char c = next();
    if ("AbBZ".indexOf(c) >= 0) {
      java.append('\\').append(c == 'Z' ? 'z' : c);
      return ANCHOR;
    }
    if (c >= '1' && c <= '9') {
      if (!isAtEnd() && python.charAt(at) >= '0' && python.charAt(at) <= '9') {
        throw refused("a \\ before several digits; write a group's name, (?P=…)");
      }
      return reference(c - '0');
    }
    java.append(isShorthand(c) ? "\\" + c : escaped(c));
    return ONE;
  }

  private static boolean isShorthand(char c) {
    return "dDsSwW".indexOf(c) >= 0;
  }

  private String escaped(char c) {
    if (c < 128 && Character.isLetterOrDigit(c)) {
      throw refused(
          "\\"
              + c
              + ", which Python has not or no name of a module needs; of escapes \\d \\D \\s \\S"
              + " \\w \\W, those of signs as in \\., and outside of [] \\A \\b \\B \\Z \\1 to \\9"
              + " are read here");
    }
    return literal(c);
  }

  private void oneOf() {
    java.append('[').append(take("^") ? "^" : "");
    for (int start = at; start == at || !isAt("]"); ) {
      String low = member();
      if (!take("-")) {
        java.append(low);
      } else if (isAt("]")) {
        java.append(low).append(literal('-'));
      } else {
        int from = at - 2;
        String high = member();
        if (code(low) < 0 || code(high) < code(low)) {
          String range = python.charAt(from) + "-" + python.charAt(at - 1);
          throw refused("the range " + range + ", on which Python fails; write \\- for a hyphen");
        }
        java.append(low).append('-').append(high);
      }
    }
    at++;
    java.append(']');
  }

  /** Of a set in brackets: a sign, in Java, or a shorthand. */
  private String member() {
    if (isAtEnd()) {
      throw unclosed();
    }
    char c = next();
    if (c != '\\') {
      return literal(c);
    }
    if (isAtEnd()) {
      throw unclosed();
    }
    char escaped = next();
    return isShorthand(escaped) ? "\\" + escaped : escaped(escaped);
  }

  private PatternSyntaxException unclosed() {
    return refused("a [ without its ], on which Python fails");
  }

  /** Of a sign as {@link #literal} writes it; -1 of a shorthand. */
  private static int code(String sign) {
    if (sign.length() == 1) {
      return sign.charAt(0);
    }
    return sign.charAt(1) == 'x' ? Integer.parseInt(sign.substring(2), 16) : -1;
  }

  private String literal(char c) {
    if (c >= 128) {
      throw refused("a sign that is not ASCII, which no name of a module has");
    }
    return Character.isLetterOrDigit(c) ? String.valueOf(c) : String.format("\\x%02x", (int) c);
  }

  private boolean isAtRepeat() {
    return isAt("*") || isAt("+") || isAt("?") || times().lookingAt();
  }

  private Matcher times() {
    return TIMES.matcher(python).region(at, python.length());
  }

  private void refuseRepeat(String what) {
    if (isAtRepeat()) {
      throw refused(python.charAt(at) + " after " + what + ", on which Python fails");
    }
  }

  /** Of an item, whose groups begin with that number. */
  private Width repeat(Width item, int group) {
    int least = isAt("+") ? 1 : 0;
    int most = isAt("?") ? 1 : WITHOUT_END;
    Matcher times = times();
    if (times.lookingAt()) {
      String low = times.group(1);
      String high = low == null ? times.group(4) : times.group(2) == null ? low : times.group(3);
      least = low == null ? 0 : number(low);
      most = high.isEmpty() ? WITHOUT_END : number(high);
      at = times.end();
    } else {
      at++;
    }
    if (most < least) {
      throw refused("a repeat of " + least + " to " + most + ", on which Python fails");
    }
    if (isAt("+")) {
      throw refused("a possessive repeat as in *+, which Python has since 3.11 only; drop the +");
    }
    if (item.least == 0) {
      if (most > 1) {
        throw refused(
            "a repeat of what may be nothing, as in (a*)*; write a repeat of something, as in"
                + " (a+)*");
      }
      choose(2);
    }
    loose.set(group, groups + 1);
    java.append('{').append(least).append(',').append(most == WITHOUT_END ? "" : most).append('}');
    java.append(take("?") ? "?" : "");
    return item.times(least, most);
  }

  private int number(String digits) {
    if (digits.length() > 9 || Integer.parseInt(digits) > MOST_TIMES) {
      throw refused("a repeat of more than " + MOST_TIMES);
    }
    return Integer.parseInt(digits);
  }

  private void choose(int among) {
    ways *= Math.max(1, among);
    if (ways > MOST_WAYS) {
      throw refused(
          "more than "
              + MOST_WAYS
              + " ways to match nothing, as with (a?|b?) again and again; write (a|b)?");
    }
  }

  private void skipFlags(int depth) {
    for (skipComments(); depth == 0 && java.length() == 0 && isAt("(?"); skipComments()) {
      Matcher flags = FLAGS.matcher(python).region(at + 2, python.length());
      if (!flags.lookingAt()) {
        return;
      }
      ignoresCase |= flags.group(1).contains("i");
      at = flags.end();
    }
  }

  private void skipComments() {
    while (isAt("(?#")) {
      int end = python.indexOf(')', at);
      if (end < 0) {
        throw refused("a (?# without its ), on which Python fails");
      }
      at = end + 1;
    }
  }

  private boolean isAtEnd() {
    return at == python.length();
  }

  private boolean isAt(String text) {
    return python.startsWith(text, at);
  }

  private boolean take(String text) {
    boolean isThere = isAt(text);
    at += isThere ? text.length() : 0;
    return isThere;
  }

  private char next() {
    return python.charAt(at++);
  }

  private PatternSyntaxException refused(String what) {
    return new PatternSyntaxException(what, python, at);
  }
}
