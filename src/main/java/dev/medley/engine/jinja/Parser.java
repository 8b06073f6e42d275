package dev.medley.engine.jinja;

import dev.medley.engine.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** Tokens → something that runs, by the grammar of jinja2/parser.py. */
final class Parser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
  private static final Set<String> REFUSED_TAGS =
      Set.of("block", "extends", "include", "import", "from", "autoescape", "print");

  /** A value in a scope. */
  interface Expression {
    Object of(Scope scope);
  }

  /** Writes to a scope and sets names in it. */
  interface Statement {
    Flow run(Scope scope);
  }

  /** Where a value goes. */
  private interface Target {
    void set(Scope scope, Object value);
  }

  /** What a statement leaves to do in the loop that it is in. */
  enum Flow {
    NEXT,
    BREAK,
    CONTINUE
  }

  record Body(List<Statement> statements) {
    Flow run(Scope scope) {
      for (Statement statement : statements) {
        scope.run.step();
        Flow flow = statement.run(scope);
        if (flow != Flow.NEXT) {
          return flow;
        }
      }
      return Flow.NEXT;
    }

    String text(Scope scope) {
      Scope inner = scope.capture();
      run(inner);
      return inner.out.toString();
    }
  }

  private record Call(List<Expression> positional, Map<String, Expression> named) {
    Arguments in(Scope scope) {
      List<Object> values = new ArrayList<>();
      positional.forEach(value -> values.add(value.of(scope)));
      Map<String, Object> byName = new LinkedHashMap<>();
      named.forEach((name, value) -> byName.put(name, value.of(scope)));
      return new Arguments(values, byName);
    }
  }

  private final List<Token> tokens;
  private final Set<String> names = new HashSet<>();
  private int at;
  private int loops;

  private Parser(List<Token> tokens) {
    this.tokens = tokens;
  }

  /** The template, and what names it mentions. */
  record Parsed(Body body, Set<String> names) {}

  static Parsed parse(String source) {
    Parser parser = new Parser(Lexer.tokens(source));
    Body body = parser.body();
    return new Parsed(body, Set.copyOf(parser.names));
  }

  // Statements

  /** Up to one of these tags, which is next then, behind its beginning. */
  private Body body(String... ends) {
    List<Statement> statements = new ArrayList<>();
    while (true) {
      Token token = next();
      switch (token.kind()) {
        case DATA -> {
          String text = token.text();
          statements.add(
              scope -> {
                scope.print(text);
                return Flow.NEXT;
              });
        }
        case PRINT_BEGIN -> {
          Expression value = tuple(true);
          expect(Kind.PRINT_END);
          statements.add(
              scope -> {
                scope.print(Py.str(scope.run, value.of(scope)));
                return Flow.NEXT;
              });
        }
        case TAG_BEGIN -> {
          if (peek().kind() == Kind.NAME && List.of(ends).contains(peek().text())) {
            return new Body(statements);
          }
          statements.add(tag());
        }
        default -> {
          if (token.kind() == Kind.END && ends.length == 0) {
            return new Body(statements);
          }
          throw fails(
              token.kind() == Kind.END
                  ? "Unexpected end of template, expected " + String.join(" or ", ends)
                  : "unexpected '" + token + "'");
        }
      }
    }
  }

  /** A body and the end of its tag. */
  private Body bodyAndEnd(String end) {
    Body body = body(end);
    next();
    expect(Kind.TAG_END);
    return body;
  }

  private Statement tag() {
    Token name = expect(Kind.NAME);
    if (REFUSED_TAGS.contains(name.text())) {
      throw JinjaException.at(
          name.line(), JinjaException.unsupported("the tag " + name.text()).getMessage());
    }
    return switch (name.text()) {
      case "if" -> conditional();
      case "for" -> loop();
      case "set" -> assignment();
      case "macro" -> macro();
      case "call" -> callBlock();
      case "filter" -> filterBlock();
      case "with" -> with();
      case "generation" -> generation();
      case "break" -> jump(Flow.BREAK);
      case "continue" -> jump(Flow.CONTINUE);
      default ->
          throw JinjaException.at(
              name.line(), "Encountered unknown tag " + Text.repr(name.text()) + ".");
    };
  }

  private Statement jump(Flow flow) {
    if (loops == 0) {
      throw fails("break or continue outside of a loop");
    }
    expect(Kind.TAG_END);
    return scope -> flow;
  }

  private Statement conditional() {
    List<Expression> tests = new ArrayList<>();
    List<Body> bodies = new ArrayList<>();
    String tag = "if";
    while (!tag.equals("endif")) {
      tests.add(tag.equals("else") ? scope -> true : tuple(false));
      expect(Kind.TAG_END);
      bodies.add(tag.equals("else") ? body("endif") : body("elif", "else", "endif"));
      tag = next().text();
    }
    expect(Kind.TAG_END);
    return scope -> {
      for (int i = 0; i < tests.size(); i++) {
        if (Py.truth(tests.get(i).of(scope))) {
          return bodies.get(i).run(scope);
        }
      }
      return Flow.NEXT;
    };
  }

  private Statement loop() {
    Target target = target();
    expectName("in");
    Expression all = tuple(false);
    Expression condition = skipName("if") ? expression() : null;
    if (peek().isName("recursive")) {
      throw JinjaException.at(
          peek().line(), JinjaException.unsupported("a recursive loop").getMessage());
    }
    expect(Kind.TAG_END);
    loops++;
    Body body = body("endfor", "else");
    loops--;
    Body orElse = null;
    if (next().isName("else")) {
      expect(Kind.TAG_END);
      orElse = body("endfor");
      next();
    }
    expect(Kind.TAG_END);
    Body empty = orElse;
    return scope -> {
      List<Object> items = items(scope, all, target, condition);
      Loop loop = new Loop(items);
      for (int i = 0; i < items.size(); i++) {
        scope.run.step();
        loop.at = i;
        Scope inner = scope.inner();
        inner.set("loop", loop);
        target.set(inner, items.get(i));
        if (body.run(inner) == Flow.BREAK) {
          break;
        }
      }
      return items.isEmpty() && empty != null ? empty.run(scope.inner()) : Flow.NEXT;
    };
  }

  private static List<Object> items(
      Scope scope, Expression all, Target target, Expression condition) {
    List<Object> items = new ArrayList<>();
    for (Iterator<Object> rest = Py.iterator(scope.run, all.of(scope)); rest.hasNext(); ) {
      Object item = rest.next();
      scope.run.step();
      Scope inner = scope.inner();
      target.set(inner, item);
      if (condition == null || Py.truth(condition.of(inner))) {
        items.add(item);
      }
    }
    return items;
  }

  private Statement assignment() {
    Target target = target();
    if (skip("=")) {
      Expression value = tuple(true);
      expect(Kind.TAG_END);
      return scope -> {
        target.set(scope, value.of(scope));
        return Flow.NEXT;
      };
    }
    Expression[] text = new Expression[1];
    Expression filtered = peek().is("|") ? filters(scope -> text[0].of(scope)) : null;
    expect(Kind.TAG_END);
    Body body = outsideOfLoops(() -> bodyAndEnd("endset"));
    text[0] = body::text;
    return scope -> {
      target.set(scope, filtered == null ? body.text(scope) : filtered.of(scope));
      return Flow.NEXT;
    };
  }

  private Statement macro() {
    String name = expect(Kind.NAME).text();
    Supplier<Statement> rest =
        () -> {
          List<Macro.Parameter> parameters = parameters();
          expect(Kind.TAG_END);
          Set<String> outside = new HashSet<>(names);
          names.clear();
          Body body = bodyAndEnd("endmacro");
          Set<String> extras = new HashSet<>(Set.of("caller", "kwargs", "varargs"));
          extras.retainAll(names);
          names.addAll(outside);
          return scope -> {
            scope.set(name, new Macro(name, parameters, extras, body, scope));
            return Flow.NEXT;
          };
        };
    return outsideOfLoops(rest);
  }

  private List<Macro.Parameter> parameters() {
    List<Macro.Parameter> parameters = new ArrayList<>();
    expect("(");
    while (!peek().is(")")) {
      if (!parameters.isEmpty()) {
        expect(",");
      }
      String name = expect(Kind.NAME).text();
      Expression orElse = skip("=") ? expression() : null;
      if (orElse == null && !parameters.isEmpty() && last(parameters).orElse() != null) {
        throw fails("non-default argument follows default argument");
      }
      parameters.add(new Macro.Parameter(name, orElse));
    }
    expect(")");
    return parameters;
  }

  private static Macro.Parameter last(List<Macro.Parameter> parameters) {
    return parameters.get(parameters.size() - 1);
  }

  private Statement callBlock() {
    List<Macro.Parameter> parameters = peek().is("(") ? parameters() : List.of();
    Expression function = primary();
    while (peek().is(".") || peek().is("[")) {
      function = subscript(function);
    }
    if (!peek().is("(")) {
      throw fails("expected call");
    }
    Call call = call();
    expect(Kind.TAG_END);
    Body body = outsideOfLoops(() -> bodyAndEnd("endcall"));
    Expression called = function;
    return scope -> {
      Arguments arguments = call.in(scope);
      arguments.named.put("caller", new Macro("caller", parameters, Set.of(), body, scope));
      Object result = Py.call(scope.run, called.of(scope), arguments);
      scope.print(Py.str(scope.run, result));
      return Flow.NEXT;
    };
  }

  private Statement filterBlock() {
    Expression[] text = new Expression[1];
    at--; // the tag's own name stands where the | would
    Expression filtered = filters(scope -> text[0].of(scope));
    expect(Kind.TAG_END);
    Body body = outsideOfLoops(() -> bodyAndEnd("endfilter"));
    text[0] = body::text;
    return scope -> {
      scope.print(Py.str(scope.run, filtered.of(scope)));
      return Flow.NEXT;
    };
  }

  private Statement with() {
    List<Target> targets = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (peek().kind() != Kind.TAG_END) {
      if (!targets.isEmpty()) {
        expect(",");
      }
      targets.add(oneTarget());
      expect("=");
      values.add(expression());
    }
    expect(Kind.TAG_END);
    Body body = bodyAndEnd("endwith");
    return scope -> {
      Scope inner = scope.inner();
      for (int i = 0; i < targets.size(); i++) {
        targets.get(i).set(inner, values.get(i).of(scope));
      }
      return body.run(inner);
    };
  }

  /** Marks what the assistant says, for training; here it is only a scope. */
  private Statement generation() {
    expect(Kind.TAG_END);
    Body body = outsideOfLoops(() -> bodyAndEnd("endgeneration"));
    return scope -> {
      scope.print(body.text(scope));
      return Flow.NEXT;
    };
  }

  /** Bodies that become functions of their own in Jinja2, which no break leaves. */
  private <T> T outsideOfLoops(Supplier<T> parsing) {
    int outside = loops;
    loops = 0;
    T parsed = parsing.get();
    loops = outside;
    return parsed;
  }

  private Target target() {
    List<Target> targets = new ArrayList<>(List.of(oneTarget()));
    boolean tuple = false;
    while (skip(",")) {
      tuple = true;
      if (peek().kind() == Kind.TAG_END || peek().isName("in") || peek().is("=")) {
        break;
      }
      targets.add(oneTarget());
    }
    return tuple ? unpacking(targets) : targets.get(0);
  }

  private Target oneTarget() {
    if (skip("(")) {
      Target inner = target();
      expect(")");
      return inner;
    }
    String name = expect(Kind.NAME).text();
    if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) {
      throw fails("can't assign to " + name);
    }
    if (!skip(".")) {
      return (scope, value) -> scope.set(name, value);
    }
    String attribute = expect(Kind.NAME).text();
    return (scope, value) -> {
      if (!(scope.get(name) instanceof Py.Namespace namespace)) {
        throw new JinjaException("cannot assign attribute on non-namespace object");
      }
      namespace.values().put(attribute, value);
    };
  }

  private static Target unpacking(List<Target> targets) {
    return (scope, value) -> {
      List<Object> values = Py.list(scope.run, value);
      if (values.size() != targets.size()) {
        throw new JinjaException(
            "expected " + targets.size() + " values to unpack, found " + values.size());
      }
      for (int i = 0; i < values.size(); i++) {
        targets.get(i).set(scope, values.get(i));
      }
    };
  }

  // Expressions, from the loosest operator to the tightest

  /** One expression, or a tuple of them without its parentheses. */
  private Expression tuple(boolean conditions) {
    List<Expression> items = new ArrayList<>();
    boolean tuple = false;
    while (!ends()) {
      items.add(conditions ? expression() : or());
      if (!skip(",")) {
        break;
      }
      tuple = true;
    }
    if (!tuple && items.isEmpty()) {
      throw fails("Expected an expression, got '" + peek() + "'");
    }
    return tuple ? tupleOf(items) : items.get(0);
  }

  private boolean ends() {
    Kind kind = peek().kind();
    return kind == Kind.PRINT_END || kind == Kind.TAG_END || peek().is(")");
  }

  private static Expression tupleOf(List<Expression> items) {
    return scope -> new Py.Tuple(values(scope, items));
  }

  private static List<Object> values(Scope scope, List<Expression> items) {
    List<Object> values = new ArrayList<>();
    for (Expression item : items) {
      scope.run.step();
      values.add(item.of(scope));
    }
    return values;
  }

  private Expression expression() {
    Expression value = or();
    while (skipName("if")) {
      Expression then = value;
      Expression test = or();
      Expression orElse =
          skipName("else")
              ? expression()
              : scope ->
                  new Undefined(
                      "the inline if-expression evaluated to false and no else section was"
                          + " defined.");
      value = scope -> Py.truth(test.of(scope)) ? then.of(scope) : orElse.of(scope);
    }
    return value;
  }

  private Expression or() {
    Expression left = and();
    while (skipName("or")) {
      Expression a = left;
      Expression b = and();
      left =
          scope -> {
            Object value = a.of(scope);
            return Py.truth(value) ? value : b.of(scope);
          };
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (skipName("and")) {
      Expression a = left;
      Expression b = not();
      left =
          scope -> {
            Object value = a.of(scope);
            return Py.truth(value) ? b.of(scope) : value;
          };
    }
    return left;
  }

  private Expression not() {
    if (skipName("not")) {
      Expression value = not();
      return scope -> !Py.truth(value.of(scope));
    }
    return comparison();
  }

  private Expression comparison() {
    Expression first = sum();
    List<String> operators = new ArrayList<>();
    List<Expression> others = new ArrayList<>();
    while (true) {
      if (peek().kind() == Kind.OPERATOR && COMPARISONS.contains(peek().text())) {
        operators.add(next().text());
      } else if (skipName("in")) {
        operators.add("in");
      } else if (peek().isName("not") && tokens.get(at + 1).isName("in")) {
        at += 2;
        operators.add("not in");
      } else {
        break;
      }
      others.add(sum());
    }
    if (operators.isEmpty()) {
      return first;
    }
    return scope -> {
      Object left = first.of(scope);
      for (int i = 0; i < operators.size(); i++) {
        Object right = others.get(i).of(scope);
        if (!compare(scope.run, operators.get(i), left, right)) {
          return false;
        }
        left = right;
      }
      return true;
    };
  }

  static boolean compare(Run run, String operator, Object a, Object b) {
    run.step();
    return switch (operator) {
      case "==" -> Py.equal(run, a, b);
      case "!=" -> !Py.equal(run, a, b);
      case "in" -> Py.contains(run, b, a);
      case "not in" -> !Py.contains(run, b, a);
      case "<" -> Py.compare(run, a, b) < 0;
      case "<=" -> Py.compare(run, a, b) <= 0;
      case ">" -> Py.compare(run, a, b) > 0;
      default -> Py.compare(run, a, b) >= 0;
    };
  }

  private Expression sum() {
    Expression left = concatenation();
    while (peek().is("+") || peek().is("-")) {
      boolean plus = next().is("+");
      Expression a = left;
      Expression b = concatenation();
      left =
          plus
              ? scope -> Py.add(scope.run, a.of(scope), b.of(scope))
              : scope -> Py.arithmetic("-", a.of(scope), b.of(scope));
    }
    return left;
  }

  private Expression concatenation() {
    Expression first = product();
    if (!peek().is("~")) {
      return first;
    }
    List<Expression> parts = new ArrayList<>(List.of(first));
    while (skip("~")) {
      parts.add(product());
    }
    return scope -> Methods.join(scope.run, "", values(scope, parts));
  }

  private Expression product() {
    Expression left = power();
    while (peek().is("*") || peek().is("/") || peek().is("//") || peek().is("%")) {
      String operator = next().text();
      Expression a = left;
      Expression b = power();
      left =
          operator.equals("*")
              ? scope -> Py.multiply(scope.run, a.of(scope), b.of(scope))
              : scope -> Py.arithmetic(operator, a.of(scope), b.of(scope));
    }
    return left;
  }

  private Expression power() {
    Expression left = unary(true);
    while (skip("**")) {
      Expression a = left;
      Expression b = unary(true);
      left = scope -> Py.arithmetic("**", a.of(scope), b.of(scope));
    }
    return left;
  }

  private Expression unary(boolean filters) {
    Expression value;
    if (peek().is("-") || peek().is("+")) {
      boolean minus = next().is("-");
      Expression number = unary(false);
      value = scope -> Py.arithmetic(minus ? "-" : "+", 0L, number.of(scope));
      if (minus) {
        value = scope -> negative(number.of(scope));
      }
    } else {
      value = primary();
    }
    while (true) {
      if (peek().is(".") || peek().is("[")) {
        value = subscript(value);
      } else if (peek().is("(")) {
        value = called(value);
      } else {
        break;
      }
    }
    return filters ? filtered(value) : value;
  }

  private static Object negative(Object value) {
    return value instanceof Double d ? -d : Py.arithmetic("-", 0L, value);
  }

  private Expression filtered(Expression of) {
    Expression value = of;
    while (true) {
      if (peek().is("|")) {
        value = filters(value);
      } else if (skipName("is")) {
        value = test(value);
      } else if (peek().is("(")) {
        value = called(value);
      } else {
        return value;
      }
    }
  }

  private Expression called(Expression function) {
    Call call = call();
    return scope -> {
      Object called = function.of(scope);
      return Py.call(scope.run, called, call.in(scope));
    };
  }

  private Call call() {
    expect("(");
    List<Expression> positional = new ArrayList<>();
    Map<String, Expression> named = new LinkedHashMap<>();
    while (!peek().is(")")) {
      if (peek().is("*") || peek().is("**")) {
        throw JinjaException.at(
            peek().line(), JinjaException.unsupported("* before an argument").getMessage());
      }
      if (peek().kind() == Kind.NAME && tokens.get(at + 1).is("=")) {
        String name = next().text();
        next();
        if (named.put(name, expression()) != null) {
          throw fails("keyword argument repeated: " + name);
        }
      } else if (named.isEmpty()) {
        positional.add(expression());
      } else {
        throw fails("invalid syntax for function call expression");
      }
      if (!peek().is(")")) {
        expect(",");
      }
    }
    expect(")");
    return new Call(positional, named);
  }

  /** One filter behind another; here the | is next, or the name of a filter block. */
  private Expression filters(Expression of) {
    Expression value = of;
    do {
      next();
      Token name = expect(Kind.NAME);
      Filters.Filter filter = Filters.named(name.text());
      if (filter == null) {
        throw JinjaException.at(name.line(), Filters.problem(name.text()));
      }
      Call call = peek().is("(") ? call() : new Call(List.of(), Map.of());
      Expression input = value;
      value =
          scope -> {
            scope.run.step();
            return filter.of(scope.run, input.of(scope), call.in(scope));
          };
    } while (peek().is("|"));
    return value;
  }

  private Expression test(Expression of) {
    boolean negated = skipName("not");
    Token name = expect(Kind.NAME);
    Tests.Test test = Tests.named(name.text());
    if (test == null) {
      throw JinjaException.at(name.line(), Tests.problem(name.text()));
    }
    Call call = new Call(List.of(), Map.of());
    if (peek().is("(")) {
      call = call();
    } else if (takesArgument(peek())) {
      Expression argument = primary();
      while (peek().is(".") || peek().is("[") || peek().is("(")) {
        argument = peek().is("(") ? called(argument) : subscript(argument);
      }
      call = new Call(List.of(argument), Map.of());
    }
    Call arguments = call;
    return scope -> {
      Arguments given = arguments.in(scope);
      boolean is = test.of(scope.run, of.of(scope), given);
      given.done();
      return is != negated;
    };
  }

  private static boolean takesArgument(Token token) {
    return switch (token.kind()) {
      case NAME -> !Set.of("else", "or", "and", "if", "is").contains(token.text());
      case STRING, INTEGER, FLOAT -> true;
      default -> token.is("[") || token.is("{");
    };
  }

  private Expression primary() {
    Token token = next();
    switch (token.kind()) {
      case NAME -> {
        return name(token.text());
      }
      case STRING -> {
        StringBuilder text = new StringBuilder(token.text());
        while (peek().kind() == Kind.STRING) {
          text.append(next().text());
        }
        String value = text.toString();
        return scope -> value;
      }
      case INTEGER -> {
        Object value = integer(token);
        return scope -> value;
      }
      case FLOAT -> {
        Object value = Double.valueOf(token.text());
        return scope -> value;
      }
      default -> {
        if (token.is("(")) {
          Expression value = peek().is(")") ? tupleOf(List.of()) : tuple(true);
          expect(")");
          return value;
        }
        if (token.is("[")) {
          List<Expression> items = new ArrayList<>();
          while (!peek().is("]")) {
            items.add(expression());
            if (!peek().is("]")) {
              expect(",");
            }
          }
          expect("]");
          return scope -> values(scope, items);
        }
        if (token.is("{")) {
          return dict();
        }
        throw JinjaException.at(token.line(), "unexpected '" + token + "'");
      }
    }
  }

  private static Object integer(Token token) {
    try {
      return Long.valueOf(token.text());
    } catch (NumberFormatException e) {
      throw JinjaException.at(
          token.line(), JinjaException.unsupported("a whole number beyond 64 bits").getMessage());
    }
  }

  private Expression name(String name) {
    switch (name) {
      case "true", "True" -> {
        return scope -> true;
      }
      case "false", "False" -> {
        return scope -> false;
      }
      case "none", "None" -> {
        return scope -> Py.NONE;
      }
      default -> {
        names.add(name);
        return scope -> scope.get(name);
      }
    }
  }

  private Expression dict() {
    List<Expression> keys = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (!peek().is("}")) {
      keys.add(expression());
      expect(":");
      values.add(expression());
      if (!peek().is("}")) {
        expect(",");
      }
    }
    expect("}");
    return scope -> {
      Map<Object, Object> entries = new LinkedHashMap<>();
      for (int i = 0; i < keys.size(); i++) {
        scope.run.step();
        entries.put(Py.key(keys.get(i).of(scope)), values.get(i).of(scope));
      }
      return entries;
    };
  }

  private Expression subscript(Expression of) {
    if (skip(".")) {
      Token name = next();
      if (name.kind() == Kind.INTEGER) {
        Object index = integer(name);
        return scope -> Py.item(scope.run, of.of(scope), index);
      }
      if (name.kind() != Kind.NAME) {
        throw JinjaException.at(name.line(), "expected name or number");
      }
      return scope -> Py.attribute(scope.run, of.of(scope), name.text());
    }
    expect("[");
    Expression start = peek().is(":") ? scope -> Py.NONE : expression();
    if (!peek().is(":")) {
      if (peek().is(",")) {
        throw JinjaException.at(
            peek().line(), JinjaException.unsupported("a tuple as index").getMessage());
      }
      expect("]");
      return scope -> Py.item(scope.run, of.of(scope), start.of(scope));
    }
    expect(":");
    Expression stop = peek().is(":") || peek().is("]") ? scope -> Py.NONE : expression();
    Expression step = skip(":") && !peek().is("]") ? expression() : scope -> Py.NONE;
    expect("]");
    return scope ->
        Py.slice(scope.run, of.of(scope), start.of(scope), stop.of(scope), step.of(scope));
  }

  // Tokens

  private Token peek() {
    return tokens.get(at);
  }

  private Token next() {
    Token token = tokens.get(at);
    at += token.kind() == Kind.END ? 0 : 1;
    return token;
  }

  private boolean skip(String operator) {
    boolean found = peek().is(operator);
    at += found ? 1 : 0;
    return found;
  }

  private boolean skipName(String name) {
    boolean found = peek().isName(name);
    at += found ? 1 : 0;
    return found;
  }

  private void expect(String operator) {
    if (!skip(operator)) {
      throw fails("expected '" + operator + "', got '" + peek() + "'");
    }
  }

  private void expectName(String name) {
    if (!skipName(name)) {
      throw fails("expected '" + name + "', got '" + peek() + "'");
    }
  }

  private Token expect(Kind kind) {
    Token token = next();
    if (token.kind() != kind) {
      String expected = kind == Kind.NAME ? "a name" : new Token(kind, "", 0).toString();
      throw JinjaException.at(token.line(), "expected " + expected + ", got '" + token + "'");
    }
    return token;
  }

  private JinjaException fails(String problem) {
    return JinjaException.at(peek().line(), problem);
  }
}
