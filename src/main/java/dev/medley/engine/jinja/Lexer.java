package dev.medley.engine.jinja;

import dev.medley.engine.jinja.Token.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * A template's text → tokens, by the rules of jinja2/lexer.py with {@code trim_blocks} and {@code
 * lstrip_blocks}, and without {@code keep_trailing_newline}: a block or comment swallows the line
 * break behind it and the blanks between it and the start of its line; a minus swallows all white
 * space on its side, a plus keeps it.
 */
final class Lexer {
  /** Longest first. */
  private static final List<String> OPERATORS =
      List.of(
          "//", "**", "==", "!=", ">=", "<=", ">", "<", "=", ".", ":", "|", ",", ";", "~", "+", "-",
          "*", "/", "%", "(", ")", "[", "]", "{", "}");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int line = 1;
  private boolean lineStarts = true;

  private Lexer(String source) {
    String text = source.replace("\r\n", "\n").replace('\r', '\n');
    this.source = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
  }

  static List<Token> tokens(String source) {
    Lexer lexer = new Lexer(source);
    lexer.data();
    return lexer.tokens;
  }

  private void data() {
    while (at < source.length()) {
      int begin = nextBegin(at);
      if (begin < 0) {
        add(Kind.DATA, source.substring(at));
        break;
      }
      char kind = source.charAt(begin + 1);
      char sign = sign(begin + 2);
      String text = before(source.substring(at, begin), sign, kind != '{');
      if (!text.isEmpty()) {
        add(Kind.DATA, text);
      }
      moveTo(begin + 2 + (sign == 0 ? 0 : 1));
      lineStarts = false;
      switch (kind) {
        case '#' -> comment();
        case '{' -> code(Kind.PRINT_BEGIN, Kind.PRINT_END, "}}");
        default -> {
          if (!raw()) {
            code(Kind.TAG_BEGIN, Kind.TAG_END, "%}");
          }
        }
      }
    }
    add(Kind.END, "");
  }

  private int nextBegin(int from) {
    for (int i = source.indexOf('{', from); i >= 0; i = source.indexOf('{', i + 1)) {
      if (i + 1 < source.length() && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return -1;
  }

  /** Minus, plus, or 0 for neither. */
  private char sign(int i) {
    return i < source.length() && (source.charAt(i) == '-' || source.charAt(i) == '+')
        ? source.charAt(i)
        : 0;
  }

  /** The text before a tag, as far as the tag leaves it. */
  private String before(String text, char sign, boolean block) {
    if (sign == '-') {
      return Text.rstrip(text);
    }
    if (sign == '+' || !block) {
      return text;
    }
    int start = text.lastIndexOf('\n') + 1;
    boolean blank = start < text.length() && Text.isSpace(text.substring(start));
    return (start > 0 || lineStarts) && blank ? text.substring(0, start) : text;
  }

  private void comment() {
    int end = source.indexOf("#}", at);
    if (end < 0) {
      throw JinjaException.at(line, "Missing end of comment tag");
    }
    after(end > at ? source.charAt(end - 1) : 0, end + 2);
  }

  /** Goes behind a block's end, and what that swallows. */
  private void after(char sign, int end) {
    int to = end;
    if (sign == '-') {
      to = Text.skipSpace(source, end);
    } else if (sign != '+' && end < source.length() && source.charAt(end) == '\n') {
      to = end + 1;
    }
    moveTo(to);
    lineStarts = source.charAt(to - 1) == '\n';
  }

  /** Everything up to endraw, where a raw block begins here. */
  private boolean raw() {
    int name = Text.skipSpace(source, at);
    if (!source.startsWith("raw", name)) {
      return false;
    }
    int end = Text.skipSpace(source, name + 3);
    char sign = source.startsWith("-%}", end) ? '-' : 0;
    if (sign == 0 && !source.startsWith("%}", end)) {
      return false;
    }
    int start = sign == 0 ? end + 2 : Text.skipSpace(source, end + 3);
    for (int i = source.indexOf("{%", start); i >= 0; i = source.indexOf("{%", i + 1)) {
      char before = sign(i + 2);
      int word = Text.skipSpace(source, i + 2 + (before == 0 ? 0 : 1));
      if (source.startsWith("endraw", word)) {
        int close = Text.skipSpace(source, word + 6);
        char last = sign(close);
        close += last == 0 ? 0 : 1;
        if (source.startsWith("%}", close)) {
          lineStarts = source.charAt(start - 1) == '\n';
          String text = before(source.substring(start, i), before, true);
          moveTo(start);
          if (!text.isEmpty()) {
            add(Kind.DATA, text);
          }
          after(last, close + 2);
          return true;
        }
      }
    }
    throw JinjaException.at(line, "Missing end of raw directive");
  }

  private void code(Kind begin, Kind end, String close) {
    add(begin, "");
    Deque<Character> open = new ArrayDeque<>();
    while (true) {
      int from = at;
      moveTo(Text.skipSpace(source, at));
      if (at >= source.length()) {
        return;
      }
      char sign = sign(at);
      boolean signed = sign != 0 && source.startsWith(close, at + 1);
      if (open.isEmpty()
          && (source.startsWith(close, at) || signed && (sign == '-' || end == Kind.TAG_END))) {
        add(end, "");
        int behind = at + close.length() + (signed ? 1 : 0);
        if (end == Kind.TAG_END) {
          after(signed ? sign : 0, behind);
        } else {
          int to = signed ? Text.skipSpace(source, behind) : behind;
          moveTo(to);
          lineStarts = source.charAt(to - 1) == '\n';
        }
        return;
      }
      char c = source.charAt(at);
      if (c >= '0' && c <= '9') {
        number(from);
      } else if (c == '_' || Character.isUnicodeIdentifierStart(source.codePointAt(at))) {
        name();
      } else if (c == '\'' || c == '"') {
        string(c);
      } else {
        operator(open);
      }
    }
  }

  private void name() {
    int end = at;
    while (end < source.length()) {
      int c = source.codePointAt(end);
      if (Character.isIdentifierIgnorable(c) || !Character.isUnicodeIdentifierPart(c)) {
        break;
      }
      end += Character.charCount(c);
    }
    take(Kind.NAME, end);
  }

  private void number(int from) {
    if (source.charAt(at) == '0' && at + 1 < source.length()) {
      int radix = "box".indexOf(Character.toLowerCase(source.charAt(at + 1)));
      if (radix >= 0) {
        int end = digits(at + 2, new int[] {2, 8, 16}[radix]);
        String text = source.substring(at + 2, end).replace("_", "");
        if (!text.isEmpty()) {
          String value = new java.math.BigInteger(text, new int[] {2, 8, 16}[radix]).toString();
          add(Kind.INTEGER, value);
          moveTo(end);
          return;
        }
      }
    }
    int whole = digits(at, 10);
    int end = whole;
    boolean afterDot = from == at && at > 0 && source.charAt(at - 1) == '.';
    if (!afterDot) {
      if (end < source.length() && source.charAt(end) == '.' && digits(end + 1, 10) > end + 1) {
        end = digits(end + 1, 10);
      }
      if (end < source.length() && Character.toLowerCase(source.charAt(end)) == 'e') {
        int digits = end + 1 + (sign(end + 1) == 0 ? 0 : 1);
        end = digits(digits, 10) > digits ? digits(digits, 10) : end;
      }
    }
    String text = source.substring(at, end).replace("_", "");
    if (end == whole && text.length() > 1 && text.startsWith("0") && !text.matches("0+")) {
      throw JinjaException.at(line, "unexpected number " + text);
    }
    add(end == whole ? Kind.INTEGER : Kind.FLOAT, text);
    moveTo(end);
  }

  private int digits(int from, int radix) {
    int end = from;
    while (end < source.length()) {
      char c = source.charAt(end);
      boolean digit = c < 128 && Character.digit(c, radix) >= 0;
      boolean between =
          c == '_'
              && end > from
              && end + 1 < source.length()
              && source.charAt(end + 1) < 128
              && Character.digit(source.charAt(end + 1), radix) >= 0;
      if (!digit && !between) {
        break;
      }
      end++;
    }
    return end;
  }

  private void string(char quote) {
    int end = at + 1;
    while (end < source.length() && source.charAt(end) != quote) {
      end += source.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= source.length()) {
      throw JinjaException.at(line, "unexpected char " + Text.repr(String.valueOf(quote)));
    }
    add(Kind.STRING, Text.unescape(source.substring(at + 1, end)));
    moveTo(end + 1);
  }

  private void operator(Deque<Character> open) {
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        char c = operator.charAt(0);
        if ("([{".indexOf(c) >= 0) {
          open.push(c == '(' ? ')' : c == '[' ? ']' : '}');
        } else if (")]}".indexOf(c) >= 0) {
          if (open.isEmpty() || open.pop() != c) {
            throw JinjaException.at(line, "unexpected '" + c + "'");
          }
        }
        take(Kind.OPERATOR, at + operator.length());
        return;
      }
    }
    String c = Character.toString(source.codePointAt(at));
    throw JinjaException.at(line, "unexpected char " + Text.repr(c));
  }

  private void take(Kind kind, int end) {
    add(kind, source.substring(at, end));
    moveTo(end);
  }

  private void add(Kind kind, String text) {
    tokens.add(new Token(kind, text, line));
  }

  private void moveTo(int to) {
    for (int i = at; i < to; i++) {
      line += source.charAt(i) == '\n' ? 1 : 0;
    }
    at = to;
  }
}
